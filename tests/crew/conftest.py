"""The worker processes of a run, as the system knows them, and a watcher that ends them."""

import os
import signal
from pathlib import Path

import pytest

from assay.trial import Call, Event, Trial


def workers_of(pid: int | None = None) -> list[int]:
    """The worker processes of a run's first process (this one if none is given), by age."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == (pid or os.getpid()) and b"assay.crew" in words:
                found.append(int(entry.name))
    return sorted(found)


class Listener:
    """Keeps all that it hears."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.trials: list[Trial] = []
        self.events: list[Event] = []
        self.started = self.ended = 0

    def on_start(self, run, held) -> None:
        self.started += 1

    def on_event(self, trial, event) -> None:
        self.events.append(event)

    def on_call(self, call) -> None:
        self.calls.append(call)

    def on_trial(self, trial) -> None:
        self.trials.append(trial)

    def on_end(self, run) -> None:
        self.ended += 1


class EndsWorkers(Listener):
    """Sends a signal to the oldest worker whenever so many more calls have come."""

    def __init__(self, every: int, times: int, number: int = signal.SIGKILL) -> None:
        super().__init__()
        self.every, self.times, self.number = every, times, number
        self.hit: list[int] = []

    def on_call(self, call) -> None:
        super().on_call(call)
        if len(self.calls) % self.every == 0 and len(self.hit) < self.times:
            pid = workers_of()[0]
            self.hit.append(pid)
            os.kill(pid, self.number)


@pytest.fixture
def worker_pids():
    return workers_of


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def ends_workers():
    return EndsWorkers

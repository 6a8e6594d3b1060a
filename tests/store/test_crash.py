"""What was acknowledged is there, whenever the process was killed and however many write."""

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from assay.ports import Where
from assay.trial import CallState, Status

CHILD = Path(__file__).with_name("writing_child.py")


def start(place: Path, run: str, first: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(CHILD), str(place), run, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def first_line(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().decode().strip()


def killed_after(child: subprocess.Popen[bytes], seconds: float) -> list[str]:
    """What the child had told when it was killed."""
    assert child.stdout is not None
    told, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([child.stdout], [], [], left)[0]:
            told += os.read(child.stdout.fileno(), 1 << 16)
    child.send_signal(signal.SIGKILL)
    told += child.stdout.read()
    child.wait()
    child.stdout.close()
    return told.decode().splitlines()


def check(place: Path, run: str, told: list[str], opened) -> None:
    store = opened(place, create=False)
    trials = {trial.key: trial for trial in store.trials(Where(run=run))}
    for line in told:
        what, _, key = line.partition(" ")
        if what == "reserved":
            (call,) = store.lookup(run, key).calls
            assert call.request.messages[1].text.startswith(f"What of {key}?")
            assert call.state in (CallState.RESERVED, CallState.DONE)
        elif what == "added":
            assert trials[key].transcript.final.text == f"It is {key}."
        elif what == "scored":
            assert trials[key].status is Status.SCORED
    for key, trial in trials.items():
        assert [call.reply.text for call in trial.calls] == [f"It is {key}."]
        assert (trial.status is Status.SCORED) == bool(trial.scores)
    connection = sqlite3.connect(place)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(place, opened) -> None:
    draw, recorded = random.Random(11), 0
    for kill in range(12):
        child = start(place, "run", kill * 100_000, 100_000)
        assert first_line(child) == "opened"  # the dead process's run is taken over at once
        told = killed_after(child, draw.uniform(0.0, 0.25))
        check(place, "run", told, opened)
        recorded += sum(line.startswith("added") for line in told)
    assert recorded > 1000


def test_two_processes_never_write_one_run(place) -> None:
    first = start(place, "run", 0, 1_000_000)
    assert first_line(first) == "opened"
    second = start(place, "run", 0, 10)
    refusal = second.communicate(timeout=30)[0].decode()
    assert refusal.startswith(f"refused run run is being written by process {first.pid} on ")
    assert " since 2" in refusal
    killed_after(first, 0.0)
    third = start(place, "run", 0, 1)
    assert third.communicate(timeout=30)[0].decode().endswith("closed\n")


def test_many_processes_write_their_runs_into_one_store(place, opened) -> None:
    children = [start(place, f"run-{n}", 0, 300) for n in range(4)]
    for child in children:
        assert child.communicate(timeout=60)[0].decode().endswith("closed\n")
    store = opened(place)
    for n in range(4):
        keys = [trial.key for trial in store.trials(Where(run=f"run-{n}", calls=False))]
        assert sorted(keys, key=int) == [str(key) for key in range(300)]

"""W7: the memory of a long run, and how soon it goes on after a break.

    python benchmarks/w7.py [--trials 200000] [--slots 64]

One process plays 200,000 trials (1,000 cases, repeated) through the loop into a store, with a model that
answers from memory, and tells its resident memory on the way: what it has at 10,000 trials is the
measure, and from there on it should stay flat. It is stopped 1,000 trials before its end. A second
process resumes the run; told is how long it takes from `assay.run` to the first new trial, by the clock
and in CPU of the whole process (the clock also counts what else the machine does).

The store is made in the temporary folder; it needs about 0.4 GB for 200,000 trials.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import assay
from assay.keys import JSON
from assay.message import Request
from assay.models.scripted import ScriptedModel
from assay.plan import ModelChoice, Plan
from assay.ports import Run, Stop
from assay.schedule import Closed
from assay.trial import Call, Event, Status, Trial
from harness import CLIENT_CORE, ENVIRONMENT, pinned

CASES = 1000
LEFT = 1000
"""Trials that the first process leaves to the second."""


def model() -> ScriptedModel:
    """Answers at once; its memory of what it was asked would be what is measured, so it keeps none."""
    answering = ScriptedModel("scripted", lambda request: request.messages[-1].text.split()[-1])
    answering.requests = Forgetful()
    return answering


class Forgetful(list[Request]):
    """A list that keeps nothing."""

    def append(self, value: Request) -> None:
        del value


def resident() -> float:
    """MB that this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


class Probe:
    """Tells memory at certain counts, and stops the run before its end."""

    def __init__(self, marks: list[int], last: int, stop: Stop) -> None:
        self.marks, self.last, self.stop = marks, last, stop
        self.count = 0
        self.began = time.monotonic()
        self.first: tuple[float, float] | None = None
        self.told: list[tuple[int, float, float]] = []

    def on_start(self, run: Run, held: int) -> None:
        del run
        self.count = held

    def on_event(self, trial: str, event: Event) -> None: ...

    def on_call(self, call: Call) -> None: ...

    def on_end(self, run: Run) -> None: ...

    def on_trial(self, trial: Trial) -> None:
        if self.first is None:
            self.first = (time.monotonic() - self.began, time.process_time())
        if trial.status is not Status.SCORED:
            return
        self.count += 1
        if self.count in self.marks:
            self.told.append((self.count, resident(), time.monotonic() - self.began))
        if self.count == self.last:
            self.stop.now("cancelled")


async def play(folder: Path, given: argparse.Namespace, run_id: str | None) -> None:
    """One process's part of the run; prints what it saw as JSON."""
    whole = given.trials + LEFT
    task = {"name": "w7", "cases": "cases.jsonl", "scorers": ["exact"]}
    (folder / "task.yaml").write_text(json.dumps(task))
    with (folder / "cases.jsonl").open("w") as cases:
        for n in range(CASES):
            row = {"id": f"c{n}", "input": f"Case {n}: what follows {n} is {n + 1}", "target": str(n + 1)}
            cases.write(json.dumps(row) + "\n")
    plan = Plan(
        task=str(folder / "task.yaml"),
        models=(ModelChoice("python:w7:model"),),
        repeats=whole // CASES,
        schedule=Closed(given.slots),
    )
    stop = Stop()
    marks = [n for n in (1000, 10_000, 50_000, 100_000, 150_000, 200_000, 500_000) if n < given.trials]
    probe = Probe([*marks, given.trials], given.trials if run_id is None else -1, stop)
    ended = await assay.run(plan, store=folder / "w7.db", watchers=[probe], stop=stop, run_id=run_id)
    told: dict[str, JSON] = {
        "run": ended.run.id,
        "first": probe.first,
        "told": probe.told,
        "statuses": ended.summary.statuses,
    }
    told["end"] = resident()
    told["seconds"] = time.monotonic() - probe.began
    print(json.dumps(told))


def child(folder: Path, given: argparse.Namespace, *more: str) -> dict[str, JSON]:
    words = [sys.executable, __file__, "--trials", str(given.trials), "--slots", str(given.slots)]
    command = pinned(CLIENT_CORE, [*words, "--play", str(folder), *more])
    done = subprocess.run(command, check=False, capture_output=True, env=ENVIRONMENT)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    told: dict[str, JSON] = json.loads(done.stdout)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=200_000)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--play", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--resume", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.play is not None:
        asyncio.run(play(given.play, given, given.resume))
        return 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        first = child(folder, given)
        base = first["told"][0][1]
        for count, memory, seconds in first["told"]:
            pace = count / seconds
            print(f"{count:8,} trials: {memory:6.1f} MB ({memory - base:+.1f}), {pace:,.0f} trials/s so far")
        print(f"     end: {first['end']:6.1f} MB, report included")
        size = (folder / "w7.db").stat().st_size / 2**20
        print(f"store: {size:,.0f} MB, {size * 2**20 / given.trials:,.0f} bytes a trial")
        again = child(folder, given, "--resume", first["run"])
        wall, cpu = again["first"]
        print(f"resumed: first new trial after {wall:.2f} s ({cpu:.2f} s of CPU)")
        print(f"statuses: {again['statuses']}")
        if again["statuses"]["scored"] != given.trials + LEFT:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

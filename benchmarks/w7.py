"""W7: the memory of a long run, and how soon it goes on after a break.

    python benchmarks/w7.py [--trials 200000] [--slots 64] [--fill]

One process plays 200,000 trials (1,000 cases, repeated) through the loop into a store, with a model that
answers from memory, and tells its resident memory on the way: it should grow by no more than 10 MB to
10,000 trials, and stay within 10 % of what it is at a twentieth of them. It is stopped 1,000 trials
before its end. A second process resumes the run; told is how long it takes from `assay.run` to the
first new trial, by the clock and in CPU of the whole process (the clock also counts what else the
machine does).

With `--fill` the first process plays 1,000 trials and puts the others into the store as they would be,
without playing them: for a million trials that takes minutes. The second process ends with its first
new trial. The store is made in the temporary folder; it needs about 2 kB a trial.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path

from msgspec import structs

import assay
from assay.keys import JSON
from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.message import Request
from assay.models.scripted import ScriptedModel
from assay.plan import ModelChoice, Plan
from assay.ports import Run, Stop, Where
from assay.schedule import Closed
from assay.store.sqlite import SqliteStore
from assay.trial import Call, Event, Status, Trial
from harness import CLIENT_CORE, ENVIRONMENT, pinned, tell

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

    def __init__(self, marks: list[int], last: int | None, stop: Stop) -> None:
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
        if self.last is None:
            self.stop.now("cancelled")
        if self.count in self.marks:
            self.told.append((self.count, resident(), time.monotonic() - self.began))
        if self.count == self.last:
            self.stop.now("cancelled")


async def fill(path: Path, plan: Plan, run_id: str, trials: int) -> None:
    """Puts the planned trials into the store, up to that many, each as one that was played."""
    store = SqliteStore.open(path)
    async with bound(plan, Environment({}), run_id=run_id) as ready:
        sample = next(iter(store.trials(Where(run=run_id))))
        await store.open_run(ready.run)
        together: list[Coroutine[None, None, None]] = []
        for planned in itertools.islice(ready.trials(), LEFT, trials):
            call = structs.replace(sample.calls[0], trial=planned.key)
            trial = structs.replace(
                sample,
                key=planned.key,
                case=planned.case,
                repeat=planned.repeat,
                seed=planned.seed,
                calls=(call,),
            )
            together.append(store.add(trial))
            if len(together) == 2000:
                await asyncio.gather(*together)
                together.clear()
        await asyncio.gather(*together)
        await store.end_run(run_id, "stopped", "cancelled")
    await store.close()


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
    shares = [given.trials * percent // 100 for percent in (5, 25, 50, 75, 100)]
    marks = sorted({n for n in (1000, 10_000, *shares) if n <= given.trials})
    last = LEFT if given.fill else given.trials
    probe = Probe(marks, last if run_id is None else -1, stop)
    if run_id is not None and given.fill:
        probe.last = None
    ended = await assay.run(plan, store=folder / "w7.db", watchers=[probe], stop=stop, run_id=run_id)
    if run_id is None and given.fill:
        await fill(folder / "w7.db", plan, ended.run.id, given.trials)
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
    words += ["--fill"] * given.fill
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
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("--play", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--resume", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.play is not None:
        asyncio.run(play(given.play, given, given.resume))
        return 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        first = child(folder, given)
        show_memory(first, given.trials)
        size = (folder / "w7.db").stat().st_size / 2**20
        print(f"store: {size:,.0f} MB, {size * 2**20 / given.trials:,.0f} bytes a trial")
        again = child(folder, given, "--resume", first["run"])
        wall, cpu = again["first"]
        tell("resumed, first new trial", f"{wall:.2f} s ({cpu:.2f} s of CPU)", "10 s for 1,000,000 trials")
        print(f"statuses: {again['statuses']}")
        whole = given.trials + LEFT
        if not given.fill and again["statuses"]["scored"] != whole:
            return 1
    return 0


def show_memory(first: dict[str, JSON], trials: int) -> None:
    """Memory at each mark, against what it was at 1,000 trials and at a twentieth of them."""
    base, early = first["told"][0][1], None
    for count, memory, seconds in first["told"]:
        pace = f"{memory:.1f} MB ({memory - base:+.1f}), {count / seconds:,.0f} trials/s so far"
        target = "+10 MB" if count == 10_000 else ""
        if count >= trials // 20:
            early = early or memory
            pace += f", {100 * (memory / early - 1):+.1f} % since 5 %"
            target = target or "+-10 %"
        tell(f"{count:,} trials", pace, target)
    tell("end, report included", f"{first['end']:.1f} MB", "90 MB")


if __name__ == "__main__":
    sys.exit(main())

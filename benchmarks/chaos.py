"""Chaos: kill -9 at random moments of a conversation run, resume, and hold the record to the ledger.

    python benchmarks/chaos.py [--kills 30] [--trials 2000] [--in-flight 16] [--delay-ms 50] [--seed 1]
                               [--workers 0]
    python benchmarks/chaos.py --kills 200 --trials 6000

The second is the long form: 200 kills in 6,000 conversations.

The emulator runs as a process of its own and writes every request to its ledger file. `assay run` plays
phone orders (the agent a model, the customer the agenda's rules) and is killed when it has come to
a random number of recorded trials, always after a call that the run before had not recorded. Then
`assay run --resume` goes on. With --workers the run is played by so many processes, and every second
kill is that of one worker, after which the run goes on by itself. An undisturbed run of the same
plan, in one process, is the reference. It held if

- every planned trial is recorded once, with the outcome and the very lines of the undisturbed run;
- no request reached the emulator without an attempt in the store;
- each kill made at most as many calls paid again as were in flight;
- the emulator's bill lies between the cost on record and that cost with the calls that were cut, each
  at its worst: after every kill, and in the report of the end.

Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from assay.emulator.ledger import records_of
from assay.keys import JSON
from assay.loading.bind import PRICES, read_prices
from assay.ports import Where
from assay.reports.summary import summarise
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, EventKind, Trial
from harness import ASSAY, CLIENT_CORE, ENVIRONMENT, emulator, free_port, pinned, timed
from shared import kill, workers_of

SCENARIOS = 12
"""How many the task phone_orders has."""

PLAN = """\
task: phone_orders
models: [{{name: emulated/agent-0.9, base_url: {url}}}]
exchange: {{client: rules}}
scorers: [state]
repeats: {repeats}
seed: {seed}
schedule: {{kind: closed, slots: {slots}}}
workers: {workers}
"""


@dataclass
class Found:
    """What did not hold."""

    faults: list[str] = field(default_factory=list)

    def check(self, held: bool, fault: str) -> None:
        if not held:
            self.faults.append(fault)


def progress(store: Path) -> tuple[int, int]:
    """How many trials and settled calls are in the store; none while it is not there."""
    if not store.exists():
        return 0, 0
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            counts = "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM settlements)"
            trials, settled = connection.execute(counts).fetchone()
            return trials, settled
    except sqlite3.OperationalError:  # it is being made
        return 0, 0


class Victim:
    """One `assay run`, killed as often as wanted: whole, or a worker of it."""

    def __init__(self, command: list[str], store: Path, draw: random.Random) -> None:
        self._store = store
        self._draw = draw
        _, self._settled = progress(store)
        self.process = subprocess.Popen(
            pinned(CLIENT_CORE, command),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )

    def comes_to(self, target: int) -> bool:
        """Waits until so many trials are recorded and a call more than before; False at the run's end."""
        while self.process.poll() is None:
            trials, settled = progress(self._store)
            if trials >= target and settled > self._settled:
                self._settled = settled
                time.sleep(self._draw.uniform(0, 0.05))
                return True
            time.sleep(0.005)
        return False

    def kill(self) -> bool:
        """Kills all processes of the run; False if it came to its end first."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return self.process.returncode == -signal.SIGKILL

    def kill_a_worker(self) -> bool:
        """Kills one worker that has played; False if there is none, or the run ends."""
        while self.process.poll() is None:
            if workers := workers_of(self.process.pid):
                return kill(self._draw.choice(workers))
            time.sleep(0.005)
        return False


def records(ledger: Path) -> list[dict[str, JSON]]:
    return records_of(ledger.read_bytes().splitlines(keepends=True))


def attempts_of(store: Path) -> tuple[int, int]:
    """How many attempts there are, and of how many the store does not know how they ended."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        query = (
            "SELECT count(*), count(*) - count(s.call) FROM calls c LEFT JOIN settlements s ON s.call = c.id"
        )
        whole, cut = connection.execute(query).fetchone()
        return whole, cut


class Paid:
    """What the emulator's ledger file says so far, read as it grows."""

    def __init__(self, ledger: Path) -> None:
        self.requests, self.price = 0, Decimal(0)
        self._ledger = ledger
        self._read = 0

    def look(self) -> None:
        with self._ledger.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0] + b"\n"
        self._read += len(whole)
        for line in whole.splitlines():
            if b'"moment":"arrived"' in line:  # where a request is billed
                self.requests += 1
                self.price += Decimal(json.loads(line)["price"])


def bill_so_far(found: Found, kill: int, store: Path, paid: Paid) -> None:
    """The ledger against the record, at the moment of a kill."""
    record, prices = SqliteStore.open(store, create=False), read_prices(PRICES)
    (run,) = record.runs()
    low, unknown = record.costs(run.id)
    most = low + sum(
        (prices.worst_case(each.model, each.request) or Decimal(0) for each in unknown), Decimal(0)
    )
    attempts, _ = attempts_of(store)
    paid.look()
    found.check(low <= paid.price <= most, f"kill {kill}: ${paid.price} is not in [${low}, ${most}]")
    found.check(paid.requests <= attempts, f"kill {kill}: {paid.requests} requests, {attempts} attempts")


def trials_of(store: Path) -> Iterator[Trial]:
    return SqliteStore.open(store, create=False).trials(Where())


def played(trial: Trial) -> list[object]:
    """What happened in a play, without the names of the attempts that brought it."""
    lines = [(e.kind, e.role, e.message and e.message.text, e.delivered) for e in trial.transcript.events]
    return [trial.status, trial.transcript.outcome.reason, [s.value for s in trial.scores], *lines]


def turns(trial: Trial) -> set[tuple[str, str, int]]:
    """The requests of a trial that were answered, each once however often it was paid."""
    done = (call for call in trial.calls if call.state is CallState.DONE)
    return {(call.role, call.request_hash, call.occurrence) for call in done}


def compare(found: Found, store: Path, reference: Path, planned: int) -> None:
    """Every trial once, and as it is when nothing is killed."""
    whole = {trial.key: played(trial) for trial in trials_of(reference)}
    ends = Counter(trial.transcript.outcome.reason for trial in trials_of(reference))
    print(f"ends of the undisturbed run: {dict(ends)}")
    keys: Counter[str] = Counter()
    sizes: list[int] = []
    other = doubled = 0
    for trial in trials_of(store):
        keys[trial.key] += 1
        sizes.append(len(turns(trial)))
        other += played(trial) != whole.get(trial.key)
        done = sum(call.state is CallState.DONE for call in trial.calls)
        said = [e.call for e in trial.transcript.events if e.kind is EventKind.SAID and e.call]
        doubled += done != len(turns(trial)) or len(said) != len(set(said))
    lost, twice = len(whole.keys() - keys.keys()), sum(n - 1 for n in keys.values())
    print(f"trials: {planned} planned, {len(keys)} recorded, {lost} lost, {twice} recorded twice")
    print(
        f"calls of one conversation: {min(sizes)} to {max(sizes)}, {sum(sizes) / len(sizes):.1f} on average"
    )
    print(f"transcripts: {other} differ from the undisturbed run, {doubled} hold a turn twice")
    found.check(len(whole) == planned, f"the undisturbed run recorded {len(whole)} of {planned} trials")
    found.check(len(keys) == planned and not lost and not twice, "recorded trials are not those planned")
    found.check(not other and not doubled, "transcripts are not those of the undisturbed run")


def bill(found: Found, store: Path, ledger: Path) -> None:
    """The emulator's bill against what the run reports."""
    record = SqliteStore.open(store, create=False)
    (run,) = record.runs()
    summary = summarise(record.trials(Where()), run)
    prices, low, cut = read_prices(PRICES), summary.cost_usd, Decimal(0)
    attempts = done = unknown = 0
    for trial in record.trials(Where()):
        done += len(turns(trial))
        for call in trial.calls:
            attempts += 1
            if call.state is CallState.RESERVED:
                unknown += 1
                cut += prices.worst_case(call.model, call.request) or Decimal(0)
    paid = records(ledger)
    price = sum((Decimal(row["price"]) for row in paid), Decimal(0))
    again = len(paid) - done
    print(f"calls: {done} needed, {attempts} attempts in the store, {unknown} cut; {len(paid)} in the ledger")
    print(f"paid again: {again}, reported as possible: {summary.models[0].attempts.unknown}")
    print(f"spend: ledger ${price:.6f}, reported ${low:.6f} and at most ${cut:.6f} for the cut calls")
    found.check(run.state == "completed", f"the run is {run.state}")
    found.check(len(paid) <= attempts, "requests reached the emulator without an attempt in the store")
    found.check(0 <= again <= unknown, "calls were paid again that no kill explains")
    found.check(summary.models[0].attempts.unknown == unknown, "the summary hides cut calls")
    found.check(low <= price <= low + cut, "the bill lies outside the reported interval")


def kill_all(
    found: Found,
    given: argparse.Namespace,
    start: list[str],
    store: Path,
    *,
    paid: Paid,
    draw: random.Random,
) -> None:
    """The run with its kills, to its end."""
    resume = [ASSAY, "run", "--resume", "--store", str(store), "--quiet"]
    room = max(1, given.trials - 2 * given.in_flight)  # after the last kill something is left to do
    targets = sorted(draw.uniform(0, room) for _ in range(given.kills))
    most_cut = given.in_flight + (-(-given.in_flight // given.workers) if given.workers else 0)
    kills = before = most = 0
    victim: Victim | None = None
    for target in targets:
        if victim is None:
            victim = Victim(resume if kills else start, store, draw)
        if not victim.comes_to(int(target)):
            break
        if given.workers and kills % 2:
            kills += victim.kill_a_worker()
            continue
        if not victim.kill():
            break
        kills, victim = kills + 1, None
        _, cut = attempts_of(store)
        bill_so_far(found, kills, store, paid)
        most = max(most, cut - before)
        found.check(cut - before <= most_cut, f"kill {kills} cut {cut - before} calls")
        before = cut
    if victim is not None:
        found.check(victim.process.wait() == 0, f"the run ended with {victim.process.returncode}")
    found.check(kills == given.kills, f"only {kills} kills happened before the run ended")
    if victim is None:
        timed(resume)
    print(f"kills: {kills}, each cut at most {most} calls of {given.in_flight} in flight")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--delay-ms", type=float, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    repeats = -(-given.trials // SCENARIOS)
    planned, found, began = repeats * SCENARIOS, Found(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, reference, ledger = folder / "a.db", folder / "reference.db", folder / "ledger"
        plan = folder / "plan.yaml"
        run = [ASSAY, "run", str(plan), "--quiet", "--store"]
        port = ["--port", str(free_port())]  # where a model answers is part of a trial's key
        with emulator(*port) as url:
            plan.write_text(PLAN.format(url=url, repeats=repeats, seed=given.seed, slots=64, workers=0))
            timed([*run, str(reference)])
        flags = [*port, "--ttft-ms", str(given.delay_ms), "--ledger", str(ledger)]
        with emulator(*flags, "--price-input", "0.15", "--price-output", "0.60") as url:
            form = {
                "repeats": repeats,
                "seed": given.seed,
                "slots": given.in_flight,
                "workers": given.workers,
            }
            plan.write_text(PLAN.format(url=url, **form))
            draw = random.Random(given.seed)
            kill_all(found, given, [*run, str(store)], store, paid=Paid(ledger), draw=draw)
        compare(found, store, reference, planned)
        bill(found, store, ledger)
    for fault in found.faults:
        print(f"DID NOT HOLD: {fault}")
    print(f"{'broken' if found.faults else 'held'} in {time.monotonic() - began:.0f} s")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""R29: a budget of $1.00, $0.01 a call, 64 calls in flight, four processes: what the ledger comes to.

    python benchmarks/shared_budget.py [--runs 100] [--workers 4] [--kill none|worker|parent]

Each run is an `assay run` of its own against an emulator in this process, until its budget ends it.
With --kill a worker or the first process is killed by -9 after a random number of calls; then the
run goes on (by itself, or by --resume). It held if the ledger's bill never passed $1.00, and where
nothing was killed at least $0.95 of it was used; after a kill what is known and the worst case of the
calls that were cut must contain the bill, and not pass $1.00 either. Exits with 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from assay.emulator.server import Emulator
from assay.loading.bind import PRICES, read_prices
from assay.store.sqlite import SqliteStore
from shared import MODEL, billed, index_of, kill, started, workers_of, write_plan, write_task

BUDGET = Decimal(1)
TOKENS = 16_640
"""Of an answer: at the emulated price of $0.60 a million, a call costs $0.01 with its prompt."""


async def one_run(plan: Path, store: Path, server: Emulator, kills: str, draw: random.Random) -> bool:
    """Plays the plan to the end of its budget; says whether something was killed on the way."""
    first = started("--store", str(store), str(plan))
    killed = kills != "none" and await _kill(first, server, kills, draw)
    code = await asyncio.to_thread(first.wait)
    if killed and kills == "parent":
        again = started("--store", str(store), "--resume")
        code = await asyncio.to_thread(again.wait)
        _said(again)
    _said(first)
    if code != 3:
        raise SystemExit(f"a run ended with {code}, not by its budget")
    return killed


def _said(process: subprocess.Popen[bytes]) -> None:
    if process.stderr is not None:
        process.stderr.close()


async def _kill(first: subprocess.Popen[bytes], server: Emulator, kills: str, draw: random.Random) -> bool:
    """Kills one process once so many calls are in the ledger; False if the run ended before."""
    at = draw.randint(1, 80)
    while len(server.ledger.records()) < at:
        if first.poll() is not None:
            return False
        await asyncio.sleep(0.002)
    if kills == "parent":
        return kill(first.pid)
    workers = workers_of(first.pid)
    return bool(workers) and kill(draw.choice(workers))


def accounted(store: Path) -> tuple[Decimal, Decimal, int]:
    """Dollars that the record knows, the worst case of the calls that were cut, and how many."""
    record, prices = SqliteStore.open(store, create=False), read_prices(PRICES)
    known, unknown = record.costs(record.find_run("last").id)
    worst = [prices.worst_case(MODEL, call.request) or Decimal(0) for call in unknown]
    return known, sum(worst, Decimal(0)), len(worst)


async def measure(given: argparse.Namespace) -> int:
    draw, spent, faults, kills, cut = random.Random(given.seed), [], [], 0, 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        answer = "abcd" * TOKENS
        task = write_task(folder, [(f"Say {n}", f"{n:04}{answer[4:]}") for n in range(40)])
        async with Emulator(index_of(task)) as server:
            schedule = {"kind": "closed", "slots": given.slots}
            plan = write_plan(task, server, budget=str(BUDGET), sampling={"max_tokens": TOKENS},
                              repeats=10, schedule=schedule, workers=given.workers)  # fmt: skip
            for n in range(given.runs):
                server.ledger.reset()
                store = folder / f"{n}.db"
                killed = await one_run(plan, store, server, given.kill, draw)
                bill = billed(server)
                known, worst, calls = accounted(store)
                spent.append(bill)
                kills += killed
                cut += calls
                if bill > BUDGET or known + worst > BUDGET:
                    faults.append(f"run {n}: ${bill} billed, ${known + worst} accounted for")
                if not known <= bill <= known + worst:
                    faults.append(f"run {n}: ${bill} billed is not in [{known}, {known + worst}]")
                if not killed and bill < Decimal("0.95"):
                    faults.append(f"run {n}: only ${bill} used")
                for end in ("", "-wal", "-shm"):
                    store.with_name(store.name + end).unlink(missing_ok=True)
    print(f"{given.runs} runs, {given.workers} workers, {given.slots} in flight, kill: {given.kill}")
    print(f"  the bill of a run         ${min(spent):.4f} to ${max(spent):.4f} of $1.00")
    print(f"  kills; calls that were cut {kills}; {cut}")
    for fault in faults:
        print(f"DID NOT HOLD: {fault}")
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--kill", choices=["none", "worker", "parent"], default="none")
    parser.add_argument("--seed", type=int, default=1)
    given, began = parser.parse_args(), time.monotonic()
    code = asyncio.run(measure(given))
    print(f"{'broken' if code else 'held'} in {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())

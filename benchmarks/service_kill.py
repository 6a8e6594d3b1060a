"""Kills the service during a batch, and holds what comes of it to the emulator's ledger.

    python benchmarks/service_kill.py [--kills 5] [--scenarios 300] [--concurrency 16] [--delay-ms 20]

The emulator is a process of its own that writes every request to its ledger. `assay serve` plays one posted
batch (the agent, the customer and the evaluator are models) and is killed by SIGKILL at random moments;
each time it is only started again. It held if after the last start the batch ends by itself and

- every scenario has one result, and no start was told to resume anything;
- no request reached the emulator without an attempt in the store;
- no call that was settled was asked for again: what was paid twice was in flight at a kill;
- the emulator's bill lies between the cost that is told and that with the calls that were cut;
- what was said is what an undisturbed service says of the same batch.

Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from assay.emulator.ledger import records_of
from assay.keys import JSON
from assay.loading.bind import PRICES, read_prices
from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, EventKind, Trial
from harness import ASSAY, CLIENT_CORE, ENVIRONMENT, emulator, fetched, free_port, pinned

GOAL = '[{"name":"филе","qty":2,"from_history":true}]'
SPEAKERS = ("--agent", "emulated/agent", "--client", "emulated/client", "--evaluator", "emulated/judge")
PRICED = ("--price-input", "0.15", "--price-output", "0.60")


class Service:
    """`assay serve` in a folder."""

    def __init__(self, folder: Path, models: str, concurrency: int) -> None:
        self._folder = folder
        self._port = free_port()
        flags = ["--port", str(self._port), "--base-url", models, "--concurrency", str(concurrency)]
        self._command = pinned(CLIENT_CORE, [ASSAY, "serve", *SPEAKERS, *flags])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        return self._folder / ".assay" / "assay.db"

    def begin(self) -> float:
        """Starts it; seconds until it answers."""
        began = time.monotonic()
        log = (self._folder / "serve.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=log, env=ENVIRONMENT
            )
        while True:
            try:
                self.asked("/health")
            except OSError:
                if self._process.poll() is not None:
                    raise SystemExit((self._folder / "serve.log").read_text()) from None
                time.sleep(0.02)
            else:
                return time.monotonic() - began

    def end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()

    def asked(self, path: str) -> dict[str, JSON]:
        found: dict[str, JSON] = json.loads(
            fetched(f"http://127.0.0.1:{self._port}/api{path}"), parse_float=Decimal
        )
        return found

    def submitted(self, scenarios: Path) -> str:
        command = [ASSAY, "batch", "submit", str(scenarios), "--api-url", f"http://127.0.0.1:{self._port}"]
        said = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout
        return said.split()[0]

    def until(self, batch: str, conversations: int) -> dict[str, JSON]:
        """The status when so many conversations have ended, or the batch has."""
        while True:
            standing = self.asked(f"/batches/{batch}")
            ended = standing["completed"] + standing["failed"]
            if ended >= conversations or standing["status"] not in ("queued", "running"):
                return standing
            time.sleep(0.02)


def scenario(number: int) -> dict[str, JSON]:
    variables = {
        "PERSONALITY": ("спокойный", "нетерпеливый", "растерянный")[number % 3],
        "AMB_LEVEL": number % 4,
        "PATIENCE": 2,
        "ORDER_GOAL": GOAL,
        "CURRENT_DATE": "2025-06-08 Sunday",
        "SEED": number,
    }
    return {"name": f"s{number}", "variables": variables}


def spoken(store: Path) -> dict[str, list[str]]:
    """What was said in each conversation of a store."""
    found: dict[str, list[str]] = {}
    for trial in SqliteStore.open(store, create=False).trials(Where()):
        lines = [e for e in trial.transcript.events if e.kind is EventKind.SAID]
        found[trial.key] = [event.message.text for event in lines if event.message is not None]
    return found


def paid_twice(trials: list[Trial], ledger: list[dict[str, JSON]]) -> tuple[int, int, int]:
    """Attempts, those that were cut, and settled calls that were asked for more than once."""
    attempts = cut = twice = 0
    for trial in trials:
        attempts += len(trial.calls)
        cut += sum(call.state is CallState.RESERVED for call in trial.calls)
        done = Counter(
            (c.role, c.request_hash, c.occurrence) for c in trial.calls if c.state is CallState.DONE
        )
        twice += sum(times - 1 for times in done.values())
    again = sum(times - 1 for times in Counter(row["request"] for row in ledger).values())
    return attempts, cut, max(twice, again - cut)


def worst(trials: list[Trial]) -> Decimal:
    """What the calls that were cut may have cost."""
    prices = read_prices(PRICES)
    calls = (call for trial in trials for call in trial.calls if call.state is CallState.RESERVED)
    return sum((prices.worst_case(call.model, call.request) or Decimal(0) for call in calls), Decimal(0))


def undisturbed(folder: Path, scenarios: Path, port: int, concurrency: int) -> dict[str, list[str]]:
    folder.mkdir()
    with emulator("--port", str(port)) as url:
        service = Service(folder, url, concurrency)
        service.begin()
        service.until(service.submitted(scenarios), 1 << 30)
        service.end(signal.SIGTERM)
    return spoken(service.store)


@dataclass
class Found:
    """What did not hold."""

    faults: list[str] = field(default_factory=list)

    def check(self, held: bool, fault: str) -> None:
        if not held:
            self.faults.append(fault)


@dataclass(frozen=True)
class Told:
    """What the service says of the batch at its end."""

    standing: dict[str, JSON]
    cost: dict[str, JSON]
    results: list[dict[str, JSON]]


def kill_all(
    found: Found, given: argparse.Namespace, service: Service, scenarios: Path, draw: random.Random
) -> str:
    """Posts the batch and kills the service while it is played; gives the batch's id."""
    service.begin()
    batch = service.submitted(scenarios)
    room = given.scenarios - 2 * given.concurrency
    for at in sorted(draw.uniform(1, room) for _ in range(given.kills)):
        standing = service.until(batch, int(at))
        found.check(standing["status"] == "running", f"the batch was {standing['status']} before a kill")
        time.sleep(draw.uniform(0, 0.1))
        service.end(signal.SIGKILL)
        seconds = service.begin()
        ended = standing["completed"] + standing["failed"]
        print(f"killed at {ended} conversations; answers again after {seconds:.1f} s")
    return batch


def compare(found: Found, store: Path, whole: dict[str, list[str]], told: Told, scenarios: int) -> None:
    """Every scenario once, with the lines of an undisturbed service."""
    said = spoken(store)
    lost = scenarios - len({row["session_id"] for row in told.results})
    other = sum(said.get(key) != lines for key, lines in whole.items())
    print(f"{told.standing['status']}: {len(told.results)} results of {scenarios}, {lost} lost")
    print(f"transcripts: {other} differ from an undisturbed service")
    found.check(told.standing["outcome"] == "completed", f"the batch ended as {told.standing['outcome']}")
    found.check(not lost and len(told.results) == scenarios, "results are missing or doubled")
    found.check(not other and len(whole) == scenarios, "other things were said")


def bill(found: Found, store: Path, ledger: Path, told: Told) -> None:
    """The emulator's bill against what the service tells."""
    billed = records_of(ledger.read_bytes().splitlines(keepends=True))
    trials = list(SqliteStore.open(store, create=False).trials(Where()))
    attempts, cut, twice = paid_twice(trials, billed)
    price = sum((Decimal(row["price"]) for row in billed), Decimal(0))
    low, most = told.cost["total_cost_usd"], worst(trials)
    print(f"calls: {attempts} attempts, {cut} cut by kills, {len(billed)} in the ledger; {twice} paid twice")
    print(f"spend: ledger ${price:.6f}, told ${low:.6f} and at most ${most:.6f} for the cut calls")
    found.check(len(billed) <= attempts, "requests reached the emulator without an attempt in the store")
    found.check(not twice, "settled calls were paid again")
    found.check(told.cost["unknown_calls"] == cut, "the cost hides calls that were cut")
    found.check(low <= price <= low + most, "the bill lies outside what is told")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--scenarios", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw, began, port = random.Random(given.seed), time.monotonic(), free_port()
    found = Found()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scenarios, ledger = folder / "scenarios.json", folder / "ledger"
        scenarios.write_text(json.dumps([scenario(n) for n in range(given.scenarios)], ensure_ascii=False))
        whole = undisturbed(folder / "reference", scenarios, port, given.concurrency)
        flags = ["--port", str(port), "--ttft-ms", str(given.delay_ms), "--ledger", str(ledger), *PRICED]
        with emulator(*flags) as url:
            service = Service(folder, url, given.concurrency)
            batch = kill_all(found, given, service, scenarios, draw)
            told = Told(
                service.until(batch, 1 << 30),
                service.asked(f"/batches/{batch}/cost"),
                service.asked(f"/batches/{batch}/results")["results"],
            )
            service.end(signal.SIGTERM)
        compare(found, service.store, whole, told, given.scenarios)
        bill(found, service.store, ledger, told)
    for fault in found.faults:
        print(f"DID NOT HOLD: {fault}")
    print(f"{'broken' if found.faults else 'held'} in {time.monotonic() - began:.0f} s")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())

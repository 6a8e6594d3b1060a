"""R12: many requests, a fifth of them met by faults of the whole catalogue; no wrong record may come of it.

    python benchmarks/fault_mix.py [--requests 100000] [--slots 128] [--mix benchmarks/fault_mix.json]

The mix, its seed, the clocks, the retries and the concurrency stand in the mix file. The concurrency is
fixed: one that adapts to refusals would take the mix's 503s for an overload and slow down. Half of the
requests are streamed. The emulator is a process of its own; the plan goes through `assay.api.run`, store
and all.
Afterwards every attempt in the record is laid beside the ledger's row of it. It held if

- every planned trial is in the record once, and is scored with exactly the text that the ledger calls
  right, or failed with the class that the table of faults gives for its last attempt;
- every attempt has the class of the fault that it met, and an attempt without one has the right text;
- the counts by class are those of the ledger. A stale connection whose request never reached the server
  is counted apart.

Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from assay import api
from assay.emulator.faults import FAULTS, fault_named
from assay.emulator.index import Index, digest_of, entry
from assay.keys import JSON
from assay.loading.environment import Environment
from assay.message import say
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.schedule import Closed
from assay.seat.limits import Limits
from assay.seat.retry import Retry
from assay.store.sqlite import SqliteStore
from assay.trial import Call, Status, Trial
from harness import HERE, emulator, fetched

MODEL = "skill-1"
ENDED = ("fin", "rst", "half_close")
"""Faults that end a connection in place of an answer."""

TASK = """\
name: fault_mix
cases: cases.jsonl
exchange: single
prompt: {user: "{{INPUT}}"}
scorers: [exact]
sampling: {temperature: 0, max_tokens: 256}
"""


class Mix(Struct, forbid_unknown_fields=True):
    """The mix file."""

    about: str
    share: float
    seed: int
    slots: int
    timeouts: dict[str, float]
    retry: Retry
    limits: Limits
    faults: dict[str, float]

    def flag(self, *, stream: bool) -> str:
        """The emulator's --mix for one kind of request: only what it can meet, so that the share holds."""
        kinds = ("any", "stream" if stream else "body")
        met = {text: w for text, w in self.faults.items() if fault_named(text).fault.needs in kinds}
        scale = 100 * self.share / sum(met.values())
        rows = [f"{text.replace(',', ';')}={weight * scale:.6f}" for text, weight in met.items()]
        return ",".join([f"ok={100 * (1 - self.share):.6f}", *rows])


@dataclass
class Found:
    """What one half came to."""

    trials: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    ledger: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    stale: int = 0
    wrong: list[str] = field(default_factory=list)


def write_task(folder: Path, count: int, seed: int) -> None:
    """Cases with answers of several tokens and letters of several bytes, and the emulator's index of them."""
    draw, index = random.Random(seed), Index()
    with (folder / "cases.jsonl").open("w", encoding="utf-8") as file:
        for n in range(count):
            answer = f"Ответ {draw.randrange(10**9)} — {'да' if n % 2 else 'yes'}, {draw.randrange(10**6)}."
            asked = f"Question {n}: what is the answer to {draw.randrange(10**9)}?"
            file.write(json.dumps({"id": n, "input": asked, "target": answer}) + "\n")
            index.add(entry((say("user", asked),), answer))
    (folder / "task.yaml").write_text(TASK)
    (folder / "index.jsonl").write_bytes(b"".join(index.lines()))


async def play(folder: Path, mix: Mix, slots: int, *, stream: bool) -> Found:
    """One half of the requests, played and checked."""
    flags = [
        "--index",
        str(folder / "index.jsonl"),
        "--seed",
        str(mix.seed),
        "--mix",
        mix.flag(stream=stream),
    ]
    store = folder / f"{'stream' if stream else 'whole'}.db"
    with emulator(*flags) as url:
        plan = Plan(
            task=str(folder / "task.yaml"),
            models=(ModelChoice(f"emulated/{MODEL}", base_url=url),),
            schedule=Closed(slots),
            stream=stream,
            retry=mix.retry,
            limits=mix.limits,
            timeouts=mix.timeouts,
        )
        began = time.perf_counter()
        result = await api.run(plan, store=store, environment=Environment({}))
        seconds = time.perf_counter() - began
        lines = fetched(url.removesuffix("/v1") + "/ledger")
    record = SqliteStore.open(store, create=False)
    try:
        found = check(record.trials(Where(run=result.run.id)), lines)
    finally:
        await record.close()
    found.seconds = seconds
    if found.trials != result.run.planned:
        found.wrong.append(f"{found.trials} trials are recorded, {result.run.planned} were planned")
    return found


def check(trials: Iterator[Trial], lines: bytes) -> Found:
    """Every trial and attempt beside the ledger's rows of them."""
    rows: defaultdict[str, list[JSON]] = defaultdict(list)
    for line in lines.splitlines():
        row = msgspec.json.decode(line)
        rows[row["prompt"]].append(row)
    found = Found()
    for trial in trials:
        found.trials += 1
        found.statuses[f"{trial.status}({trial.detail})" if trial.detail else str(trial.status)] += 1
        met = rows.pop(digest_of(trial.calls[0].request.messages), []) if trial.calls else []
        reached = arrived(trial.calls, met)
        found.stale += len(trial.calls) - len(reached)
        if len(reached) != len(met):
            found.wrong.append(f"{trial.case.id}: {len(reached)} attempts recorded, {len(met)} in the ledger")
        for call, row in zip(reached, met, strict=False):
            check_call(call, row, found)
        check_trial(trial, met, found)
    found.wrong += [f"no trial asked for prompt {prompt}" for prompt in rows]
    return found


def arrived(calls: Sequence[Call], met: Sequence[JSON]) -> list[Call]:
    """The attempts that reached the server.

    A kept connection that was closed before the request came, and one that a fault closed in place of an
    answer, look the same from here: the ledger knows the second.
    """
    reached: list[Call] = []
    for place, call in enumerate(calls):
        if call.detail == "stale":
            others = sum(later.detail != "stale" for later in calls[place + 1 :])
            left = met[len(reached) :]
            if len(left) <= others or left[0]["fault"] not in ENDED:
                continue
        reached.append(call)
    return reached


def check_call(call: Call, row: JSON, found: Found) -> None:
    """One attempt beside its row."""
    fault = FAULTS[row["fault"].partition(":")[0]]
    should, told = str(fault.error or "a reply"), str(call.error or "a reply")
    found.faults[fault.name] += 1
    found.calls[told] += 1
    found.ledger[should] += 1
    if told != should:
        found.wrong.append(f"{row['fault']} was told as {told} ({call.detail[:80]}), not as {should}")
    elif call.error is None and call.reply.text != row["text"]:
        found.wrong.append(f"{row['fault']} came with the text {call.reply.text[:80]!r}")


def check_trial(trial: Trial, met: list[JSON], found: Found) -> None:
    """A trial has the right text and full marks, or the class of the last fault that it met."""
    if trial.status is Status.SCORED:
        final = trial.transcript.final if trial.transcript is not None else None
        if final is None or final.text != trial.case.target or trial.scores[0].value is not True:
            found.wrong.append(f"{trial.case.id} is scored with {final and final.text[:80]!r}")
    elif trial.status is not Status.FAILED or not met:
        found.wrong.append(f"{trial.case.id} ended as {trial.status} {trial.detail}")
    else:
        last = FAULTS[met[-1]["fault"].partition(":")[0]].error
        if last is None or trial.detail != str(last):
            found.wrong.append(f"{trial.case.id} failed as {trial.detail}, its last fault is {last}")


def show(name: str, found: Found) -> None:
    attempts = sum(found.calls.values())
    faulty = attempts - found.faults["ok"]
    print(f"{name}: {found.trials:,} trials, {attempts:,} attempts in {found.seconds:.1f} s", end="")
    print(f" ({found.trials / found.seconds:,.0f} trials/s); {faulty / attempts:.1%} met a fault,", end="")
    print(f" {len(found.faults) - 1} different ones; {found.stale:,} stale connections sent again")
    print("  " + ", ".join(f"{status} {count:,}" for status, count in found.statuses.most_common()))
    for told in sorted(found.calls | found.ledger):
        print(f"  {told:<17} record {found.calls[told]:>8,}   ledger {found.ledger[told]:>8,}")
    for line in found.wrong[:20]:
        print(f"  WRONG {line}")
    print(f"  wrong: {len(found.wrong)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--slots", type=int, help="trials at once, in place of the mix file's")
    parser.add_argument("--mix", type=Path, default=HERE / "fault_mix.json")
    given = parser.parse_args()
    mix = msgspec.json.decode(given.mix.read_bytes(), type=Mix)
    slots = given.slots or mix.slots
    print(
        f"{given.requests:,} requests, {slots} at once, seed {mix.seed}, clocks {mix.timeouts}, {mix.retry}"
    )
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_task(folder, given.requests // 2, mix.seed)
        for name, stream in (("streamed", True), ("unstreamed", False)):
            found = asyncio.run(play(folder, mix, slots, stream=stream))
            show(name, found)
            wrong += len(found.wrong) + (found.calls != found.ledger)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""A report and a comparison over very many stored trials: time, memory, and how large the page is.

python benchmarks/report_size.py [--trials 100000] [--store FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import Arrivals, Finish, Instants, Kind, Reply, Request, Usage, say
from assay.ports import Run
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Transcript, Trial
from harness import ASSAY, timed

MODELS = ("openai/one", "ollama/two")
MOST_SECONDS, MOST_MB, MOST_BYTES = 10.0, 500.0, 2_000_000
TOKENS = 12
MS = 1_000_000
TOGETHER = 500


def a_trial(number: int, draw: random.Random) -> Trial:
    """One single-turn trial with a streamed call; right in 4 of 5, failed in 1 of 100."""
    model, place = MODELS[number % len(MODELS)], number // len(MODELS)
    key = f"{number:032x}"
    tags = {"difficulty": ("easy", "medium", "hard")[place % 3], "language": "ru" if place % 5 == 0 else "en"}
    case = Case(f"{place:016x}", f"case-{place}", f"What is {place} + 1?", str(place + 1), tags=tags)
    right, failed = draw.random() < (0.85 if number % 2 else 0.8), draw.random() < 0.01
    call = a_call(key, model, case, f"{place + (1 if right else 2)}", draw, failed=failed)
    started = number / 200
    prompt = call.request.messages[0]
    events = [Event(EventKind.PROMPT, "candidate", prompt)]
    if not failed:
        events.append(Event(EventKind.SAID, "candidate", call.reply.message, call.id))
    return Trial(
        run="run_20261121_120000_000001",
        key=key,
        case=case,
        model=model,
        repeat=0,
        seed=number,
        status=Status.FAILED if failed else Status.SCORED,
        detail="timeout" if failed else "",
        due=started,
        started=started,
        ended=started + (call.latency or 1.0),
        wall=1_795_000_000_000_000_000 + int(started * 1e9),
        transcript=Transcript(
            tuple(events),
            Outcome("error", ErrorClass.TIMEOUT) if failed else Outcome("stop"),
            None if failed else call.reply,
        ),
        calls=(call,),
        scores=() if failed else (Score("exact", value=right), Score("f1", value=1.0 if right else 0.5)),
    )


def a_call(key: str, model: str, case: Case, answer: str, draw: random.Random, *, failed: bool) -> Call:
    sent = 1_000 * MS
    first = sent + int(draw.lognormvariate(4.5, 0.5)) * MS
    arrivals = Arrivals()
    for token in range(0 if failed else TOKENS):
        arrivals.append(first + token * 9 * MS, Kind.CONTENT, 4, token)
    reply = Reply(
        "" if failed else f"The answer is {answer}.",
        finish=Finish.STOP,
        usage=None if failed else Usage(40, TOKENS),
        instants=Instants(sent=sent, ended=first + TOKENS * 9 * MS),
        arrivals=arrivals,
        call="candidate.0.1",
    )
    return Call(
        run="run_20261121_120000_000001",
        trial=key,
        role="candidate",
        ordinal=0,
        attempt=1,
        model=model,
        request=Request((say("user", case.input_text),), stream=True),
        request_hash=key,
        occurrence=0,
        began=1_795_000_000_000_000_000,
        state=CallState.FAILED if failed else CallState.DONE,
        reply=reply,
        error=ErrorClass.TIMEOUT if failed else None,
        cost=None if failed else Decimal("0.000021"),
    )


async def fill(path: Path, trials: int) -> None:
    """A store with one run of that many trials."""
    draw, store = random.Random(7), SqliteStore.open(path)
    run = Run(
        id="run_20261121_120000_000001",
        plan={"task": "sums", "schedule": {"kind": "closed", "slots": 64}},
        task="sums v1",
        fingerprint="f",
        headline="exact",
        models=MODELS,
        planned=trials,
        seed=7,
        wall=1_795_000_000_000_000_000,
        version="0",
    )
    await store.open_run(run)
    made: Iterator[Trial] = (a_trial(number, draw) for number in range(trials))
    while group := [trial for _, trial in zip(range(TOGETHER), made, strict=False)]:
        await asyncio.gather(*(keep(store, trial) for trial in group))
    await store.end_run(run.id, "completed", None)
    await store.close()


async def keep(store: SqliteStore, trial: Trial) -> None:
    for call in trial.calls:
        await store.reserve(call)
        store.settle(call)
    await store.add(trial)
    await store.add_scores(trial.run, trial.key, trial.scores, trial.status, trial.detail)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--store", type=Path, help="Keep the store there, or use the one that is there.")
    given = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or Path(folder) / "many.db"
        if not store.exists():
            asyncio.run(fill(store, given.trials))
        for form in ("html", "markdown"):
            page = Path(folder) / f"report.{form}"
            command = [ASSAY, "report", "last", "--store", str(store), "--to", form, "-o", str(page)]
            took, size = timed(command), page.stat().st_size
            good &= took.wall < MOST_SECONDS and took.peak_mb < MOST_MB and size < MOST_BYTES
            times = f"{took.wall:5.1f} s ({took.cpu:.1f} s CPU)"
            print(f"{form:<9} {times}  {took.peak_mb:4.0f} MB  {size / 1e3:.0f} kB", flush=True)
        took = timed([ASSAY, "compare", "last", "--store", str(store)])
        good &= took.wall < MOST_SECONDS and took.peak_mb < MOST_MB
        print(f"compare   {took.wall:5.1f} s ({took.cpu:.1f} s CPU)  {took.peak_mb:4.0f} MB")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

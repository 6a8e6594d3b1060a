"""A process that records trials and tells each acknowledged record on its standard output."""

import asyncio
import os
import sys
from pathlib import Path

from msgspec import structs

from assay.case import Case
from assay.errors import UsageError
from assay.message import Finish, Reply, Request, Usage, say
from assay.ports import Run
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Outcome, Score, Status, Transcript, Trial


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def play(store: SqliteStore, run: str, key: str) -> None:
    request = Request((say("system", "Be brief."), say("user", f"What of {key}? " * 20)))
    call = Call(run, key, "candidate", 0, 1, "m", request, f"h{key}", 0, 0)
    await store.reserve(call)
    tell(f"reserved {key}")
    settled = structs.replace(
        call, state=CallState.DONE, reply=Reply(f"It is {key}.", (), Finish.STOP, Usage(1, 2))
    )
    store.settle(settled)
    final = structs.replace(settled.reply, call=call.id)
    transcript = Transcript((), Outcome("stop"), final)
    case = Case(key, key, "input")
    await store.add(Trial(run, key, case, "m", 0, 1, Status.PLAYED, transcript=transcript, calls=(settled,)))
    tell(f"added {key}")
    await store.add_scores(run, key, [Score("exact", True)], Status.SCORED, "")
    tell(f"scored {key}")


async def main(place: Path, run: str, first: int, count: int) -> None:
    store = SqliteStore.open(place)
    plan = Run(
        id=run,
        plan={},
        task="t",
        fingerprint="f",
        headline="exact",
        models=("m",),
        planned=count,
        seed=1,
        wall=1,
        version="0",
    )
    try:
        await store.open_run(plan)
    except UsageError as refusal:
        tell(f"refused {refusal.problem}")
        return
    tell("opened")
    keys = iter(range(first, first + count))

    async def work() -> None:
        for number in keys:
            if store.has(run, f"{number}") is None:
                await play(store, run, f"{number}")

    await asyncio.gather(*(work() for _ in range(16)))
    await store.close()
    tell("closed")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))

"""Values and stores that the store's tests share."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from assay.case import Case
from assay.message import Arrivals, Finish, Instants, Kind, Reply, Request, Sampling, Usage, say
from assay.ports import Run, Store
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Event, EventKind, Outcome, Status, Transcript, Trial


def a_run(name: str = "run-1") -> Run:
    return Run(
        id=name,
        plan={"task": "qa", "rate": 1.5},
        task="qa",
        fingerprint="f" * 16,
        headline="exact",
        models=("emulated/skill-0.8",),
        planned=3,
        seed=7,
        wall=time.time_ns(),
        version="0.1",
    )


def a_call(key: str = "k1", run: str = "run-1", role: str = "candidate", ordinal: int = 0) -> Call:
    request = Request((say("system", "Be brief."), say("user", f"What of {key}?")), sampling=Sampling(seed=3))
    return Call(
        run=run,
        trial=key,
        role=role,
        ordinal=ordinal,
        attempt=1,
        model="emulated/skill-0.8",
        request=request,
        request_hash=f"h-{key}-{ordinal}",
        occurrence=0,
        began=1_700_000_000_000_000_000,
    )


def done(call: Call, text: str = "Four.") -> Call:
    arrivals = Arrivals()
    arrivals.append(2_000_000, int(Kind.CONTENT), len(text), 1)
    instants = Instants(picked=1, sent=1_000_000, ended=3_000_000, clock="kernel")
    reply = Reply(text, finish=Finish.STOP, usage=Usage(12, 3), instants=instants, arrivals=arrivals)
    return structs.replace(call, state=CallState.DONE, reply=reply, cost=Decimal("0.0000125"))


def a_trial(call: Call, status: Status = Status.PLAYED) -> Trial:
    """The trial of one settled call."""
    final = structs.replace(call.reply, call=call.id)
    said = Event(EventKind.SAID, call.role, final.message, call=call.id)
    asked = [Event(EventKind.PROMPT, call.role, message) for message in call.request.messages]
    return Trial(
        run=call.run,
        key=call.trial,
        case=Case("c" * 16, "case-1", "What?", target="Four.", tags={"level": "easy"}),
        model=call.model,
        repeat=0,
        seed=3,
        status=status,
        due=0.5,
        started=0.6,
        ended=0.9,
        wall=1_700_000_000_000_000_000,
        transcript=Transcript((*asked, said), Outcome("stop"), final),
        calls=(call,),
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


class Sample:
    """Makes the values that the tests record."""

    run = staticmethod(a_run)
    call = staticmethod(a_call)
    done = staticmethod(done)
    trial = staticmethod(a_trial)

    @staticmethod
    async def played(store: Store, key: str, run: str = "run-1", text: str = "Four.") -> Trial:
        """A trial of one call, recorded as the loop records it."""
        call = a_call(key, run)
        await store.reserve(call)
        settled = done(call, text)
        store.settle(settled)
        trial = a_trial(settled)
        await store.add(trial)
        return trial


@pytest.fixture
def sample() -> type[Sample]:
    return Sample


@pytest.fixture
async def opened():
    """Opens stores and closes them at the test's end."""
    stores: list[SqliteStore] = []

    def open_store(path: Path, *, create: bool = True) -> SqliteStore:
        stores.append(SqliteStore.open(path, create=create))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()

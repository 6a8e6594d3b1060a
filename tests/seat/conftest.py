import asyncio
import selectors
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from assay.errors import CallError, Stopped
from assay.message import Reply, Request, Sampling, say
from assay.models.scripted import Line, ScriptedModel
from assay.ports import Capabilities, Held, OnRead, Run, Stop, Store
from assay.seat.budget import Budget
from assay.seat.endpoint import Endpoint
from assay.seat.lane import Lane
from assay.seat.place import Place
from assay.seat.play import Play
from assay.seat.retry import Retry
from assay.seat.table import TrialTable
from assay.store.sqlite import SqliteStore
from assay.trial import Call

RUN = Run(
    id="run_1", plan={}, task="t", fingerprint="f", headline="exact", models=("m",), planned=1,
    seed=0, wall=0, version="0",
)  # fmt: skip


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore.open(tmp_path / "assay.db")
    await store.open_run(RUN)
    yield store
    await store.close()


async def reopened(store: SqliteStore) -> SqliteStore:
    """The store as another process would open it after this one has ended."""
    await store.close()
    again = SqliteStore.open(store.path)
    await again.open_run(RUN)
    return again


class Setting:
    """A table with one scripted model, and what a test wants to change about it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.stop = Stop()
        self.budget = Budget()
        self.retry = Retry(retries=3, base=0.0)
        self.lane = Lane(Endpoint("e"))
        self.sampling = Sampling()
        self.price = lambda usage: Decimal(usage.output)
        self.worst = lambda request: Decimal(10)

    async def restart(self) -> Held:
        """What is held of trial k after a restart of the process."""
        self.store = await reopened(self.store)
        return self.store.lookup(RUN.id, "k")

    async def close(self) -> None:
        await self.store.close()

    def table(
        self, script: Sequence[Line], *, held: Held = Held(), strict: bool = False, trial: str = "k"
    ) -> tuple[TrialTable, ScriptedModel]:
        model = ScriptedModel("m", script, Capabilities())
        place = Place(
            role="candidate", name="m", model=model, lane=self.lane, sampling=self.sampling,
            retry=self.retry, price=self.price, worst_case=self.worst,
        )  # fmt: skip
        play = Play(
            run=RUN.id, trial=trial, case="c", store=self.store, stop=self.stop, budget=self.budget,
            held=held, strict=strict,
        )  # fmt: skip
        return TrialTable(play, 7, [place]), model


@pytest.fixture
async def setting(store):
    setting = Setting(store)
    yield setting
    await setting.close()


class _Jump:
    """A selector that lets no time pass: the loop's clock jumps to the next timer."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = self._real.select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing will ever happen: a deadlock")
            self._loop.now += timeout
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose hours pass in milliseconds, the same at every run."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jump(self))  # type: ignore[arg-type]  # it does all that the loop asks for

    def time(self) -> float:
        return self.now


@pytest.fixture
def virtually() -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Runs a coroutine function in virtual time."""

    def run(play: Callable[[], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            return await asyncio.wait_for(play(), 86_400)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(main())

    return run


class Memory:
    """A store without a disk, for virtual time: what was reserved and settled, in order."""

    secret = "00"  # noqa: S105  no one's

    def __init__(self) -> None:
        self.reserved: list[Call] = []
        self.settled: list[Call] = []

    async def reserve(self, call: Call) -> None:
        self.reserved.append(call)

    def settle(self, call: Call) -> None:
        self.settled.append(call)


class Served:
    """A model as `serve` makes it: a coroutine function that gives a reply or raises."""

    def __init__(self, serve: Callable[[Request], Awaitable[Reply]]) -> None:
        self.name = "m"
        self.capabilities = Capabilities()
        self._serve = serve

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        return await self._serve(request)

    async def close(self) -> None: ...


class Crowd:
    """Trials of one model, so many at a time, each asking once."""

    def __init__(
        self, serve: Callable[[Request], Awaitable[Reply]], lane: Lane, retry: Retry = Retry(), **place: Any
    ) -> None:
        self.store, self.stop, self.lane = Memory(), Stop(), lane
        self.budget = Budget()
        self._place = Place("candidate", "m", Served(serve), lane, retry=retry, **place)
        self.outcomes: list[str] = []

    async def trial(self, number: int) -> None:
        play = Play(
            run="r", trial=str(number), case="c", store=cast("Store", self.store), stop=self.stop,
            budget=self.budget,
        )  # fmt: skip
        try:
            await TrialTable(play, number, [self._place]).seats["candidate"].ask([say("user", str(number))])
        except CallError as failure:
            self.outcomes.append(failure.error.value)
        except Stopped as stopped:
            self.outcomes.append(stopped.reason)
        else:
            self.outcomes.append("answered")

    async def play(self, trials: int, slots: int) -> None:
        numbers = iter(range(trials))

        async def slot() -> None:
            for number in numbers:
                await self.trial(number)

        await asyncio.gather(*(slot() for _ in range(slots)))


@pytest.fixture
def crowd() -> type[Crowd]:
    return Crowd

from collections.abc import Sequence
from decimal import Decimal

import pytest

from assay.message import Sampling
from assay.models.scripted import Line, ScriptedModel
from assay.ports import Capabilities, Held, Run, Stop
from assay.seat.budget import Budget
from assay.seat.endpoint import Breaker, Endpoint
from assay.seat.place import Place
from assay.seat.play import Play
from assay.seat.retry import Retry
from assay.seat.table import TrialTable
from assay.store.sqlite import SqliteStore

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
        self.breaker = Breaker()
        self.retry = Retry(retries=3, base=0.0)
        self.endpoint = Endpoint("e")
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
            role="candidate", name="m", model=model, endpoint=self.endpoint, breaker=self.breaker,
            sampling=self.sampling, retry=self.retry, price=self.price, worst_case=self.worst,
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

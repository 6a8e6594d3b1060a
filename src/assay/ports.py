"""The interfaces between the rooms: what a model, exchange, scorer, task, store and watcher must do.

Attributes are read-only properties, so that frozen values satisfy them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Literal, Protocol

from msgspec import Struct

from assay.case import Case
from assay.errors import StopReason
from assay.keys import JSON
from assay.message import Message, Reply, Request, ResponseFormat, Sampling, ToolSpec
from assay.stop import Stop as Stop  # noqa: PLC0414  what every run is given, beside its interfaces
from assay.trial import Call, Event, Score, Status, Transcript, Trial

OnRead = Callable[[str], None]
"""Told each piece of text as it arrives, for live display only."""


class Capabilities(Struct, frozen=True):
    """What a model's wire can carry. What it lacks is recorded, never silently dropped."""

    stream: bool = True
    tools: bool = True
    json_object: bool = True
    json_schema: bool = True
    seed: bool = True
    likelihood: bool = False
    """Whether it tells the log-probabilities of a text that it is given as the reply."""
    timed: bool = True
    """False for a model that is no live endpoint (recorded answers): its instants say nothing and
    its replies cost nothing."""


class Model(Protocol):
    """Speaks one wire; knows nothing of price, retry or limits."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """One attempt. Raises CallError with its class, and with what had arrived by then."""
        ...

    async def close(self) -> None: ...


class Seat(Protocol):
    """A model in a role at one table: times, prices, limits, retries, records and replays."""

    @property
    def role(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
        format: ResponseFormat = "text",
        schema: JSON = None,
        sampling: Sampling | None = None,
        continuation: str | None = None,
    ) -> Reply:
        """The reply, with the id of the call that brought it.

        Raises CallError when every attempt has failed and Stopped when the run takes no more calls.
        """
        ...


class Table(Protocol):
    """What an exchange or a scorer works at, for one trial."""

    @property
    def run(self) -> str: ...

    @property
    def trial(self) -> str:
        """The trial's play key."""
        ...

    @property
    def seed(self) -> int: ...

    @property
    def repeat(self) -> int:
        """Which time this case is played, from 0."""
        ...

    @property
    def seats(self) -> Mapping[str, Seat]: ...

    @property
    def stopping(self) -> bool: ...

    @property
    def spent(self) -> Decimal:
        """Dollars that this trial's calls have cost so far."""
        ...

    def random(self, name: str) -> Random:
        """The trial's own random stream of that name: the same at every play."""
        ...

    def unguessable(self, name: str) -> Random:
        """A random stream for what nobody outside may foretell (a judge's fence): it derives from
        the store's secret and the play key, so that replay and cache find it again.
        """
        ...

    def clock(self) -> float:
        """Working seconds since the play began: waits for limits are not counted, replays are."""
        ...

    def emit(self, event: Event) -> None:
        """Shows an event to those who watch. The transcript is the exchange's own."""
        ...

    async def effect(self, name: str, key: str, act: Callable[[], Awaitable[JSON]]) -> JSON:
        """Does something outside once: its outcome is recorded, and replayed when played again."""
        ...


class Asked(Struct, frozen=True):
    """What a seat is asked while one case is played (or scored) and no call fails.

    `least`, `usual` and `most` count requests. `sent` characters go with the first, and `beside` tokens
    with each; every further one carries `grows` tokens more, and a reply has `says` tokens: each of
    these little, usual and much. No third number of `says`: as many as `max_tokens` allows.
    """

    least: int
    usual: float
    most: int
    sent: int = 0
    beside: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grows: tuple[float, float, float] = (0.0, 0.0, 0.0)
    says: tuple[float, float, float | None] = (1.0, 1.0, None)


class Exchange(Protocol):
    """How a case is played. `seats[0]` is the seat under test; the plan's cast fills the others."""

    @property
    def seats(self) -> tuple[str, ...]: ...

    @property
    def spec(self) -> JSON:
        """Name and settings, prompts included: what enters the play key."""
        ...

    def opening(self, case: Case) -> tuple[Message, ...]:
        """The messages of the first request to the seat under test."""
        ...

    async def play(self, case: Case, table: Table) -> Transcript:
        """Always a transcript, also of a play that broke off (its outcome then names the error)."""
        ...


class Scorer(Protocol):
    """What a trial is worth."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def settings(self) -> JSON:
        """What enters the score key beside name and version (for a judge: rubric and model)."""
        ...

    @property
    def seats(self) -> tuple[str, ...]: ...

    async def score(self, trial: Trial, table: Table) -> Sequence[Score]: ...


class Task(Protocol):
    """Cases and how they are played and scored by default; read from their file by offsets."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def split(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """The hash of cases, prompts and scorers."""

    @property
    def exchange(self) -> Exchange: ...

    @property
    def scorers(self) -> tuple[Scorer, ...]: ...

    @property
    def headline(self) -> str:
        """The name of the score that decides."""
        ...

    @property
    def repeats(self) -> Sequence[int] | None:
        """How often one pass plays each case; None for once each."""

    def __len__(self) -> int: ...

    def case(self, index: int) -> Case: ...

    def __iter__(self) -> Iterator[Case]: ...


RunState = Literal["running", "completed", "stopped", "interrupted"]


class Run(Struct, frozen=True, kw_only=True):
    """A run as the store keeps it. `plan` is the plan's JSON; `wall` wall-clock ns at its start."""

    id: str
    plan: JSON
    task: str
    fingerprint: str
    headline: str
    models: tuple[str, ...]
    planned: int | None
    seed: int
    wall: int
    version: str
    state: RunState = "running"
    stop: StopReason | None = None
    ended: int | None = None


class Effect(Struct, frozen=True):
    """Something done outside: committed as intent before it is done, settled after.

    `settled` is False for one that was in flight at a kill.
    """

    run: str
    trial: str
    name: str
    key: str
    settled: bool = False
    result: JSON = None
    error: str | None = None


class Held(Struct, frozen=True):
    """What the record holds of one play key: every attempt and every effect, oldest first."""

    calls: tuple[Call, ...] = ()
    effects: tuple[Effect, ...] = ()


class Where(Struct, frozen=True):
    """Which trials to read; None means any. `calls` False leaves the calls out (cheaper)."""

    run: str | None = None
    model: str | None = None
    status: Status | None = None
    key: str | None = None
    case: str | None = None
    calls: bool = True


class Store(Protocol):
    """The append-only record."""

    @property
    def secret(self) -> str:
        """Hex digits drawn when the store was made; they never leave it as they are."""
        ...

    async def open_run(self, run: Run) -> None:
        """Adds the run, or takes up an unfinished one of the same id."""
        ...

    async def end_run(self, run: str, state: RunState, stop: StopReason | None) -> None: ...

    async def reserve(self, call: Call) -> None:
        """Returns once the intent is committed: only then may the first byte leave."""
        ...

    def settle(self, call: Call) -> None:
        """Writes how the attempt ended, with the next group."""
        ...

    async def reserve_effect(self, effect: Effect) -> None: ...

    def settle_effect(self, effect: Effect) -> None: ...

    def has(self, run: str, key: str) -> Status | None:
        """The status of a trial of this run that is already recorded."""
        ...

    def held(self, run: str) -> int:
        """How many trials of this run are recorded."""
        ...

    def lookup(self, run: str, key: str, *, cached: bool = False) -> Held:
        """What was recorded of this play key: by this run, or with `cached` by any run."""
        ...

    async def add(self, trial: Trial) -> None:
        """Writes a played (or failed) trial; returns once it is committed."""
        ...

    async def add_scores(
        self, run: str, key: str, scores: Sequence[Score], status: Status, detail: str
    ) -> None: ...

    def costs(self, run: str) -> tuple[Decimal, Iterator[Call]]:
        """Dollars of the run's live calls whose cost is known, and the live calls whose cost is not:
        those in flight at a kill, and those that came without a usage.
        """
        ...

    def runs(self) -> Iterator[Run]:
        """All runs, newest first."""
        ...

    def trials(self, where: Where) -> Iterator[Trial]:
        """Trials in the order in which they were recorded, one at a time."""
        ...

    async def close(self) -> None: ...


class Fetched(Struct, frozen=True):
    """An answer to a guarded HTTP request; `body` is bounded."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


class Fetch(Protocol):
    """Guarded HTTP for webhooks and tools: addresses checked, sizes and times bounded."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Fetched:
        """Raises CallError with its class."""
        ...


class Watcher(Protocol):
    """Listens to a run; changes nothing."""

    def on_start(self, run: Run, held: int) -> None:
        """The run begins; `held` trials are already in the record."""
        ...

    def on_event(self, trial: str, event: Event) -> None: ...

    def on_call(self, call: Call) -> None:
        """An attempt was settled or replayed."""
        ...

    def on_trial(self, trial: Trial) -> None:
        """A trial was played (status PLAYED or its end), or scored (then with its scores)."""
        ...

    def on_end(self, run: Run) -> None: ...

"""The one configuration value of a run, and the run's trials that follow from it."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Literal

from msgspec import Struct, to_builtins

from assay.case import Case
from assay.keys import JSON, digest, random_stream, trial_seed
from assay.message import Sampling
from assay.ports import Exchange, Run, Scorer, Stop, Store, Task, Watcher
from assay.schedule import AnySchedule, Closed, Schedule
from assay.seat.budget import Budget
from assay.seat.limits import Limits
from assay.seat.place import Place
from assay.seat.play import Play
from assay.seat.retry import Retry
from assay.seat.table import TrialTable
from assay.trial import Phase, Status, Trial

RECORD_VERSION = 1
"""Enters every play key: a change of what a record means makes all older ones misses."""


class PriceChoice(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A model's own price: dollars for a million tokens of input, of output, and of the cached part
    of the input (without it that of the input). `max_output` is the most tokens of one reply.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    max_output: int | None = None


class Weights(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How local weights are loaded: torch's names of a device and a number type (without them a GPU
    where there is one, and the type of the file); at most `batch` requests are answered together.
    """

    device: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    batch: int = 16


class ModelChoice(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A model as a plan names it: `provider/name`, and what is particular to it.

    `model` is the `provider/name` that is asked, where `name` is only what figures are shown under;
    `endpoint` the named one where it answers. `base_url` is where its server answers instead of the
    provider's own; no key of the provider goes there, only the one in the variable that
    `key_variable` names. `num_ctx` is Ollama's context in tokens; `adapter` and `weights` are for
    local weights; `limits` are the model's own.
    """

    name: str
    model: str | None = None
    endpoint: str | None = None
    base_url: str | None = None
    key_variable: str | None = None
    headers: dict[str, str] = {}
    sampling: Sampling = Sampling()
    num_ctx: int | None = None
    adapter: str | None = None
    weights: Weights = Weights()
    limits: Limits = Limits()
    price: PriceChoice | None = None

    @property
    def asked(self) -> str:
        """The `provider/name` that is asked; a bare one is OpenAI's."""
        name = self.name if self.model is None else self.model
        return name if "/" in name or name.startswith("python:") else f"openai/{name}"


class EndpointChoice(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A named address: what all models there have in common."""

    base_url: str
    key_variable: str | None = None
    headers: dict[str, str] = {}
    limits: Limits = Limits()


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """A run by duration, in seconds: what starts in `warm_up` is not counted, what starts in the
    `seconds` after it is; load goes on until the last counted trial has ended.
    """

    seconds: float
    warm_up: float = 0.0


class Emulation(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the embedded emulator answers: milliseconds to the first token and between tokens, and
    faults by weight ("ok=80,500=5").
    """

    ttft_ms: float = 0.0
    itl_ms: float = 0.0
    spread: float = 0.0
    mix: str = ""


class Plan(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be run. A face fills it from a file and flags; nothing else configures a run.

    `task` is a built-in name or the path of a task.yaml; `data` a file of cases or scenarios.
    `models` fill the seat under test, one after another; `cast` fills the other seats by role.
    `exchange` overrides settings of the task's exchange, `world` its world (a world.yaml); `scorers`
    replaces its scorers. `prompt_version` is a label of the prompts; a run keeps a hash of them where
    none is given. With `allow_unknown` unknown keys of scenarios are warned of only.
    `models_file` is the models.yaml that names are looked up in; `endpoints` are the plan's own.
    `offset` cases are passed over and `limit` taken. `requests` bounds the number of trials;
    `window` makes it a run by duration instead. `limits` hold for each endpoint.
    `retry_failed` plays trials again that the record holds as failed, as a further attempt.
    `code_limit` is how many seconds a scorer or the tools of a trial may compute.
    `workers` processes play the trials beside the one that records them; 0 plays them there too.
    """

    task: str
    models: tuple[ModelChoice, ...]
    models_file: str | None = None
    endpoints: dict[str, EndpointChoice] = {}
    data: str | None = None
    split: str = "test"
    offset: int = 0
    limit: int | None = None
    slice: dict[str, str] = {}
    cast: dict[str, ModelChoice] = {}
    exchange: dict[str, JSON] = {}
    world: str | None = None
    prompt_version: str | None = None
    allow_unknown: bool = False
    scorers: tuple[JSON, ...] | None = None
    headline: str | None = None
    repeats: int = 1
    seed: int = 0
    schedule: AnySchedule = Closed()
    requests: int | None = None
    window: Window | None = None
    stream: bool = False
    sampling: Sampling = Sampling()
    retry: Retry | None = None
    limits: Limits = Limits()
    timeouts: dict[str, float] = {}
    emulator: Emulation = Emulation()
    budget: Decimal | None = None
    cache: Literal["off", "read"] = "off"
    replay: Literal["live", "strict"] = "live"
    retry_failed: bool = False
    max_failed: float = 0.05
    workers: int = 0
    code_limit: float = 20.0


class Planned(Struct, frozen=True):
    """One trial to be: its key, what is played with which model, which time, with which seed."""

    key: str
    case: Case
    model: str
    repeat: int
    seed: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A scorer with the places of its own seats (a judge's model).

    `identity` is what enters a score's key beside the play key: name, version, settings, models.
    """

    scorer: Scorer
    places: tuple[Place, ...] = ()
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        scorer, models = self.scorer, [place.name for place in self.places]
        identity = f"{scorer.name}.{scorer.version}.{digest([scorer.settings, models], 8)}"
        object.__setattr__(self, "identity", identity)  # once: every trial asks for it


@dataclass(slots=True)
class Bound:
    """A plan with its names bound to objects, while the context that bound it is open.

    `places` gives, for each model under test, the seats of the exchange in its order. `emulator` is
    where the embedded emulator answers. `zero` is second 0 of the run by the monotonic clock; None
    for the moment at which its loop begins to play.
    """

    plan: Plan
    run: Run
    task: Task
    exchange: Exchange
    schedule: Schedule
    places: Mapping[str, tuple[Place, ...]]
    scorers: tuple[Scored, ...]
    headline: str
    budget: Budget = field(default_factory=Budget)
    warnings: tuple[str, ...] = ()
    emulator: str | None = None
    zero: float | None = None
    _specs: list[tuple[str, str]] = field(default_factory=list, init=False)
    _orders: dict[int, Sequence[int]] = field(default_factory=dict, init=False)
    _starts: list[int] = field(default_factory=list, init=False)
    _case: tuple[int, Case] | None = field(default=None, init=False)

    def recall_spent(self, store: Store) -> None:
        """Takes what the run has spent before from its record: calls of unknown cost at their worst."""
        if self.budget.limit is None:
            return
        every = itertools.chain(*self.places.values(), *(scored.places for scored in self.scorers))
        worst_case = {place.name: place.worst_case for place in every}
        known, unknown = store.costs(self.run.id)
        worst = (worst_case[call.model](call.request) for call in unknown if call.model in worst_case)
        self.budget.spent = sum((each for each in worst if each is not None), known)

    def holds(self, status: Status | None) -> bool:
        """Whether a trial of that status on record is not played again."""
        return status is not None and not (self.plan.retry_failed and status is Status.FAILED)

    @property
    def scores_after(self) -> bool:
        """Whether scoring waits for the end, so that judging never changes the load."""
        return self.plan.window is not None or self.schedule.open

    def total(self) -> int | None:
        """How many trials are planned; None for a run by duration."""
        if self.plan.window is not None:
            return None
        own = self.task.repeats
        once = len(self.task) if own is None else sum(own)
        whole = once * len(self.places) * self.plan.repeats
        return whole if self.plan.requests is None else self.plan.requests

    def positions(self) -> Iterator[int]:
        """The places of the planned trials in the order of their start, from 0."""
        if self.plan.requests is not None:
            return iter(range(self.plan.requests))
        total = self.total()
        return count() if total is None else iter(range(total))

    def trials(self) -> Iterator[Planned]:
        """Every planned trial, in the order of its start.

        A run by count goes through the cases for each repeat, all models at each case, so that
        drift hits all models alike; one by duration or by requests cycles through them in seeded
        order for as long as it lasts, each cycle a repeat.
        """
        return map(self.at, self.positions())

    async def arrivals(self) -> AsyncGenerator[tuple[Planned, float]]:
        """Every planned trial with the second at which it is due."""
        for arrival in zip(self.trials(), self.schedule.dues(), strict=False):
            yield arrival

    def load_ends(self, phase: Phase, counted: int) -> bool:
        """Whether a trial of that phase starts no more while so many of the window are in play."""
        return phase == "tail" and not counted

    def at(self, position: int) -> Planned:
        """The planned trial at a position."""
        if not self._specs:
            self._specs = [(model, self._spec(model)) for model in self.places]
        turn, model_index = divmod(position, len(self._specs))
        repeat, place = self._round(turn)
        index = self._order(repeat)[place]
        if self._case is None or self._case[0] != index:
            self._case = (index, self.task.case(index))
        model, spec = self._specs[model_index]
        return self._planned(self._case[1], model, spec, repeat)

    def _round(self, turn: int) -> tuple[int, int]:
        """The repeat that a turn belongs to, and its place in it.

        Where cases have repeats of their own, these multiply the plan's: the later repeats of a run
        by count hold those cases alone that are played more often than others.
        """
        own = self.task.repeats
        if own is None or self._endless:
            return divmod(turn, len(self.task))
        if not self._starts:
            self._starts = [0, *itertools.accumulate(rounds(own, self.plan.repeats))]
        repeat = bisect_right(self._starts, turn) - 1
        return repeat, turn - self._starts[repeat]

    @property
    def _endless(self) -> bool:
        """Whether the cases are cycled through: a run by duration or by requests."""
        return self.plan.window is not None or self.plan.requests is not None

    def _order(self, repeat: int) -> Sequence[int]:
        """The cases of one repeat; shuffled where they are cycled through."""
        own = self.task.repeats
        if not self._endless and own is None:
            return range(len(self.task))
        if repeat not in self._orders:
            order = list(range(len(self.task)))
            if self._endless:
                random_stream(self.plan.seed, "cases", repeat).shuffle(order)
            elif own is not None:
                left = self._orders.get(repeat - 1, order)
                order = [index for index in left if repeat < own[index] * self.plan.repeats]
            while len(self._orders) > 1:
                del self._orders[min(self._orders)]
            self._orders[repeat] = order
        return self._orders[repeat]

    def _planned(self, case: Case, model: str, spec: str, repeat: int) -> Planned:
        given = case.facts.get("SEED")
        identity = given if isinstance(given, int) else case.id
        seed = trial_seed(self.plan.seed, identity, repeat)
        if repeat == 0 and isinstance(given, int):
            seed = given  # the classic meaning: a scenario's SEED is the provider's seed
        return Planned(digest([spec, case.id, seed, repeat]), case, model, repeat, seed)

    def _spec(self, model: str) -> str:
        """What all trials of one model have in common, as sent: cast, sampling, exchange."""
        cast = [
            [place.role, place.name, place.endpoint.name, to_builtins(place.sampling), *place.sent]
            for place in self.places[model]
        ]
        return digest([RECORD_VERSION, cast, self.exchange.spec])

    def phase(self, at: float) -> Phase:
        """The phase of a trial that is due (open) or starts (closed) at second `at` of the run."""
        window = self.plan.window
        if window is None:
            return "window"
        if at < window.warm_up:
            return "warm_up"
        return "window" if at < window.warm_up + window.seconds else "tail"

    def table(self, planned: Planned, store: Store, watchers: Sequence[Watcher], stop: Stop) -> TrialTable:
        """The table at which a trial is played."""
        play = self._play(planned.key, planned.case, store, watchers, stop)
        return TrialTable(play, planned.seed, self.places[planned.model], planned.repeat)

    def scoring_table(
        self, trial: Trial, scored: Scored, store: Store, watchers: Sequence[Watcher], stop: Stop
    ) -> TrialTable:
        """The table at which one scorer works at a trial: it has that scorer's seats only."""
        play = self._play(trial.key, trial.case, store, watchers, stop)
        return TrialTable(play, trial.seed, scored.places, trial.repeat)

    def _play(self, key: str, case: Case, store: Store, watchers: Sequence[Watcher], stop: Stop) -> Play:
        strict = self.plan.replay == "strict"
        cached = strict or self.plan.cache == "read"
        return Play(
            run=self.run.id,
            trial=key,
            case=case.id,
            store=store,
            stop=stop,
            budget=self.budget,
            held=store.lookup(self.run.id, key, cached=cached),
            strict=strict,
            watchers=watchers,
        )


def rounds(own: Sequence[int], repeats: int) -> list[int]:
    """How many cases each repeat holds, where each case is played so often in each of `repeats` passes."""
    over = Counter(times * repeats for times in own)
    left, counts = len(own), []
    for repeat in range(max(over)):
        left -= over[repeat]
        counts.append(left)
    return counts

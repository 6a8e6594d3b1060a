"""A worker's share of a plan: its slots, its part of each limit, and the trials that it is handed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import fields
from typing import Protocol, TypeVar

from msgspec import structs

from assay.crew.messages import Play
from assay.keys import JSON
from assay.plan import Bound, EndpointChoice, ModelChoice, Plan, Planned
from assay.ports import Stop, Store, Watcher
from assay.seat.limits import Limits
from assay.seat.table import TrialTable
from assay.trial import Phase, Status

T = TypeVar("T", ModelChoice, EndpointChoice)


def crew_size(plan: Plan) -> int:
    """How many workers the plan has work for: each needs a slot, and a call in flight of every limit."""
    limited: tuple[ModelChoice | EndpointChoice, ...]
    limited = (*plan.models, *plan.cast.values(), *plan.endpoints.values())
    limits = (plan.limits, *(each.limits for each in limited))
    most = [plan.schedule.slots, *(each.concurrency for each in limits if each.concurrency is not None)]
    return max(1, min(plan.workers, *most))


def share_of(plan: Plan, worker: int, workers: int) -> Plan:
    """The plan with one worker's part of the slots and limits; the parts sum to the whole."""

    def part(whole: int) -> int:
        return whole // workers + (worker < whole % workers)

    def limits(whole: Limits) -> Limits:
        requests, tokens, calls = whole.requests_per_minute, whole.tokens_per_minute, whole.concurrency
        return structs.replace(
            whole,
            requests_per_minute=None if requests is None else requests / workers,
            tokens_per_minute=None if tokens is None else tokens / workers,
            concurrency=None if calls is None else part(calls),
        )

    def choice(whole: T) -> T:
        return structs.replace(whole, limits=limits(whole.limits))

    return structs.replace(
        plan,
        schedule=structs.replace(plan.schedule, slots=part(plan.schedule.slots)),
        limits=limits(plan.limits),
        endpoints={name: choice(endpoint) for name, endpoint in plan.endpoints.items()},
        models=tuple(choice(model) for model in plan.models),
        cast={role: choice(model) for role, model in plan.cast.items()},
    )


class Source(Protocol):
    """Where a worker's trials come from, and who is told what becomes of them."""

    async def next(self) -> Play | None:
        """None at the end."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing that has not begun is to begin."""
        ...

    def recorded(self, planned: Planned, *, again: bool) -> Status | None:
        """The trial's status on record; `again` says that another worker may have had it."""
        ...

    def took(self, position: int, planned: Planned) -> None:
        """The trial begins as soon as it is due and there is a slot."""
        ...

    def passed(self, position: int) -> None:
        """The trial is on record with its end."""
        ...

    def began(self, planned: Planned) -> None: ...


class Share(Bound):
    """A bound plan of which this process plays what `source` hands out."""

    def __init__(self, whole: Bound, source: Source) -> None:
        given: dict[str, JSON] = {each.name: getattr(whole, each.name) for each in fields(whole) if each.init}
        super().__init__(**given)
        self.source = source

    async def arrivals(self) -> AsyncGenerator[tuple[Planned, float]]:
        while (handed := await self.source.next()) is not None:
            planned = self.at(handed.position)
            if self.holds(self.source.recorded(planned, again=handed.again)):
                self.source.passed(handed.position)
                continue
            self.source.took(handed.position, planned)
            yield planned, handed.due

    def holds(self, status: Status | None) -> bool:
        """A trial that was played but not scored is played again from its recorded calls, and scored."""
        if status is Status.PLAYED and not self.scores_after:
            return False
        return super().holds(status)

    def load_ends(self, phase: Phase, counted: int) -> bool:
        """Trials of the window may be in play at other workers: who hands them out knows."""
        del counted
        return phase == "tail" and self.source.over

    def table(self, planned: Planned, store: Store, watchers: Sequence[Watcher], stop: Stop) -> TrialTable:
        self.source.began(planned)
        return super().table(planned, store, watchers, stop)

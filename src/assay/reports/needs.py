"""What a run will ask where no earlier run tells: by its exchange's limits and the prompts' lengths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from msgspec import Struct

from assay.case import Case
from assay.exchanges.sizes import CHARACTERS
from assay.message import Usage
from assay.plan import Bound, Scored
from assay.ports import Asked, Capabilities
from assay.seat.place import Place

MOST_READ = 500
"""Cases whose prompts are counted."""

Three = tuple[float, float, float]


class Span(Struct, frozen=True):
    """A prediction: the likely value, and the range that it should lie in. No `high`: no bound is known."""

    low: float
    likely: float
    high: float | None


class Needs(Struct, frozen=True):
    """What some trials take in which no call fails; None stands for what cannot be told."""

    calls: Span
    tokens: Span | None
    cost_usd: Span | None


@runtime_checkable
class Foretelling(Protocol):
    """An exchange that says what its seats are asked."""

    def asks(self, case: Case, can: Mapping[str, Capabilities]) -> dict[str, Asked]: ...


@runtime_checkable
class ForetellingScorer(Protocol):
    """A scorer that says what its seats are asked about a trial of so many tokens (few, usual, many)."""

    def asks(self, case: Case, heard: Three) -> dict[str, Asked]: ...


def needs(bound: Bound, places: Sequence[Place], trials: int) -> Needs:
    """What so many trials of one model take, by cases spread over the task."""
    step = max(1, len(bound.task) // MOST_READ)
    cases = [bound.task.case(index) for index in range(0, len(bound.task), step)]
    total = _Sum()
    for case in cases if trials else ():
        total.add(bound, places, case)
    return total.of(trials / max(1, len(cases)))


class _Sum:
    """Calls, tokens and dollars of cases, at least, usually and at most."""

    def __init__(self) -> None:
        self._calls, self._tokens = [0.0] * 3, [0.0] * 3
        self._cost = [Decimal(0)] * 3
        self._bounded = self._measured = self._limited = self._priced = True

    def of(self, times: float) -> Needs:
        """The sums so many times."""
        low, likely, high = (each * times for each in self._calls)
        calls = Span(low, likely, high if self._bounded else None)
        if not self._measured:
            return Needs(calls, None, None)
        open_ = not (self._bounded and self._limited)
        tokens = [each * times for each in self._tokens]
        cost = [float(each) * times for each in self._cost]
        return Needs(
            calls,
            Span(tokens[0], tokens[1], None if open_ else tokens[2]),
            Span(cost[0], cost[1], None if open_ else cost[2]) if self._priced else None,
        )

    def add(self, bound: Bound, places: Sequence[Place], case: Case) -> None:
        """One case, played and scored once."""
        exchange, seats = bound.exchange, {place.role: place for place in places}
        heard: Three = (0.0, 0.0, 0.0)
        if isinstance(exchange, Foretelling):
            asked = exchange.asks(case, {role: place.capabilities for role, place in seats.items()})
            for n, (role, what) in enumerate(asked.items()):
                self._ask(what, seats[role])
                heard = heard if n else _heard(what)
        else:
            self._guess(1)
        for scored in bound.scorers:
            self._score(scored, case, heard)

    def _score(self, scored: Scored, case: Case, heard: Three) -> None:
        if not scored.places:
            return
        if not isinstance(scored.scorer, ForetellingScorer):
            self._guess(len(scored.places))
            return
        asked = scored.scorer.asks(case, heard)
        for place in scored.places:
            self._ask(asked[place.role], place)

    def _guess(self, calls: int) -> None:
        """Somebody's own code: it asks once, and nothing bounds it."""
        self._calls[1] += calls
        self._calls[2] += calls
        self._bounded = self._measured = False

    def _ask(self, asked: Asked, place: Place) -> None:
        limit = place.sampling.max_tokens
        much = limit if limit is not None else asked.says[2]
        self._limited &= much is not None or not asked.most
        says = (asked.says[0], asked.says[1], 2 * asked.says[1] if much is None else float(much))
        for k, times in enumerate((asked.least, asked.usual, asked.most)):
            further = asked.grows[k] * times * max(0.0, times - 1) / 2
            sent = times * (asked.sent / CHARACTERS[k] + asked.beside[k]) + further
            said = times * (says[k] if limit is None else min(says[k], limit))
            self._calls[k] += times
            self._tokens[k] += sent + said
            if place.capabilities.timed:
                self._pay(k, place.price(Usage(round(sent), round(said))))

    def _pay(self, k: int, cost: Decimal | None) -> None:
        if cost is None:
            self._priced = False
        else:
            self._cost[k] += cost


def _heard(asked: Asked) -> Three:
    """Tokens of what the seat under test was sent and said in the end: what a judge is shown."""
    counts = (max(1, asked.least), max(1.0, asked.usual), max(1, asked.most))
    says = (asked.says[0], asked.says[1], 2 * asked.says[1] if asked.says[2] is None else asked.says[2])
    few, usual, many = (
        asked.sent / CHARACTERS[k] + asked.grows[k] * (counts[k] - 1) + says[k] for k in range(3)
    )
    return few, usual, many


def summed(spans: Sequence[Span | None]) -> Span | None:
    """The sum; None where a part is not known."""
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return None
    highs = [span.high for span in known]
    high = None if any(each is None for each in highs) else math.fsum(each or 0.0 for each in highs)
    return Span(math.fsum(span.low for span in known), math.fsum(span.likely for span in known), high)

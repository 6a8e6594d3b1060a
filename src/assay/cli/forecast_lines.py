"""What a run will take, as a person reads it, and what it took beside what was foretold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from assay.cli import looks
from assay.plan import Bound
from assay.reports.forecast import Forecast, forecast, past_of, roles_of
from assay.reports.needs import Span
from assay.reports.summary import Summary
from assay.store.sqlite import SqliteStore


def foretold(bound: Bound, store: Path) -> Forecast:
    """The forecast of a bound plan from what the store holds; a store that is not there is not made."""
    past = SqliteStore.open(store, create=False) if store.is_file() else None
    roles = roles_of(bound)
    return forecast(bound, [past_of(past, bound.run, name, roles) if past else None for name in bound.places])


def forecast_lines(found: Forecast) -> Iterator[str]:
    """Calls, tokens, dollars, seconds, and what can be seen at all."""
    if found.calls is not None:
        yield f"calls   {_span(found.calls, _whole)}"
    if found.tokens is not None:
        yield f"tokens  {_span(found.tokens, _count)}"
    if found.planned is not None:
        yield f"cost    {_span(found.cost_usd, _dollars) if found.cost_usd is not None else _no_cost(found)}"
    unknown = "unknown: no earlier run of it is stored"
    yield f"time    {_span(found.seconds, looks.seconds) if found.seconds is not None else unknown}"
    bases = {each.basis for each in found.models}
    yield f"from    {'; '.join(sorted(bases))}"
    if found.detectable is not None and found.planned is not None:
        what = "between two models" if len(found.models) > 1 else "from a fixed value"
        size = f"{100 * found.detectable:.1f} points or more"
        yield f"power   {found.cases} cases show a difference {what} of {size} (80 % power, 95 % confidence)"


def _no_cost(found: Forecast) -> str:
    unpriced = [looks.label(each.model) for each in found.models if each.cost_usd is None]
    return f"unknown for {', '.join(unpriced)}"


def _span(span: Span, write: object) -> str:
    shown = write if callable(write) else str
    likely, low = shown(span.likely), shown(span.low)
    high = shown(span.high) if span.high is not None else "no bound"
    if span.low == span.likely == span.high:
        return likely
    return f"about {likely}" if low == likely == high else f"about {likely} [{low}, {high}]"


def _whole(number: float) -> str:
    return f"{number:.0f}"


def _count(number: float) -> str:
    return looks.count(round(number))


def _dollars(amount: float) -> str:
    return looks.dollars(Decimal(repr(amount)))


def beside(found: Forecast, summary: Summary) -> str:
    """`foretold 3.1 s, $0.02; took 2.9 s, $0.021`; empty where nothing was foretold."""
    took = max((model.speed.wall_seconds for model in summary.models), default=0.0)
    parts, real = [], []
    if found.seconds is not None:
        parts.append(_span(found.seconds, looks.seconds).removeprefix("about "))
        real.append(looks.seconds(took))
    if found.cost_usd is not None and not any(model.attempts.unpriced for model in summary.models):
        parts.append(_span(found.cost_usd, _dollars).removeprefix("about "))
        real.append(looks.dollars(summary.cost_usd))
    return f"foretold {', '.join(parts)}; took {', '.join(real)}" if parts else ""

"""What a gate decides by: a figure, its interval at any confidence, and how many more would tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from assay.reports.figures import CaseSum, Figure
from assay.stats.distributions import t_quantile
from assay.stats.intervals import SAME, all_equal, korn_graubard, rate
from assay.stats.paired import cases_needed
from assay.stats.quantiles import needed, order_ranks, quantile
from assay.stats.resampling import bootstrap_mean

LEAST_P = 1e-9
"""No p-value below this is told apart."""

RESAMPLED_UP_TO = 2000
"""Means of amounts are resampled up to so many cases; beyond that Student's t does as well."""

Interval = tuple[float, float] | None
Sense = Literal["min", "max"]


class Evidence(NamedTuple):
    """A figure over `n` things (`things` names them); `why` says what is wrong where value is None.

    `at(confidence)` is its interval; `needed(limit, confidence)` the n at which a figure like this
    would tell from the limit, None if none would.
    """

    value: float | None
    n: int
    things: str
    at: Callable[[float], Interval]
    needed: Callable[[float, float], int | None]
    why: str = ""


def nothing(why: str) -> Evidence:
    """No figure at all."""
    return Evidence(None, 0, "cases", lambda _: None, lambda *_: None, why)


def told(interval: Interval, limit: float, sense: Sense) -> bool | None:
    """Whether the whole interval keeps the limit (True) or breaks it (False); None if it straddles it."""
    if interval is None:
        return None
    low, high = interval
    if sense == "min":
        return True if low >= limit else False if high < limit else None
    return True if high <= limit else False if low > limit else None


def p_value(evidence: Evidence, limit: float, sense: Sense) -> float:
    """The least alpha at which the interval of confidence 1 - alpha tells; 1 if none does.

    So the p-value is below 0.05 exactly where the 95 % interval that is shown tells.
    """

    def tells(alpha: float) -> bool:
        return told(evidence.at(1 - alpha), limit, sense) is not None

    low, high = LEAST_P, 1 - 1e-6
    if tells(low):
        return low
    if not tells(high):
        return 1.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if tells(middle) else (middle, high)
    return high


def of_figure(figure: Figure, bounds: tuple[float, float] | None) -> Evidence:
    """The evidence of a mean over cases; `bounds` of a single score."""
    if figure.value is None:
        return nothing(figure.method)
    within = bounds if bounds is not None and _lies(figure, bounds) else None
    return Evidence(
        figure.value,
        figure.n,
        "cases",
        lambda confidence: _interval(figure, within, confidence),
        lambda limit, confidence: _cases_needed(figure, within, limit, confidence),
    )


def _lies(figure: Figure, bounds: tuple[float, float]) -> bool:
    """Whether the interval was made within these bounds: a judge's 1-5 was not."""
    return (
        figure.low is not None
        and figure.high is not None
        and bounds[0] <= figure.low <= figure.high <= bounds[1]
    )


def _interval(figure: Figure, bounds: tuple[float, float] | None, confidence: float) -> Interval:
    """The figure's interval at another confidence, by the method that made it."""
    value, n, se = figure.value or 0.0, figure.n, figure.se
    if figure.method in ("Wilson", "Clopper-Pearson"):
        found = rate(round(value * n), n, confidence)
    elif figure.method == "Korn-Graubard":
        found = korn_graubard(value, se, n, figure.trials, confidence)
    elif figure.method == "t" and se is not None:
        half = t_quantile(0.5 + confidence / 2, n - 1) * se
        low, high = (-math.inf, math.inf) if bounds is None else bounds
        return max(low, value - half), min(high, value + half)
    else:
        found = all_equal(value, n, bounds, confidence)
    return None if found.low is None or found.high is None else (found.low, found.high)


def _cases_needed(
    figure: Figure, bounds: tuple[float, float] | None, limit: float, confidence: float
) -> int | None:
    """By 80 % power and the spread seen; where none was seen, by what n cases cannot have shown."""
    value, se = figure.value or 0.0, figure.se
    if se is not None and se > SAME:
        return cases_needed(value - limit, se * math.sqrt(figure.n), confidence=confidence)
    if bounds is None or value == limit:
        return None
    end = bounds[0] if limit < value else bounds[1]
    unseen = (value - limit) / (value - end) if value != end else 0.0
    if not 0 < unseen < 1:
        return None
    return math.ceil(math.log((1 - confidence) / 2) / math.log1p(-unseen))


def of_percentile(values: Sequence[float], q: float, things: str) -> Evidence:
    """The evidence of the q-quantile of times in seconds."""
    if not values:
        return nothing("nothing was timed: not streamed, all from the record, or nothing answered")
    ordered = sorted(values)

    def at(confidence: float) -> Interval:
        ranks = order_ranks(len(ordered), q, confidence)
        return None if ranks is None else (ordered[ranks[0] - 1], ordered[ranks[1] - 1])

    def more(limit: float, confidence: float) -> int | None:
        below = sum(value <= limit for value in ordered) / len(ordered)
        wanted = cases_needed(below - q, math.sqrt(q * (1 - q)), confidence=confidence)
        return None if wanted is None else max(wanted, needed(q, confidence))

    return Evidence(quantile(ordered, q).value, len(ordered), things, at, more)


def of_amounts(cases: Sequence[CaseSum], seed: int = 0) -> Evidence:
    """The evidence of a mean amount that is 0 or more: BCa over the cases, t where they are many.

    Where every case has the same amount it is taken as exact: a bill is no sample.
    """
    means = [case.total / case.count for case in cases]
    n = len(means)
    if not n:
        return nothing("no trial has a cost of its own: all came from the record")
    value = math.fsum(means) / n
    if max(means) - min(means) <= SAME:
        return Evidence(value, n, "cases", lambda _: (value, value), lambda *_: None)
    found = bootstrap_mean([[mean] for mean in means], seed=seed) if n <= RESAMPLED_UP_TO else None
    sd = math.sqrt(math.fsum((mean - value) ** 2 for mean in means) / (n - 1))

    def at(confidence: float) -> Interval:
        if found is not None:
            return found.interval(confidence)
        half = t_quantile(0.5 + confidence / 2, n - 1) * sd / math.sqrt(n)
        return value - half, value + half

    return Evidence(
        value, n, "cases", at, lambda limit, level: cases_needed(value - limit, sd, confidence=level)
    )

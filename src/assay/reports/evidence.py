"""What a gate decides by: a figure, its interval at any confidence, and how many more would tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

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


def side(interval: Interval, limit: float) -> int:
    """1 where the whole interval is at or above the limit, -1 at or below, 0 if it straddles it."""
    if interval is None:
        return 0
    low, high = interval
    if low == high == limit:
        return 2
    return 1 if low >= limit else -1 if high <= limit else 0


def p_value(evidence: Evidence, limit: float) -> float:
    """The least alpha at which the interval of confidence 1 - alpha leaves the limit out; 1 if none.

    So the p-value is below 0.05 exactly where the 95 % interval that is shown tells.
    """
    if not side(evidence.at(1 - LEAST_P), limit):
        low, high = LEAST_P, 1 - 1e-6
        if not side(evidence.at(1 - high), limit):
            return 1.0
        for _ in range(40):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if side(evidence.at(1 - middle), limit) else (middle, high)
        return high
    return LEAST_P


def of_figure(figure: Figure, bounds: tuple[float, float] | None) -> Evidence:
    """The evidence of a mean over cases; `bounds` of a single score."""
    if figure.value is None:
        return nothing(figure.method)
    within = bounds if figure.low is not None else None
    return Evidence(
        figure.value,
        figure.n,
        "cases",
        lambda confidence: _interval(figure, within, confidence),
        lambda limit, confidence: _cases_needed(figure, within, limit, confidence),
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
        return nothing("nothing was timed: all came from the record, or nothing was answered")
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

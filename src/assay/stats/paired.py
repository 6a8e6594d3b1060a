"""Two arms over the same cases: differences, tests, what could be seen at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from assay.stats.distributions import binomial_cdf, normal_quantile, t_tail
from assay.stats.intervals import SAME, Estimate, bounded_mean


class Difference(Struct, frozen=True):
    """A mean difference b - a over paired cases, with the p-value of no difference."""

    estimate: Estimate
    p: float
    test: str


def difference(
    a: Sequence[float], b: Sequence[float], bounds: tuple[float, float] | None = (-1.0, 1.0)
) -> Difference:
    """The paired difference of two arms with one value a case each (the mean over its repeats).

    Interval and p-value by Student's t over the cases' differences with n - 1 degrees of freedom:
    the paired, clustered standard error of Miller (arXiv 2411.00640, section 4.2) with cluster =
    case. Where all differences are equal, p is that of the sign test. Raises ValueError if the arms
    differ in length or are empty.
    """
    gaps = [y - x for x, y in zip(a, b, strict=True)]
    if not gaps:
        raise ValueError("no case is in both arms")
    estimate = bounded_mean(gaps, bounds)
    if estimate.se is None:
        differ = abs(estimate.value) > SAME
        return Difference(estimate, mcnemar(len(gaps), 0) if differ else 1.0, "sign")
    p = 2 * t_tail(abs(estimate.value) / estimate.se, len(gaps) - 1)
    return Difference(estimate, p, "paired t")


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided McNemar p-value: the discordant pairs against Binomial(n, 1/2).

    The distribution is symmetric, so twice the smaller tail, at most 1.
    """
    return min(1.0, 2 * binomial_cdf(min(gained, lost), gained + lost, 0.5)) if gained + lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979), in the order given."""
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted


def detectable_rate(n: int, rate: float = 0.5, power: float = 0.8, confidence: float = 0.95) -> float:
    """The smallest difference of one rate from a fixed value that n cases show with `power`.

    (z_(1 - alpha/2) + z_power) * sqrt(rate (1 - rate) / n); a rate of one half is the worst case.
    """
    return _both(power, confidence) * math.sqrt(rate * (1 - rate) / n)


def detectable_paired(n: int, sd: float, power: float = 0.8, confidence: float = 0.95) -> float:
    """The smallest paired difference that n cases show with `power`, by the sd of the differences.

    (z_(1 - alpha/2) + z_power) * sd / sqrt(n): Miller (arXiv 2411.00640, section 5). See
    `sd_of_differences` for an sd before there are data.
    """
    return _both(power, confidence) * sd / math.sqrt(n)


def sd_of_differences(rate_a: float, rate_b: float, correlation: float = 0.0) -> float:
    """The sd of the difference of two 0/1 scores on one case, from their rates and correlation."""
    a, b = rate_a * (1 - rate_a), rate_b * (1 - rate_b)
    return math.sqrt(max(0.0, a + b - 2 * correlation * math.sqrt(a * b)))


def cases_needed(effect: float, sd: float, power: float = 0.8, confidence: float = 0.95) -> int | None:
    """How many paired cases show a difference of `effect` with `power`; None for no effect."""
    if effect == 0:
        return None
    return math.ceil((_both(power, confidence) * sd / effect) ** 2)


def _both(power: float, confidence: float) -> float:
    return normal_quantile(0.5 + confidence / 2) + normal_quantile(power)

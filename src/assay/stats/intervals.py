"""Means and rates with their standard errors and intervals.

What an interval is of: `n` counts independent things (cases). Repeats of a case are averaged
first, or given as a cluster; they are never n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from assay.stats.distributions import beta_quantile, normal_quantile, t_quantile

EXACT_BELOW = 16
"""`rate` is Clopper-Pearson where successes or failures are fewer than this, else Wilson."""

SAME = 1e-12
"""Values closer together than this differ by rounding only."""


class Estimate(Struct, frozen=True):
    """A mean over `n` independent things, with its standard error and interval.

    `low` and `high` are None where no interval can be given; then `method` says why.
    """

    value: float
    se: float | None
    low: float | None
    high: float | None
    n: int
    method: str


def mean(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and its standard error sd / sqrt(n), with the n - 1 variance; None for one value."""
    n = len(values)
    centre = math.fsum(values) / n
    if n < 2:
        return centre, None
    return centre, math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (n - 1) / n)


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a rate (Wilson 1927, without continuity correction)."""
    z = normal_quantile(0.5 + confidence / 2)
    rate, shrink = successes / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == n else min(1.0, centre + half)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a rate (Clopper and Pearson 1934), from the beta quantiles.

    It covers at least `confidence` at every n and rate, and more than that where n is small.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    high = 1.0 if successes == n else beta_quantile(1 - tail, successes + 1, n - successes)
    return low, high


def rate(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A rate over n independent 0/1 outcomes.

    Wilson's interval where there are at least EXACT_BELOW successes and as many failures; below
    that (every n under 32, and rates near 0 or 1) Clopper-Pearson, since Wilson's covers only
    83 % at n = 10, rate 0.982. Enumerated at every point where coverage jumps, for each n of
    10..1,000 and rates of 0.5..0.99, the lowest coverage of the 95 % interval is 93.19 % (n = 142);
    a threshold of 15 gives 93.09 %, 10 gives 92.56 %. The standard error is
    sqrt(rate (1 - rate) / n).
    """
    value = successes / n
    exact = min(successes, n - successes) < EXACT_BELOW
    low, high = (clopper_pearson if exact else wilson)(successes, n, confidence)
    method = "Clopper-Pearson" if exact else "Wilson"
    return Estimate(value, math.sqrt(value * (1 - value) / n), low, high, n, method)


def bounded_mean(
    values: Sequence[float], bounds: tuple[float, float] | None = (0.0, 1.0), confidence: float = 0.95
) -> Estimate:
    """The mean of one value a case, by Student's t with n - 1 degrees of freedom.

    With the mean over its repeats as a case's value this is the cluster-robust interval with
    cluster = case (`clustered` gives the same). With `bounds` the interval is clipped to them; where
    all values are equal, so that t would give no width, it is that of `all_equal`.
    """
    n = len(values)
    centre, se = mean(values)
    if se is None or max(values) - min(values) <= SAME:
        return all_equal(values[0], n, bounds, confidence)
    half = t_quantile(0.5 + confidence / 2, n - 1) * se
    low, high = centre - half, centre + half
    if bounds is not None:
        low, high = max(bounds[0], low), min(bounds[1], high)
    return Estimate(centre, se, low, high, n, "t")


def all_equal(value: float, n: int, bounds: tuple[float, float] | None, confidence: float = 0.95) -> Estimate:
    """The interval of a mean when all n values seen are the same.

    Of a share u = 1 - ((1 - confidence) / 2)^(1/n) or more of other values one would have been seen
    with that confidence (Clopper-Pearson for 0 of n); the mean is furthest off if they all lie at a
    bound. At a bound itself this is Clopper-Pearson for n of n. Without bounds: no interval.
    """
    if bounds is None:
        return Estimate(value, None, None, None, n, "all values are equal")
    unseen = 1 - ((1 - confidence) / 2) ** (1 / n)
    low = value - unseen * (value - bounds[0])
    high = value + unseen * (bounds[1] - value)
    return Estimate(value, None, low, high, n, "all values are equal: exact for what was not seen")


def clustered_rate(case_rates: Sequence[float], trials: int, confidence: float = 0.95) -> Estimate:
    """A rate over n cases, each played several times (`trials` in all), by its cluster-robust error.

    The standard error is that of the mean of the cases' rates, so repeats are not n. The interval is
    Clopper-Pearson's at the effective number of trials rate (1 - rate) / SE^2, no more than `trials`,
    times (z / t with n - 1 degrees of freedom)^2 (Korn and Graubard, Survey Methodology 24, 1998):
    unlike a t interval it stays within [0, 1] and does not shrink to nothing near 0 or 1.
    """
    n = len(case_rates)
    centre, se = mean(case_rates)
    spread = max(case_rates) - min(case_rates)
    if n < 2 or (spread <= SAME and min(centre, 1 - centre) <= SAME):
        return all_equal(centre, n, (0.0, 1.0), confidence)
    return korn_graubard(centre, se, n, trials, confidence)


def korn_graubard(centre: float, se: float | None, n: int, trials: int, confidence: float = 0.95) -> Estimate:
    """The interval of `clustered_rate`, from the rate, its cluster-robust error, cases and trials."""
    effective = float(trials)
    if se is not None and se > SAME:
        effective = min(effective, centre * (1 - centre) / se**2)
    tail = (1 - confidence) / 2
    effective *= (normal_quantile(1 - tail) / t_quantile(1 - tail, n - 1)) ** 2
    hits = centre * effective
    low = beta_quantile(tail, hits, effective - hits + 1)
    high = beta_quantile(1 - tail, hits + 1, effective - hits)
    return Estimate(centre, se, low, high, n, "Korn-Graubard")


def clustered(clusters: Sequence[Sequence[float]], confidence: float = 0.95) -> Estimate:
    """The mean over all observations, with a cluster-robust standard error and t interval.

    SE^2 = G / (G - 1) * sum over clusters of (sum of deviations)^2 / N^2: the clustered standard
    error of Miller, "Adding error bars to evals" (arXiv 2411.00640, section 2.2) with the usual
    correction for G clusters; t with G - 1 degrees of freedom. `n` is G. With one cluster there is
    no interval.
    """
    observations, groups = sum(map(len, clusters)), len(clusters)
    centre = math.fsum(map(math.fsum, clusters)) / observations
    if groups < 2:
        return Estimate(centre, None, None, None, groups, "one cluster")
    squares = math.fsum(math.fsum(v - centre for v in cluster) ** 2 for cluster in clusters)
    se = math.sqrt(groups / (groups - 1) * squares) / observations
    half = t_quantile(0.5 + confidence / 2, groups - 1) * se
    return Estimate(centre, se, centre - half, centre + half, groups, "clustered t")

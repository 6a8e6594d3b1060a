"""The mean of a judge's scores over all cases, corrected by the cases that people labelled as well."""

from __future__ import annotations

import math
from collections.abc import Sequence

from assay.stats.distributions import normal_quantile
from assay.stats.intervals import SAME, Estimate, all_equal, mean


def prediction_powered_mean(
    judged: Sequence[float],
    labelled: Sequence[tuple[float, float]],
    *,
    tuned: bool = False,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    confidence: float = 0.95,
) -> Estimate:
    """The mean that people's labels would have over all cases, unbiased whatever the judge's errors.

    `judged` are the judge's scores of the N cases without a label, `labelled` the (label, judge's
    score) of the n with one; the labelled ones must be a random sample of all. The mean is
    lambda mean(judged) + mean(label - lambda score), its variance lambda^2 var(judged) / N
    + var(label - lambda score) / n, the interval normal: Angelopoulos et al., "Prediction-powered
    inference" (Science 382, 2023, arXiv 2301.09633) with lambda = 1. `tuned` takes the lambda of the
    least variance, cov(label, score) / ((1 + n / N) var(score)), within [0, 1]: Angelopoulos, Duchi
    and Zrnic, "PPI++" (arXiv 2311.01453, example 6.1), so that with many labels it is never wider
    than the labels alone. Where judge and labels differ by the same on every labelled case, the
    interval is widened by what n cases cannot have shown (`intervals.all_equal`), if `bounds` tell.
    Clipped to `bounds`.
    Fewer than two labels or judged cases give no interval; without either, ValueError.
    """
    n, total = len(labelled), len(judged)
    if not n or not total:
        raise ValueError("no labelled cases" if not n else "no judged cases")
    power = _tuned(judged, labelled) if tuned else 1.0
    centre, judged_se = mean(judged)
    rest = [label - power * score for label, score in labelled]
    shift, rest_se = mean(rest)
    value = power * centre + shift
    if judged_se is None or rest_se is None:
        return Estimate(value, None, None, None, n, "fewer than two cases")
    se = math.hypot(power * judged_se, rest_se)
    half = normal_quantile(0.5 + confidence / 2) * se
    below = above = half
    if rest_se <= SAME and bounds is not None:
        unseen = _unseen(shift, n, power, bounds, confidence)
        below, above = below + unseen[0], above + unseen[1]
    elif se <= SAME:
        return Estimate(value, None, None, None, n, "all values are equal")
    low, high = value - below, value + above
    if bounds is not None:
        low, high = max(bounds[0], low), min(bounds[1], high)
    return Estimate(value, se, low, high, n, "prediction-powered" + (" (tuned)" if tuned else ""))


def _unseen(
    shift: float, n: int, power: float, bounds: tuple[float, float], confidence: float
) -> tuple[float, float]:
    """How far the correction may lie below and above what all n labels agreed on."""
    reach = (bounds[0] - power * bounds[1], bounds[1] - power * bounds[0])
    ends = all_equal(shift, n, reach, confidence)
    low, high = ends.low, ends.high
    return (shift - low if low is not None else 0.0), (high - shift if high is not None else 0.0)


def _tuned(judged: Sequence[float], labelled: Sequence[tuple[float, float]]) -> float:
    n, total = len(labelled), len(judged)
    label_mean = math.fsum(label for label, _ in labelled) / n
    score_mean = math.fsum(score for _, score in labelled) / n
    every = [*judged, *(score for _, score in labelled)]
    centre = math.fsum(every) / len(every)
    variance = math.fsum((score - centre) ** 2 for score in every) / (len(every) - 1)
    if n < 2 or variance <= SAME**2:
        return 1.0
    together = math.fsum((label - label_mean) * (score - score_mean) for label, score in labelled) / (n - 1)
    return min(1.0, max(0.0, together / ((1 + n / total) * variance)))

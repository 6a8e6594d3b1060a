"""Percentiles of a sample, and their intervals from order statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from assay.stats.distributions import binomial_quantile


class Quantile(Struct, frozen=True):
    """A percentile: `value` by Hyndman-Fan type 7, `low` and `high` from order statistics.

    Where n is too small for a 95 % interval, `low` and `high` are None and `needed` is the n at
    which one exists; `value` is then little more than an extreme of the sample.
    """

    value: float
    low: float | None
    high: float | None
    needed: int | None = None


def type7(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of a sorted sample: definition 7 of Hyndman and Fan (1996), NumPy's default."""
    place = (len(ordered) - 1) * q
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def needed(q: float, confidence: float = 0.95) -> int:
    """The smallest n at which a distribution-free two-sided interval of the q-quantile exists.

    6 for the median, 36 for p90, 72 for p95, 368 for p99: both extremes together must leave no
    more than (1 - confidence) / 2 on either side.
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(q, 1 - q)))


def order_ranks(n: int, q: float, confidence: float = 0.95) -> tuple[int, int] | None:
    """The 1-based ranks of the order statistics that enclose the q-quantile, or None if n is too small.

    The number of observations below the quantile is Binomial(n, q); (X_(l), X_(u)) covers it with
    P(l <= B <= u - 1), equal-tailed (David and Nagaraja, Order Statistics, 2003, section 7.1).
    """
    if n < needed(q, confidence):
        return None
    tail = (1 - confidence) / 2
    return binomial_quantile(tail, n, q), binomial_quantile(1 - tail, n, q) + 1


def quantile(ordered: Sequence[float], q: float, confidence: float = 0.95) -> Quantile:
    """The q-quantile of a sorted sample of at least one value, with its interval."""
    value, ranks = type7(ordered, q), order_ranks(len(ordered), q, confidence)
    if ranks is None:
        return Quantile(value, None, None, needed(q, confidence))
    low, high = ordered[ranks[0] - 1], ordered[ranks[1] - 1]
    return Quantile(value, low, high)

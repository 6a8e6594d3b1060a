"""Two shares of two different samples: whether they differ."""

from __future__ import annotations

import math

_ROUNDING = 1e-7
"""Tables whose probabilities differ by less than this share are equally likely (as R and scipy take it)."""


def fisher_exact(hits_a: int, n_a: int, hits_b: int, n_b: int) -> float:
    """The exact two-sided p-value that hits_a of n_a and hits_b of n_b come from one rate.

    Fisher, Statistical Methods for Research Workers (1934): with all margins given the hits of the
    first sample are hypergeometric; p adds up the tables that are no more likely than the one seen.
    It is 1 where there are no hits, or nothing but hits.
    """
    hits = hits_a + hits_b
    first, last = max(0, hits - n_b), min(hits, n_a)
    seen = _log_table(hits_a, n_a, hits_b, n_b)
    likely = (_log_table(x, n_a, hits - x, n_b) for x in range(first, last + 1))
    ways = [math.exp(each - seen) for each in likely]
    return min(1.0, math.fsum(way for way in ways if way <= 1 + _ROUNDING) / math.fsum(ways))


def _log_table(a: int, n_a: int, b: int, n_b: int) -> float:
    return _log_choose(n_a, a) + _log_choose(n_b, b)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

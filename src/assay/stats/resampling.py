"""Tests and intervals without a formula: sign flips of paired differences, the cluster bootstrap."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress
from typing import TypeVar

from msgspec import Struct

from assay.stats.distributions import normal_quantile
from assay.stats.intervals import SAME, Estimate
from assay.stats.quantiles import type7

T = TypeVar("T")

DRAWS = 10_000
EXACT_UP_TO = 30
"""With so many differences that are not 0 all 2^n sign patterns are counted; beyond that, drawn."""


class Permutation(Struct, frozen=True):
    """A p-value with what it stands on: all sign patterns, or `draws` of them."""

    p: float
    exact: bool
    draws: int


def sign_flip(gaps: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> Permutation:
    """The two-sided paired permutation test of a mean difference of 0.

    If no arm is better every difference may as well have the other sign: p is the share of the 2^n
    sign patterns whose |sum| is no smaller than the one seen (Fisher, The Design of Experiments,
    1935, section 21). Differences of 0 change nothing and are left out. Up to EXACT_UP_TO others all
    patterns are counted by halves; beyond that p = (1 + as extreme) / (1 + draws) over seeded draws,
    which keeps the level (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    """
    sizes = [abs(gap) for gap in gaps if abs(gap) > SAME]
    seen = abs(math.fsum(gaps))
    slack = SAME * max(1.0, math.fsum(sizes))
    if len(sizes) <= EXACT_UP_TO:
        patterns = 1 << len(sizes)
        beyond = _at_least(sizes, seen - slack)
        return Permutation(min(1.0, 2 * beyond / patterns), exact=True, draws=patterns)
    stream, groups = random.Random(seed), Counter(sizes)
    several = [(size, count) for size, count in groups.items() if count > 1]
    single = [size for size, count in groups.items() if count == 1]
    sums = (abs(_flipped(several, single, stream)) for _ in range(draws))
    extreme = sum(each >= seen - slack for each in sums)
    return Permutation((1 + extreme) / (1 + draws), exact=False, draws=draws)


def _at_least(sizes: Sequence[float], least: float) -> int:
    """How many sign patterns have a sum of at least this: each half's sums, met in the middle."""
    half = len(sizes) // 2
    right = sorted(_sums(sizes[half:]))
    return sum(len(right) - bisect_left(right, least - left) for left in _sums(sizes[:half]))


def _sums(sizes: Sequence[float]) -> list[float]:
    sums = [0.0]
    for size in sizes:
        sums = [each + sign for each in sums for sign in (size, -size)]
    return sums


def _flipped(several: Sequence[tuple[float, int]], single: Sequence[float], stream: random.Random) -> float:
    """One drawn sum. Of m equal sizes the number with a plus is the number of ones in m random bits."""
    plus = sum(compress(single, stream.randbytes(len(single)).translate(_LAST_BIT)))
    drawn = sum(size * (2 * stream.getrandbits(count).bit_count() - count) for size, count in several)
    return drawn + 2 * plus - sum(single)


_LAST_BIT = bytes(byte & 1 for byte in range(256))


class Bootstrap(Struct, frozen=True):
    """The resampled values of a statistic, sorted, with the corrections of BCa.

    `bias` is z0, `acceleration` is a, `n` the number of clusters. Where every resample gives the
    same (one cluster, or clusters that are alike) there is nothing to correct and no interval.
    """

    value: float
    ordered: tuple[float, ...]
    bias: float
    acceleration: float
    n: int

    @property
    def degenerate(self) -> bool:
        return self.n < 2 or self.ordered[-1] - self.ordered[0] <= SAME

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The BCa interval (Efron, J. Am. Stat. Assoc. 82, 1987, equation 6.9); None if degenerate."""
        if self.degenerate:
            return None
        tail = (1 - confidence) / 2
        return self._end(normal_quantile(tail)), self._end(normal_quantile(1 - tail))

    def _end(self, z: float) -> float:
        """The resampled quantile at Phi(z0 + (z0 + z) / (1 - a (z0 + z)))."""
        shifted = self.bias + z
        room = 1 - self.acceleration * shifted
        level = _phi(self.bias + shifted / room) if room > 0 else float(shifted > 0)
        return type7(self.ordered, level)

    def percentiles(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The uncorrected percentile interval; None if degenerate."""
        if self.degenerate:
            return None
        tail = (1 - confidence) / 2
        return type7(self.ordered, tail), type7(self.ordered, 1 - tail)

    @property
    def se(self) -> float:
        """The sd of the resampled values."""
        return _sd(self.ordered)

    def estimate(self, confidence: float = 0.95) -> Estimate:
        """The value with the sd of the resamples as its standard error and the BCa interval."""
        ends = self.interval(confidence)
        if ends is None:
            return Estimate(self.value, None, None, None, self.n, "all resamples are equal")
        return Estimate(self.value, self.se, *ends, self.n, "BCa bootstrap")


def bootstrap(
    clusters: Sequence[T], statistic: Callable[[Sequence[T]], float], *, draws: int = DRAWS, seed: int = 0
) -> Bootstrap:
    """The statistic over `draws` resamples of whole clusters with replacement, for a BCa interval.

    z0 is Phi^-1 of the share of resamples below the value (ties count half); a comes from the
    jackknife over clusters, sum d^3 / (6 (sum d^2)^1.5), d = mean of the jackknife values - each
    (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 14.3). Field and Welsh
    (J. R. Stat. Soc. B 69, 2007) on why clusters are drawn whole. Raises ValueError without clusters.
    """
    n, stream = len(clusters), random.Random(seed)
    if not n:
        raise ValueError("nothing to resample")
    value = statistic(clusters)
    if n < 2:
        return Bootstrap(value, (value,), 0.0, 0.0, n)
    ordered = sorted(statistic(stream.choices(clusters, k=n)) for _ in range(draws))
    left_out = [statistic([*clusters[:i], *clusters[i + 1 :]]) for i in range(n)]
    return _corrected(value, ordered, left_out)


def bootstrap_mean(clusters: Sequence[Sequence[float]], *, draws: int = DRAWS, seed: int = 0) -> Bootstrap:
    """The mean over all observations, by `bootstrap` over clusters (a case and its repeats)."""
    pairs = [(math.fsum(cluster), len(cluster)) for cluster in clusters]
    sums, sizes = [total for total, _ in pairs], {size for _, size in pairs}
    if len(sizes) == 1:
        size, n = sizes.pop(), len(sums)
        means = [total / size for total in sums]
        return _mean_of_equals(means, n, draws=draws, seed=seed)
    return bootstrap(pairs, _ratio, draws=draws, seed=seed)


def _mean_of_equals(means: Sequence[float], n: int, *, draws: int, seed: int) -> Bootstrap:
    """As `bootstrap` with the mean; the jackknife of a mean needs no second pass over the cases."""
    stream, total = random.Random(seed), math.fsum(means)
    value = total / n
    if n < 2:
        return Bootstrap(value, (value,), 0.0, 0.0, n)
    ordered = sorted(sum(stream.choices(means, k=n)) / n for _ in range(draws))
    return _corrected(value, ordered, [(total - each) / (n - 1) for each in means])


def bootstrap_difference(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], *, draws: int = DRAWS, seed: int = 0
) -> Bootstrap:
    """The mean of b less that of a, by `bootstrap` over the cases that both arms played.

    a[i] and b[i] are the repeats of case i. A case is drawn with both of its arms, which is what
    makes it paired. Raises ValueError where the arms differ in length or are empty.
    """
    pairs = [((math.fsum(x), len(x)), (math.fsum(y), len(y))) for x, y in zip(a, b, strict=True)]
    if {len(x) for x in a} == {1} == {len(y) for y in b}:
        gaps = [y - x for (x, _), (y, _) in pairs]
        return _mean_of_equals(gaps, len(gaps), draws=draws, seed=seed)
    return bootstrap(
        pairs,
        lambda drawn: _ratio([y for _, y in drawn]) - _ratio([x for x, _ in drawn]),
        draws=draws,
        seed=seed,
    )


def _ratio(drawn: Sequence[tuple[float, int]]) -> float:
    return sum(total for total, _ in drawn) / sum(size for _, size in drawn)


def _corrected(value: float, ordered: list[float], left_out: Sequence[float]) -> Bootstrap:
    draws, slack = len(ordered), SAME * max(1.0, abs(value))
    below, upto = bisect_left(ordered, value - slack), bisect_right(ordered, value + slack)
    share = (below + upto) / 2 / draws
    share = min(max(share, 0.5 / draws), 1 - 0.5 / draws)
    centre = math.fsum(left_out) / len(left_out)
    gaps = [centre - each for each in left_out]
    squares = math.fsum(gap * gap for gap in gaps)
    cubes = math.fsum(gap**3 for gap in gaps)
    acceleration = cubes / (6 * squares**1.5) if squares > SAME**2 else 0.0
    return Bootstrap(value, tuple(ordered), normal_quantile(share), acceleration, len(left_out))


def _phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _sd(values: Sequence[float]) -> float:
    centre = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))

"""How far two or more judges agree: weighted kappa, Krippendorff's alpha."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, TypeVar

from msgspec import Struct

from assay.stats.distributions import normal_quantile
from assay.stats.intervals import SAME, Estimate
from assay.stats.resampling import bootstrap

L = TypeVar("L", bound=Hashable)

Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


def kappa(
    a: Sequence[L],
    b: Sequence[L],
    labels: Sequence[L],
    weights: Weights = "none",
    confidence: float = 0.95,
) -> Estimate | None:
    """Cohen's kappa of two judges' labels for the same things, with its interval; None if undefined.

    1 - sum of w * observed / sum of w * expected over the cells, w = 0 or 1 (`none`), |i - j|
    (`linear`) or (i - j)^2 (`quadratic`) for the places i, j in `labels`, which lists every label in
    order: Cohen, Psychol. Bull. 70 (1968). The standard error is the asymptotic one of Fleiss, Cohen
    and Everitt, Psychol. Bull. 72 (1969), the interval normal and clipped to [-1, 1]. Undefined where
    both judges give one and the same label only: no disagreement was to be expected. Raises
    ValueError for arms of different length and KeyError for a label that is not listed.
    """
    place = {label: index for index, label in enumerate(labels)}
    k, n = len(labels), len(a)
    seen = [[0.0] * k for _ in range(k)]
    for x, y in zip(a, b, strict=True):
        seen[place[x]][place[y]] += 1
    if not n:
        return None
    shares = [[count / n for count in row] for row in seen]
    return _kappa(shares, _agreement_weights(k, weights), n, confidence)


def _agreement_weights(k: int, weights: Weights) -> list[list[float]]:
    """1 for the same label, falling to 0 for the ends of the scale (or at once: `none`)."""
    if weights == "none":
        return [[float(i == j) for j in range(k)] for i in range(k)]
    power, span = (1 if weights == "linear" else 2), max(1, k - 1)
    return [[1 - (abs(i - j) / span) ** power for j in range(k)] for i in range(k)]


def _kappa(
    shares: Sequence[Sequence[float]], w: Sequence[Sequence[float]], n: int, confidence: float
) -> Estimate | None:
    k = range(len(shares))
    rows = [math.fsum(shares[i]) for i in k]
    columns = [math.fsum(shares[i][j] for i in k) for j in k]
    seen = math.fsum(w[i][j] * shares[i][j] for i in k for j in k)
    expected = math.fsum(w[i][j] * rows[i] * columns[j] for i in k for j in k)
    if 1 - expected <= SAME:
        return None
    value = (seen - expected) / (1 - expected)
    by_row = [math.fsum(columns[j] * w[i][j] for j in k) for i in k]
    by_column = [math.fsum(rows[i] * w[i][j] for i in k) for j in k]
    spread = math.fsum(
        shares[i][j] * (w[i][j] - (by_row[i] + by_column[j]) * (1 - value)) ** 2 for i in k for j in k
    )
    variance = (spread - (value - expected * (1 - value)) ** 2) / (n * (1 - expected) ** 2)
    if variance <= SAME:
        return Estimate(value, None, None, None, n, "no spread: the asymptotic error is 0")
    se = math.sqrt(variance)
    half = normal_quantile(0.5 + confidence / 2) * se
    return Estimate(value, se, max(-1.0, value - half), min(1.0, value + half), n, "Fleiss-Cohen-Everitt")


def alpha(units: Sequence[Sequence[float | None]], level: Level = "nominal") -> float | None:
    """Krippendorff's alpha; None if undefined. units[i] are the ratings of thing i, None if missing.

    1 - observed / expected disagreement from the coincidences of ratings within a unit, each unit's
    pairs weighted 1 / (ratings - 1); units with fewer than two ratings say nothing. The difference of
    two ratings is 0 or 1 (nominal), the squared number of ratings from one to the other (ordinal), or
    the squared distance (interval): Krippendorff, Content Analysis (2019), chapter 12. Nominal labels
    are given as numbers. Undefined where all ratings that can be paired are the same, or none can be.
    """
    rated = [[rating for rating in unit if rating is not None] for unit in units]
    paired = [unit for unit in rated if len(unit) > 1]
    values = sorted({rating for unit in paired for rating in unit})
    if len(values) < 2:
        return None
    place = {value: index for index, value in enumerate(values)}
    together = _coincidences(paired, place)
    totals = [math.fsum(row) for row in together]
    distance = _distance(level, values, totals)
    k, n = range(len(values)), math.fsum(totals)
    seen = math.fsum(together[i][j] * distance(i, j) for i in k for j in k)
    expected = math.fsum(totals[i] * totals[j] * distance(i, j) for i in k for j in k)
    return 1 - (n - 1) * seen / expected


def _coincidences(paired: Sequence[Sequence[float]], place: dict[float, int]) -> list[list[float]]:
    together = [[0.0] * len(place) for _ in place]
    for unit in paired:
        share = 1 / (len(unit) - 1)
        counts: dict[int, int] = {}
        for rating in unit:
            counts[place[rating]] = counts.get(place[rating], 0) + 1
        for i, x in counts.items():
            for j, y in counts.items():
                together[i][j] += share * (x * (x - 1) if i == j else x * y)
    return together


def _distance(level: Level, values: Sequence[float], totals: Sequence[float]) -> Callable[[int, int], float]:
    if level == "interval":
        return lambda i, j: (values[i] - values[j]) ** 2
    if level == "nominal":
        return lambda i, j: float(i != j)
    upto = [0.0]
    for total in totals:
        upto.append(upto[-1] + total)

    def ranks(i: int, j: int) -> float:
        low, high = min(i, j), max(i, j)
        return (upto[high + 1] - upto[low] - (totals[low] + totals[high]) / 2) ** 2

    return ranks


class Agreement(Struct, frozen=True):
    """Krippendorff's alpha with its interval over `n` units that have two ratings or more."""

    level: Level
    estimate: Estimate | None


def alpha_estimate(
    units: Sequence[Sequence[float | None]],
    level: Level = "nominal",
    *,
    draws: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Agreement:
    """`alpha` with the percentile interval of a bootstrap over whole units.

    Resamples in which alpha is undefined (all ratings the same) are taken as full agreement, 1.
    """
    paired = [unit for unit in units if sum(rating is not None for rating in unit) > 1]
    value = alpha(paired, level)
    if value is None:
        return Agreement(level, None)
    found = bootstrap(paired, lambda drawn: _or_one(alpha(drawn, level)), draws=draws, seed=seed)
    ends = found.percentiles(confidence)
    if ends is None:
        return Agreement(level, Estimate(value, None, None, None, len(paired), "all resamples are equal"))
    return Agreement(level, Estimate(value, found.se, *ends, len(paired), "percentile bootstrap"))


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value

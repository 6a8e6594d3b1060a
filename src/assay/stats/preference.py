"""What else a judge's preference between two answers goes by: their order, their length."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from msgspec import Struct

from assay.stats.distributions import normal_quantile, t_tail
from assay.stats.intervals import SAME, Estimate

PERMUTED_UP_TO = 1000
"""Up to so many pairs p is drawn by permutation; beyond that Student's t says the same."""

DRAWS = 1999
STEPS = 25
SEPARATED = 20.0
"""Log odds beyond which a fit runs away: one side always wins."""


class Association(Struct, frozen=True):
    """A correlation over `n` pairs, with the p-value of none."""

    r: float
    p: float
    n: int


def association(x: Sequence[float], y: Sequence[float], *, seed: int = 0) -> Association | None:
    """Pearson's correlation; None where one of both never differs or there are fewer than 3 pairs.

    p is the share of seeded permutations of y whose |r| is no smaller, (1 + as extreme) / (1 + draws)
    (Phipson and Smyth, 2010); of more than PERMUTED_UP_TO pairs that of t = r sqrt((n - 2) / (1 - r^2)).
    Raises ValueError where the lengths differ.
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} values")
    n = len(x)
    if n < 3:
        return None
    a, b = _centred(x), _centred(y)
    scale = math.sqrt(math.fsum(v * v for v in a) * math.fsum(v * v for v in b))
    if scale <= SAME:
        return None
    r = max(-1.0, min(1.0, math.fsum(u * v for u, v in zip(a, b, strict=True)) / scale))
    if n > PERMUTED_UP_TO:
        left = 1 - r * r
        p = 2 * t_tail(abs(r) * math.sqrt((n - 2) / left), n - 2) if left > SAME else 0.0
        return Association(r, p, n)
    stream, least, extreme = random.Random(seed), abs(r) * scale - SAME * max(1.0, scale), 0
    for _ in range(DRAWS):
        stream.shuffle(b)
        extreme += abs(sum(u * v for u, v in zip(a, b, strict=True))) >= least
    return Association(r, (1 + extreme) / (1 + DRAWS), n)


def _centred(values: Sequence[float]) -> list[float]:
    centre = math.fsum(values) / len(values)
    return [value - centre for value in values]


def at_zero(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Estimate | None:
    """The mean of y (each in [0, 1]) that a logistic fit on x gives at x = 0; None where none exists.

    Maximum (quasi-)likelihood of logit E[y] = a + b x by Newton's steps, y = 0.5 for a tie; the
    standard error is the robust one (sandwich, n / (n - 2): White's HC1), the interval is normal on the
    scale of the log odds. With x the difference of log lengths it is the length-controlled win rate of
    Dubois et al., "Length-controlled AlpacaEval" (arXiv 2404.04475). None where one side always wins.
    """
    n = len(x)
    if n < 3 or max(x) - min(x) <= SAME:
        return None
    a = b = 0.0
    for _ in range(STEPS):
        p = [_expit(a + b * each) for each in x]
        inverse = _inverse([v * (1 - v) for v in p], x)
        if inverse is None or max(abs(a), abs(b)) > SEPARATED:
            return None
        left = [v - w for v, w in zip(y, p, strict=True)]
        score = (math.fsum(left), math.fsum(e * v for e, v in zip(left, x, strict=True)))
        step = [row[0] * score[0] + row[1] * score[1] for row in inverse]
        a, b = a + step[0], b + step[1]
        if max(map(abs, step)) <= SAME:
            break
    else:
        return None
    se = _robust(x, y, a, b, n)
    if se is None:
        return None
    half = normal_quantile(0.5 + confidence / 2) * se
    value = _expit(a)
    return Estimate(
        value, se * value * (1 - value), _expit(a - half), _expit(a + half), n, "logistic, robust"
    )


def _expit(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _inverse(weights: Sequence[float], x: Sequence[float]) -> tuple[tuple[float, float], ...] | None:
    """The inverse of the information matrix of (a, b); None if it has none."""
    s0 = math.fsum(weights)
    s1 = math.fsum(w * v for w, v in zip(weights, x, strict=True))
    s2 = math.fsum(w * v * v for w, v in zip(weights, x, strict=True))
    room = s0 * s2 - s1 * s1
    if room <= SAME * max(1e-9, s0 * s2):
        return None
    return (s2 / room, -s1 / room), (-s1 / room, s0 / room)


def _robust(x: Sequence[float], y: Sequence[float], a: float, b: float, n: int) -> float | None:
    """The standard error of a: bread, meat, bread."""
    p = [_expit(a + b * each) for each in x]
    inverse = _inverse([v * (1 - v) for v in p], x)
    if inverse is None:
        return None
    row = inverse[0]
    pulls = [(v - w) * (row[0] + row[1] * each) for v, w, each in zip(y, p, x, strict=True)]
    return math.sqrt(math.fsum(pull * pull for pull in pulls) * n / (n - 2))

"""What several attempts at one case are worth: pass@k (any of k is right) and pass^k (all k are)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from assay.stats.intervals import Estimate, bounded_mean


class Passes(Struct, frozen=True):
    """pass@k or pass^k over cases: `estimate` is None where no case has k attempts.

    `left_out` cases have fewer than k attempts and are not in it.
    """

    k: int
    estimate: Estimate | None
    left_out: int


def any_of(k: int, n: int, right: int) -> float:
    """The chance that at least one of k attempts drawn from n is right, of which `right` are.

    1 - C(n - right, k) / C(n, k), unbiased for the true pass@k: Chen et al., "Evaluating Large
    Language Models Trained on Code" (arXiv 2107.03374, equation 1). Raises ValueError unless
    1 <= k <= n and 0 <= right <= n.
    """
    _check(k, n, right)
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def all_of(k: int, n: int, right: int) -> float:
    """The chance that all of k attempts drawn from n are right, of which `right` are.

    C(right, k) / C(n, k), unbiased for the true pass^k: Yao et al., "tau-bench" (arXiv 2406.12045,
    section 4). Raises as `any_of`.
    """
    _check(k, n, right)
    return math.comb(right, k) / math.comb(n, k)


def _check(k: int, n: int, right: int) -> None:
    if not (1 <= k <= n and 0 <= right <= n):
        raise ValueError(f"no {k} of {n} attempts, {right} right")


def pass_at_k(cases: Sequence[tuple[int, int]], k: int, confidence: float = 0.95) -> Passes:
    """pass@k over cases given as (attempts, right): the mean of `any_of`, t interval over the cases."""
    return _over(cases, k, any_of, confidence)


def pass_hat_k(cases: Sequence[tuple[int, int]], k: int, confidence: float = 0.95) -> Passes:
    """pass^k over cases given as (attempts, right): the mean of `all_of`, t interval over the cases."""
    return _over(cases, k, all_of, confidence)


def _over(
    cases: Sequence[tuple[int, int]], k: int, chance: Callable[[int, int, int], float], confidence: float
) -> Passes:
    values = [chance(k, n, right) for n, right in cases if n >= k]
    estimate = bounded_mean(values, (0.0, 1.0), confidence) if values else None
    return Passes(k, estimate, len(cases) - len(values))

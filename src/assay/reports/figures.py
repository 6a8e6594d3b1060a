"""The values that reports are made of: a figure with its interval, percentiles, tokens, roles."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from decimal import Decimal

from msgspec import Struct

from assay.stats.intervals import Estimate, bounded_mean, clustered_rate, rate
from assay.stats.quantiles import Quantile, quantile


class Figure(Struct, frozen=True):
    """A named mean with its 95 % interval.

    `n` counts cases (repeats are averaged first), `trials` what went into them. `value` is None if
    there is nothing to average; `low` and `high` are None where no interval exists, and `method`
    says why or how it was made.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    trials: int
    se: float | None = None
    method: str = ""


class CaseSum(Struct):
    """What the trials of one case add up to, the same whatever their order.

    `high + low` is the sum, `low` what rounding took from `high` (Neumaier, 1974).
    """

    high: float = 0.0
    count: int = 0
    low: float = 0.0

    def add(self, value: float) -> None:
        held = self.high
        high = held + value
        self.low += (held - high) + value if abs(held) >= abs(value) else (value - high) + held
        self.high = high
        self.count += 1

    @property
    def total(self) -> float:
        return self.high + self.low


def figure(name: str, cases: Collection[CaseSum], *, unit: bool, binary: bool) -> Figure:
    """The mean over the cases' means.

    0/1 scores: the interval of a rate, or the clustered rate where repeats of a case disagree.
    Other scores: Student's t over the cases, within [0, 1] if `unit`.
    """
    means = [case.total / case.count for case in cases]
    trials = sum(case.count for case in cases)
    if not means:
        return Figure(name, None, None, None, 0, 0, method="nothing to average")
    estimate = _estimate(means, trials, unit=unit, binary=binary)
    return Figure(
        name, estimate.value, estimate.low, estimate.high, len(means), trials, estimate.se, estimate.method
    )


def _estimate(means: Sequence[float], trials: int, *, unit: bool, binary: bool) -> Estimate:
    if not binary:
        return bounded_mean(means, (0.0, 1.0) if unit else None)
    if all(value in (0.0, 1.0) for value in means):
        return rate(int(math.fsum(means)), len(means))
    return clustered_rate(means, trials)


class Percentiles(Struct, frozen=True):
    """How a quantity is spread, in seconds unless its field says otherwise."""

    n: int
    mean: float
    p50: Quantile
    p95: Quantile
    p99: Quantile


def percentiles(values: Collection[float]) -> Percentiles | None:
    """The percentiles of a sample, None if it is empty."""
    if not values:
        return None
    ordered = sorted(values)
    return Percentiles(
        len(ordered),
        math.fsum(ordered) / len(ordered),
        quantile(ordered, 0.5),
        quantile(ordered, 0.95),
        quantile(ordered, 0.99),
    )


class Tokens(Struct, frozen=True):
    """Tokens of live calls. `input` includes `cached`; `output` includes `reasoning`.

    `uncounted` live replies came without a usage that is one; `sources` says who counted the others.
    `odd` of all came with a usage that is none or cannot be right. `estimated_input` and
    `estimated_output` are our own estimate of the tokens of the uncounted and the odd ones, a token
    being four bytes of text; they are in no other figure.
    """

    input: int
    output: int
    cached: int
    reasoning: int
    uncounted: int
    sources: dict[str, int]
    odd: int = 0
    estimated_input: int = 0
    estimated_output: int = 0


class RoleSummary(Struct, frozen=True):
    """The calls of one role. Spend and timing are those of live calls only.

    `calls` are the attempts of this run that went out, `failed_attempts` those of them that failed
    (by class in `errors`), `unknown` those that were in flight at a kill and may have been billed.
    `origins` counts the replies by where they came from: live, resumed, cached. Latency, TTFT,
    time per output token (seconds) and output rate (tokens a second) leave out what is not in the
    window and the `paused` calls. `cost_usd` adds up the calls whose price is known; `unpriced`
    counts the replies whose price is not.
    """

    models: tuple[str, ...]
    calls: int
    failed_attempts: int
    errors: dict[str, int]
    unknown: int
    paused: int
    origins: dict[str, int]
    latency: Percentiles | None
    ttft: Percentiles | None
    tpot: Percentiles | None
    output_rate: Percentiles | None
    tokens: Tokens
    cost_usd: Decimal
    unpriced: int

"""What the grades of an evaluator come to: the classic figures, each with how many it is of."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from assay.stats.intervals import Estimate, bounded_mean, rate

GRADES = (1.0, 3.0)


class ScoreStatistics(Struct, frozen=True):
    """Over the scored conversations alone; `std` is the sample deviation (n - 1), `interval` that of
    the mean at 95 %.
    """

    mean: float | None
    median: float | None
    std: float | None
    min: float | None
    max: float | None
    n: int
    interval: Estimate | None


class ScoreDistribution(Struct, frozen=True):
    """How many conversations have which score; `other` are those between (a judge asked several times)."""

    score_1: int
    score_2: int
    score_3: int
    other: int = 0


class BatchSummary(Struct, frozen=True):
    """What a batch came to. A scenario is successful where it ended without an error, whatever its score;
    `success_rate` is their share of those that ended, from 0 to 1. `goal` is the share of
    conversations whose world ended as the goal asks, `criteria` the mean share of met criteria over
    those that have some of their own and a verdict on each.
    """

    batch_id: str
    total_scenarios: int
    successful_scenarios: int
    failed_scenarios: int
    success_rate: float | None
    score_statistics: ScoreStatistics
    score_distribution: ScoreDistribution
    skipped_scenarios: int
    scored: int
    unscored: int
    success: Estimate | None
    goal: Estimate | None
    criteria: Estimate | None
    partial: bool


def score_statistics(grades: Sequence[float]) -> ScoreStatistics:
    """Mean, median, sample deviation, least and greatest, with an interval of the mean."""
    if not grades:
        return ScoreStatistics(None, None, None, None, None, 0, None)
    within = GRADES if min(grades) >= GRADES[0] and max(grades) <= GRADES[1] else None
    return ScoreStatistics(
        mean=statistics.fmean(grades),
        median=statistics.median(grades),
        std=statistics.stdev(grades) if len(grades) > 1 else None,
        min=min(grades),
        max=max(grades),
        n=len(grades),
        interval=bounded_mean(grades, within),
    )


def score_distribution(grades: Iterable[float]) -> ScoreDistribution:
    """How many grades are 1, 2 and 3."""
    counts = Counter(grades)
    ones, twos, threes = counts[1], counts[2], counts[3]
    return ScoreDistribution(ones, twos, threes, counts.total() - ones - twos - threes)


def batch_summary(
    batch: str,
    total: int,
    scenarios: Mapping[str, int],
    *,
    unscored: int,
    grades: Sequence[float],
    goals: Sequence[float],
    criteria: Sequence[float],
    partial: bool,
) -> BatchSummary:
    """The figures of `total` scenarios, of which `scenarios` says how many ended in which state."""
    successful, failed = scenarios.get("completed", 0), scenarios.get("failed", 0)
    ended = successful + failed
    return BatchSummary(
        batch_id=batch,
        total_scenarios=total,
        successful_scenarios=successful,
        failed_scenarios=failed,
        success_rate=successful / ended if ended else None,
        score_statistics=score_statistics(grades),
        score_distribution=score_distribution(grades),
        skipped_scenarios=scenarios.get("skipped", 0),
        scored=len(grades),
        unscored=unscored,
        success=rate(successful, ended) if ended else None,
        goal=rate(sum(goal == 1 for goal in goals), len(goals)) if goals else None,
        criteria=bounded_mean(criteria, (0.0, 1.0)) if criteria else None,
        partial=partial,
    )

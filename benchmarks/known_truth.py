"""Whether the 95 % interval of a summary covers the truth as often as it should.

For each skill and number of cases: 10,000 simulated runs with independent right and wrong answers.
A run's headline interval comes from `summarise`. It depends on the number of right answers alone
(tests/reports/test_summary.py shows that order changes nothing), so `summarise` is called once for
each number that occurs. The share of runs whose interval holds the skill must lie in the binomial
band around the coverage that enumeration over all numbers of right answers gives. Exits with 1 if
any share leaves its band.

    python benchmarks/known_truth.py [--runs 10000] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator

from assay.case import Case
from assay.ports import Run
from assay.reports.summary import summarise
from assay.stats.distributions import binomial_pmf, binomial_quantile
from assay.stats.intervals import rate
from assay.trial import Score, Status, Trial

SKILLS = (0.5, 0.8, 0.95)
CASES = (30, 120, 1000)
BAND = 0.001 / (len(SKILLS) * len(CASES))
"""A right program leaves any of the bands in one of 1,000 executions with a random seed."""


def trials(right: int, cases: int) -> Iterator[Trial]:
    for n in range(cases):
        score = Score("exact", n < right)
        yield Trial("r", f"k{n}", Case(f"c{n}", f"c{n}"), "m", 0, 0, Status.SCORED, scores=(score,))


def summarised(right: int, cases: int) -> tuple[float, float]:
    """The headline interval of a whole run with so many right answers."""
    run = Run(
        id="r",
        plan={},
        task="known",
        fingerprint="",
        headline="exact",
        models=("m",),
        planned=cases,
        seed=0,
        wall=0,
        version="",
        state="completed",
    )
    headline = summarise(trials(right, cases), run).models[0].headline
    if headline.low is None or headline.high is None or headline.value != right / cases:
        raise SystemExit(f"no interval, or a wrong value, for {right} of {cases}")
    return headline.low, headline.high


def enumerated(skill: float, cases: int) -> float:
    """The coverage of the interval at this skill, exactly."""
    held = (x for x in range(cases + 1) if covers(rate(x, cases).low, rate(x, cases).high, skill))
    return sum(binomial_pmf(x, cases, skill) for x in held)


def covers(low: float | None, high: float | None, truth: float) -> bool:
    return low is not None and high is not None and low <= truth <= high


def simulated(skill: float, cases: int, runs: int, draw: random.Random) -> int:
    """In how many simulated runs the interval of the summary holds the skill."""
    rights = Counter(sum(draw.random() < skill for _ in range(cases)) for _ in range(runs))
    return sum(count for right, count in rights.items() if covers(*summarised(right, cases), skill))


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Simulated against enumerated coverage of the headline interval."
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    left = 0
    print(f"{given.runs} simulated runs each, seed {given.seed}")
    print(f"{'skill':>6} {'cases':>6} {'enumerated':>11} {'simulated':>10} {'band':>18}")
    for skill in SKILLS:
        for cases in CASES:
            draw = random.Random(f"{given.seed} {skill} {cases}")
            expected = enumerated(skill, cases)
            held = simulated(skill, cases, given.runs, draw)
            low = binomial_quantile(BAND / 2, given.runs, expected)
            high = binomial_quantile(1 - BAND / 2, given.runs, expected)
            inside = low <= held <= high
            left += not inside
            band = f"[{low / given.runs:.4f}, {high / given.runs:.4f}]"
            verdict = "" if inside else "  LEFT THE BAND"
            print(f"{skill:>6} {cases:>6} {expected:>11.4f} {held / given.runs:>10.4f} {band:>18}{verdict}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())

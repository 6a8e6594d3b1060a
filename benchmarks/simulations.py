"""Simulations N1 to N4, N6 to N10, N18 to N20: what tests, gates, judges and keys promise.

Each figure is the share of seeded, offline repetitions in which something happened. With FULL repetitions
or more it must lie within the promise itself; with fewer within its band: the promise widened by the
binomial noise of so many repetitions at the level NOISE, which a right program leaves once in a thousand
executions with a random seed. Exits with 1 if any share lies outside.

    python benchmarks/simulations.py [N1 N2 ...] [--runs 10000] [--seed 1]
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Iterator

from assay.case import Case
from assay.errors import ErrorClass
from assay.ports import Run
from assay.reports.gate import Gate, Gating
from assay.reports.reading import Side
from assay.reports.summary import summarise
from assay.stats.distributions import binomial_pmf, binomial_quantile
from assay.stats.intervals import mean, rate
from assay.stats.paired import cases_needed, difference, holm, sd_of_differences
from assay.stats.prediction_powered import prediction_powered_mean
from assay.trial import Score, Status, Trial
from judge_simulations import Share, n8, n10
from run_simulations import n18, n19, n20

NOISE = 0.001 / 40
"""About 40 shares are looked at."""

FULL = 10_000


def band(share: Share) -> tuple[float, float]:
    """The promise widened by the noise of so many repetitions."""
    low = binomial_quantile(NOISE / 2, share.runs, share.least) / share.runs
    high = binomial_quantile(1 - NOISE / 2, share.runs, share.most) / share.runs
    return low, high


def inside(share: Share, *, full: bool) -> bool:
    """Whether the promise holds: itself of a full number of repetitions, else its band."""
    low, high = (share.least, share.most) if full and share.runs >= FULL else band(share)
    return low <= share.hits / share.runs <= high


def n1(runs: int, draw: random.Random) -> Iterator[Share]:
    """Null A/B: 50 cases x 10 repeats, a shift shared by each case and arm."""
    paired = naive = 0
    for _ in range(runs):
        a, b, every = [], [], []
        for _ in range(50):
            level = draw.gauss(0, 1)
            left = [level + shift for shift in _repeats(draw)]
            right = [level + shift for shift in _repeats(draw)]
            a.append(math.fsum(left) / 10)
            b.append(math.fsum(right) / 10)
            every += [y - x for x, y in zip(left, right, strict=True)]
        paired += difference(a, b, None).p < 0.05
        centre, se = mean(every)
        naive += abs(centre) > 1.96 * (se or 1)
    yield Share("false alarms of compare, paired by case", paired, runs, 0.04, 0.06)
    yield Share("false alarms if repeats were n (for contrast)", naive, runs, 0.10, 0.60)


def _repeats(draw: random.Random) -> list[float]:
    own = draw.gauss(0, 0.35)
    return [own + draw.gauss(0, 1) for _ in range(10)]


def n2(runs: int, draw: random.Random) -> Iterator[Share]:
    """Coverage of a rate's interval: no point under 93 %, 94.5 % on average."""
    sizes, rates = (10, 20, 30, 50, 100, 142, 300, 1000), (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
    total = points = 0
    for n in sizes:
        ends = [rate(right, n) for right in range(n + 1)]
        lowest, held_lowest = 1.0, runs
        for p in rates:
            rights = draw.choices(range(n + 1), [binomial_pmf(k, n, p) for k in range(n + 1)], k=runs)
            held = sum((ends[k].low or 0) <= p <= (ends[k].high or 1) for k in rights)
            total, points = total + held, points + 1
            if held / runs < lowest:
                lowest, held_lowest = held / runs, held
        yield Share(f"least coverage over rates 0.5..0.99, n = {n}", held_lowest, runs, 0.93, 1)
    yield Share("coverage on average", total // points, runs, 0.945, 1)


def n3(runs: int, draw: random.Random) -> Iterator[Share]:
    """A known effect with the number of cases that is planned for 80 % power."""
    for before, after, correlation in ((0.70, 0.78, 0.0), (0.60, 0.70, 0.5), (0.85, 0.90, 0.3)):
        sd = sd_of_differences(before, after, correlation)
        n = cases_needed(after - before, sd)
        if n is None:
            raise SystemExit(f"no number of cases shows {after - before}")
        both = before * after + correlation * math.sqrt(before * (1 - before) * after * (1 - after))
        gained, lost = after - both, before - both
        found = 0
        for _ in range(runs):
            gaps = draw.choices((1.0, -1.0, 0.0), (gained, lost, 1 - gained - lost), k=n)
            found += difference([0.0] * n, gaps).p < 0.05
        what = f"power at {before:.2f} -> {after:.2f}, correlation {correlation}, n = {n}"
        yield Share(what, found, runs, 0.77, 0.83)


def n4(runs: int, draw: random.Random) -> Iterator[Share]:
    """20 slices of 40 cases without a difference."""
    raw = kept = 0
    for _ in range(runs):
        p_values = []
        for _ in range(20):
            gaps = [draw.gauss(0, 1) for _ in range(40)]
            p_values.append(difference([0.0] * 40, gaps, None).p)
        raw += min(p_values) < 0.05
        kept += min(holm(p_values)) < 0.05
    yield Share("any alarm of 20 null slices, Holm", kept, runs, 0, 0.055)
    yield Share("any alarm of 20 null slices, raw (for contrast)", raw, runs, 0.60, 0.68)


def n6(runs: int, draw: random.Random) -> Iterator[Share]:
    """80 right, 10 wrong, 10 errors in any order: the summary's figures are exact."""
    right = 0
    kinds = [True] * 80 + [False] * 10 + [None] * 10
    for _ in range(runs):
        draw.shuffle(kinds)
        run = _run(100, "a")
        (found,) = summarise((_trial(n, kind) for n, kind in enumerate(kinds)), run).models
        right += (
            found.headline.value == 0.8
            and math.isclose(found.completed_only.value or 0, 8 / 9)
            and math.isclose(found.bounds.worst or 0, 0.8)
            and math.isclose(found.bounds.best or 0, 0.9)
            and sum(found.statuses.values()) == 100
        )
    yield Share("headline .80, completed .889, bounds [.80, .90], sum 100", right, runs, 1, 1)


def n7(runs: int, draw: random.Random) -> Iterator[Share]:
    """Errors in 10 % of arm B only, through the gate; and two whole arms, for contrast."""
    gate = Gate("exact", "min", -0.02, drop=True)
    broken = whole = 0
    cases = range(40)
    for number in range(runs):
        scores = [draw.random() < 0.8 for _ in cases]
        again = [draw.random() < 0.8 for _ in cases]
        failed = set(draw.sample(cases, 4))
        a = _side([_trial(n, score) for n, score in enumerate(scores)], "a")
        b = _side([_trial(n, None if n in failed else score) for n, score in enumerate(again)], "b")
        broken += Gating([b], {"BASELINE": [a]}).report([gate]).verdict == "INVALID"
        if number % 10 == 0:
            c = _side([_trial(n, score) for n, score in enumerate(again)], "b")
            whole += Gating([c], {"BASELINE": [a]}).report([gate]).verdict == "INVALID"
    yield Share("INVALID with errors in 10 % of arm B", broken, runs, 1, 1)
    yield Share("INVALID without errors (for contrast)", whole, -(-runs // 10), 0, 0)


def n9(runs: int, draw: random.Random) -> Iterator[Share]:
    """A judge of 95 % sensitivity and 70 % specificity, 1,000 judged cases, 100 labelled, truth 0.6."""
    plain = tuned = raw = 0
    yes = 0.6 * 0.95 + 0.4 * 0.3
    for _ in range(runs):
        judged = draw.choices((1.0, 0.0), (yes, 1 - yes), k=1000)
        chances = (0.6 * 0.95, 0.6 * 0.05, 0.4 * 0.3, 0.4 * 0.7)
        pairs = draw.choices(((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)), chances, k=100)
        for is_tuned in (False, True):
            found = prediction_powered_mean(judged, pairs, tuned=is_tuned)
            held = found.low is not None and found.high is not None and found.low <= 0.6 <= found.high
            plain += held and not is_tuned
            tuned += held and is_tuned
        straight = rate(int(sum(judged)), 1000)
        raw += (straight.low or 0) <= 0.6 <= (straight.high or 1)
    yield Share("coverage of the prediction-powered mean", plain, runs, 0.93, 0.97)
    yield Share("coverage of the tuned one (PPI++)", tuned, runs, 0.93, 0.97)
    yield Share("coverage of the judge's raw interval", raw, runs, 0, 0.001)


def _trial(n: int, value: bool | None) -> Trial:
    case = Case(f"c{n}", f"c{n}")
    if value is None:
        return Trial("r", f"k{n}", case, "m", 0, 0, Status.FAILED, ErrorClass.TIMEOUT.value)
    return Trial("r", f"k{n}", case, "m", 0, 0, Status.SCORED, scores=(Score("exact", value),))


def _run(planned: int, name: str) -> Run:
    return Run(
        id=name,
        plan={},
        task="t",
        fingerprint="",
        headline="exact",
        models=("m",),
        planned=planned,
        seed=0,
        wall=0,
        version="",
        state="completed",
    )


def _side(trials: list[Trial], name: str) -> Side:
    return Side(_run(len(trials), name), "m", lambda: trials)


SIMULATIONS: dict[str, Callable[[int, random.Random], Iterator[Share]]] = {
    "N1": n1,
    "N2": n2,
    "N3": n3,
    "N4": n4,
    "N6": n6,
    "N7": n7,
    "N8": n8,
    "N9": n9,
    "N10": n10,
    "N18": n18,
    "N19": n19,
    "N20": n20,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Do tests, intervals and gates keep what they promise?")
    parser.add_argument(
        "names", nargs="*", metavar="N", help=f"which of {' '.join(SIMULATIONS)}; all if none"
    )
    parser.add_argument("--runs", type=int, default=FULL)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    unknown = set(given.names) - SIMULATIONS.keys()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; known: {', '.join(SIMULATIONS)}")
    left = 0
    print(f"{given.runs} repetitions each, seed {given.seed}: share, promise, binomial band of the promise")
    for name in given.names or SIMULATIONS:
        start = time.monotonic()
        for share in SIMULATIONS[name](given.runs, random.Random(f"{given.seed} {name}")):
            low, high = band(share)
            held = inside(share, full=given.runs >= FULL)
            left += not held
            verdict = "" if held else "  LEFT THE BAND"
            found = f"{share.hits / share.runs:.4f}"
            promise = f"[{share.least:g}, {share.most:g}]"
            print(f"{name}  {share.what:<62} {found:>7}  {promise:<14} [{low:.4f}, {high:.4f}]{verdict}")
            sys.stdout.flush()
        print(f"{name}  ({time.monotonic() - start:.0f} s)", flush=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())

"""Real answers compared: the four GSM8K answer sets of Cobbe et al. (arXiv 2110.14168), pair by pair.

Scores them without a call (`recorded/FILE#FIELD`), compares every two sets, and computes difference,
interval and p-value again with scipy and statsmodels. Exits with 1 if any figure differs by more than
1e-9, or a flip is missing.

    python benchmarks/gsm8k.py TEST.jsonl SOLUTIONS.jsonl
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # ships no types
from statsmodels.stats.contingency_tables import mcnemar  # type: ignore[import-untyped]  # ships no types

from assay import api
from assay.plan import ModelChoice, Plan
from assay.ports import Where
from assay.reports.compare import Comparison, compare
from assay.store.sqlite import SqliteStore
from assay.trial import Trial

SETS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
CLOSE = 1e-9


def scored(test: Path, solutions: Path, store: Path) -> dict[str, list[Trial]]:
    """Every answer scored by the shipped task, by set."""
    names = {f"recorded/{solutions.resolve()}#{name}": name for name in SETS}
    plan = Plan(task="gsm8k", data=str(test), models=tuple(map(ModelChoice, names)))
    result = asyncio.run(api.run(plan, store=store))
    record = SqliteStore.open(store, create=False)
    return {
        name: list(record.trials(Where(run=result.run.id, model=model, calls=False)))
        for model, name in names.items()
    }


def again(a: list[Trial], b: list[Trial]) -> tuple[float, float, float, float, int, int]:
    """Difference, interval, exact p, cases gained and lost, by other people's code."""
    left, right = ({trial.case.id: float(bool(trial.scores[0].value)) for trial in arm} for arm in (a, b))
    gaps = np.array([right[case] - left[case] for case in left])
    interval = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    gained, lost = int((gaps > 0).sum()), int((gaps < 0).sum())
    both = sum(left[case] == right[case] == 1 for case in left)
    table = [[both, lost], [gained, len(gaps) - both - lost - gained]]
    p = float(mcnemar(table, exact=True).pvalue)
    return float(gaps.mean()), float(interval.low), float(interval.high), p, gained, lost


def equal(ours: Comparison, theirs: tuple[float, float, float, float, int, int]) -> bool:
    d = ours.difference
    mine = (d.value, d.low, d.high, ours.p, ours.better_count, ours.worse_count)
    return all(x is not None and abs(x - y) <= CLOSE for x, y in zip(mine, theirs, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("test", type=Path)
    parser.add_argument("solutions", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        arms = scored(given.test, given.solutions, Path(folder) / "assay.db")
        took = time.monotonic() - began
    cases = len(arms[SETS[0]])
    print(f"{len(SETS)} x {cases} answers scored in {took:.1f} s")
    for name, arm in arms.items():
        right = sum(bool(trial.scores[0].value) for trial in arm)
        print(f"{name:<18} {right / cases:.4f}  {right} of {cases}")
    wrong = 0
    for a, b in combinations(SETS, 2):
        ours = compare(arms[a], arms[b], headline="numeric", names=(a, b))
        same = equal(ours, again(arms[a], arms[b]))
        wrong += not same
        d = ours.difference
        figures = f"{100 * (d.value or 0):+6.2f} [{100 * (d.low or 0):+6.2f}, {100 * (d.high or 0):+6.2f}]"
        flips = f"{ours.better_count:>4} better {ours.worse_count:>4} worse"
        word = "as scipy and statsmodels" if same else "DIFFERS"
        print(f"{b} - {a}: {figures} points, {ours.test} p {ours.p:.3g}, {flips}: {word}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

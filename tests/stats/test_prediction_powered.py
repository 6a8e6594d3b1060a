"""The corrected mean of a judge: the formula by NumPy, its coverage, and its degenerate cases."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from assay.stats.prediction_powered import prediction_powered_mean


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def judge(stream: random.Random, truth: bool) -> float:
    """95 % of the right ones are called right, 70 % of the wrong ones wrong."""
    return float(stream.random() < 0.95) if truth else float(stream.random() >= 0.7)


@pytest.mark.parametrize("tuned", [False, True])
def test_value_and_interval_equal_their_formulas_on_1000_inputs(tuned):
    stream, z = random.Random(1), stats.norm.ppf(0.975)
    for _ in range(1000):
        n, total = stream.randint(3, 30), stream.randint(5, 80)
        judged = np.array([stream.random() for _ in range(total)])
        scores = np.array([stream.random() for _ in range(n)])
        labels = np.clip(scores + np.array([stream.gauss(0, 0.4) for _ in range(n)]), 0, 1)
        power = 1.0
        if tuned:
            variance = np.var(np.concatenate([judged, scores]), ddof=1)
            power = float(np.clip(np.cov(labels, scores)[0, 1] / ((1 + n / total) * variance), 0, 1))
        rest = labels - power * scores
        value = power * judged.mean() + rest.mean()
        se = np.sqrt(power**2 * judged.var(ddof=1) / total + rest.var(ddof=1) / n)
        pairs = list(zip(labels.tolist(), scores.tolist(), strict=True))
        found = sure(prediction_powered_mean(judged.tolist(), pairs, tuned=tuned, bounds=None))
        assert found.value == pytest.approx(value, abs=1e-9)
        assert found.se == pytest.approx(se, abs=1e-9)
        assert (found.low, found.high) == pytest.approx((value - z * se, value + z * se), abs=1e-9)


def test_the_interval_covers_the_truth_that_the_raw_judges_never_covers():
    stream, held, tuned, raw, runs = random.Random(2), 0, 0, 0, 600
    for _ in range(runs):
        judged = [judge(stream, stream.random() < 0.6) for _ in range(1000)]
        truths = [stream.random() < 0.6 for _ in range(100)]
        pairs = [(float(truth), judge(stream, truth)) for truth in truths]
        found = sure(prediction_powered_mean(judged, pairs))
        held += found.low <= 0.6 <= found.high
        better = sure(prediction_powered_mean(judged, pairs, tuned=True))
        tuned += better.low <= 0.6 <= better.high
        assert better.se <= found.se + 1e-3
        mean = sum(judged) / 1000
        half = 1.96 * (mean * (1 - mean) / 1000) ** 0.5
        raw += mean - half <= 0.6 <= mean + half
    assert 0.93 <= held / runs <= 0.97
    assert 0.92 <= tuned / runs <= 0.97
    assert raw == 0


def test_a_tuned_mean_leans_on_a_judge_only_as_far_as_it_knows_anything():
    stream = random.Random(3)
    truths = [stream.random() < 0.5 for _ in range(200)]
    guesses = [(float(truth), stream.random()) for truth in truths]
    blind = sure(prediction_powered_mean([stream.random() for _ in range(2000)], guesses, tuned=True))
    labels_alone = (0.25 / 200) ** 0.5
    assert blind.se == pytest.approx(labels_alone, rel=0.1)
    assert blind.method.endswith("(tuned)")


def test_a_judge_who_never_errs_on_few_labels_keeps_a_width_for_what_was_not_seen():
    judged = [1.0] * 60 + [0.0] * 40
    few = sure(prediction_powered_mean(judged, [(1.0, 1.0)] * 5 + [(0.0, 0.0)] * 5))
    many = sure(prediction_powered_mean(judged, [(1.0, 1.0)] * 50 + [(0.0, 0.0)] * 50))
    assert few.value == many.value == pytest.approx(0.6)
    assert few.high - few.low > many.high - many.low > 2 * 1.96 * many.se


def test_the_interval_is_clipped_to_its_bounds():
    found = sure(prediction_powered_mean([1.0, 1.0, 0.9], [(1.0, 0.5), (1.0, 1.0), (0.9, 0.9)]))
    assert found.high == 1.0


def test_too_few_cases_have_no_interval_and_none_at_all_no_mean():
    one = prediction_powered_mean([0.0, 1.0], [(1.0, 0.0)])
    assert (one.value, one.low, one.method) == (1.5, None, "fewer than two cases")
    assert prediction_powered_mean([1.0], [(1.0, 1.0)] * 3).low is None
    flat = prediction_powered_mean([1.0] * 4, [(1.0, 1.0)] * 4, bounds=None)
    assert (flat.low, flat.method) == (None, "all values are equal")
    with pytest.raises(ValueError, match="no labelled"):
        prediction_powered_mean([1.0], [])
    with pytest.raises(ValueError, match="no judged"):
        prediction_powered_mean([], [(1.0, 1.0)])

"""Kappa and alpha against scikit-learn, statsmodels and krippendorff; undefined says undefined."""

from __future__ import annotations

import random
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]  # ships no types
from statsmodels.stats.inter_rater import cohens_kappa  # type: ignore[import-untyped]  # ships no types

from assay.stats.agreement import alpha, alpha_estimate, kappa

NAMES = {"none": None, "linear": "linear", "quadratic": "quadratic"}


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def drawn(stream: random.Random) -> tuple[list[int], list[int], list[int]]:
    """Labels of two judges of a scale who agree now and then."""
    k, n = stream.randint(2, 6), stream.randint(5, 60)
    a = [stream.randrange(k) for _ in range(n)]
    b = [x if stream.random() < 0.5 else stream.randrange(k) for x in a]
    return a, b, list(range(k))


@pytest.mark.parametrize("weights", NAMES)
def test_kappa_equals_scikit_learns_and_its_error_statsmodels_on_1000_inputs(weights):
    stream, told = random.Random(1), 0
    for _ in range(1000):
        a, b, labels = drawn(stream)
        ours = kappa(a, b, labels, weights)
        if len({*a, *b}) < 2:
            assert ours is None
            continue
        found = sure(ours)
        theirs = cohen_kappa_score(a, b, labels=labels, weights=NAMES[weights])
        assert found.value == pytest.approx(theirs, abs=1e-9)
        table = np.zeros((len(labels),) * 2)
        for x, y in zip(a, b, strict=True):
            table[x, y] += 1
        with np.errstate(invalid="ignore"):  # the root of -3e-17, where the variance is 0
            other = cohens_kappa(table, wt=NAMES[weights])
        assert found.value == pytest.approx(other.kappa, abs=1e-9)
        if found.se is not None:
            told += 1
            assert found.se == pytest.approx(other.std_kappa, abs=1e-9)
            assert found.low == pytest.approx(max(-1, other.kappa_low), abs=1e-9)
            assert found.high == pytest.approx(min(1, other.kappa_upp), abs=1e-9)
    assert told > 900


def test_one_label_alone_leaves_kappa_undefined():
    assert kappa([3, 3, 3], [3, 3, 3], [1, 2, 3], "quadratic") is None
    assert kappa([], [], [1, 2, 3]) is None
    constant_against_varied = sure(kappa([1, 1, 1], [1, 2, 1], [1, 2]))
    assert constant_against_varied.value == 0


def test_full_agreement_has_no_asymptotic_interval():
    found = sure(kappa([1, 2, 1, 2], [1, 2, 1, 2], [1, 2]))
    assert (found.value, found.low, found.se) == (1.0, None, None)
    assert "no spread" in found.method


def test_the_distance_of_labels_counts_their_places_also_of_labels_that_nobody_gave():
    a, b = ["poor", "good", "poor", "best"], ["poor", "best", "good", "best"]
    narrow = sure(kappa(a, b, ["poor", "good", "best"], "quadratic"))
    wide = sure(kappa(a, b, ["poor", "fair", "good", "best"], "quadratic"))
    assert narrow.value != wide.value
    assert wide.value == pytest.approx(
        cohen_kappa_score(a, b, labels=["poor", "fair", "good", "best"], weights="quadratic")
    )


def test_a_label_that_is_not_listed_and_judges_of_different_length_are_errors():
    with pytest.raises(KeyError):
        kappa([1, 9], [1, 1], [1, 2])
    with pytest.raises(ValueError, match="zip"):
        kappa([1], [1, 2], [1, 2])


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_equals_krippendorffs_package_on_1000_inputs_with_missing_ratings(level):
    stream, told = random.Random(2), 0
    for _ in range(1000):
        raters, things, k = stream.randint(2, 5), stream.randint(2, 20), stream.randint(1, 6)
        scale = [stream.choice((n, n * 1.5)) for n in range(k)]
        units = [
            [stream.choice(scale) if stream.random() < 0.7 else None for _ in range(raters)]
            for _ in range(things)
        ]
        paired = {r for unit in units for r in unit if r is not None and len(unit) - unit.count(None) > 1}
        ours = alpha(units, level)
        if len(paired) < 2:
            assert ours is None
            continue
        rows = np.array([[np.nan if r is None else r for r in unit] for unit in units], float).T
        theirs = krippendorff.alpha(reliability_data=rows, level_of_measurement=level)
        assert ours == pytest.approx(theirs, abs=1e-9)
        told += 1
    assert told > 600


def test_alpha_is_undefined_without_pairs_or_with_one_value_alone():
    assert alpha([]) is None
    assert alpha([[1, None], [None, 2]]) is None
    assert alpha([[4, 4], [4, None], [4, 4]], "ordinal") is None
    assert alpha_estimate([[4, 4], [4, 4]]).estimate is None


def test_krippendorffs_own_example_by_hand():
    """Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), example C."""
    a = [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None]
    b = [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3]
    c = [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None]
    d = [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None]
    units = [list(unit) for unit in zip(a, b, c, d, strict=True)]
    assert alpha(units, "nominal") == pytest.approx(0.743, abs=0.0005)
    assert alpha(units, "ordinal") == pytest.approx(0.815, abs=0.0005)
    assert alpha(units, "interval") == pytest.approx(0.849, abs=0.0005)


def test_the_interval_of_alpha_covers_the_truth():
    stream, held, runs = random.Random(3), 0, 120
    for run in range(runs):
        units = []
        for _ in range(60):
            truth = stream.randrange(3)
            judges = (truth if stream.random() < 0.7 else stream.randrange(3) for _ in range(2))
            units.append([float(each) for each in judges])
        found = sure(alpha_estimate(units, draws=200, seed=run).estimate)
        held += found.low <= 0.49 <= found.high  # with three equal labels alpha is 0.7 squared
    assert 0.87 <= held / runs <= 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_swapping_the_judges_changes_nothing(pairs):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    for weights in ("none", "linear", "quadratic"):
        one, other = kappa(a, b, range(4), weights), kappa(b, a, range(4), weights)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.value == pytest.approx(other.value)
    two, back = alpha([[x, y] for x, y in pairs]), alpha([[y, x] for x, y in pairs])
    assert two == (back if back is None else pytest.approx(back))

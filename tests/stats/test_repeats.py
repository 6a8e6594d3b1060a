"""pass@k and pass^k by enumeration, over cases, and for cases with too few attempts."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from assay.stats.repeats import all_of, any_of, pass_at_k, pass_hat_k


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def test_both_equal_the_share_of_all_subsets_of_k_attempts():
    for n in range(1, 8):
        for right in range(n + 1):
            attempts = [True] * right + [False] * (n - right)
            for k in range(1, n + 1):
                subsets = list(combinations(attempts, k))
                assert any_of(k, n, right) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)
                assert all_of(k, n, right) == pytest.approx(sum(map(all, subsets)) / len(subsets), abs=1e-12)


def test_pass_at_k_equals_the_product_of_its_authors_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        n = stream.randint(1, 200)
        right, k = stream.randint(0, n), stream.randint(1, n)
        authors = 1.0 if n - right < k else 1.0 - np.prod(1.0 - k / np.arange(n - right + 1, n + 1))
        assert any_of(k, n, right) == pytest.approx(authors, abs=1e-9)


def test_the_estimates_are_unbiased_for_a_known_rate():
    stream, rate, n, k, runs = random.Random(2), 0.3, 5, 3, 20_000
    rights = [sum(stream.random() < rate for _ in range(n)) for _ in range(runs)]
    assert sum(any_of(k, n, r) for r in rights) / runs == pytest.approx(1 - 0.7**3, abs=0.01)
    assert sum(all_of(k, n, r) for r in rights) / runs == pytest.approx(0.3**3, abs=0.004)


def test_cases_with_fewer_than_k_attempts_are_left_out_and_counted():
    found = pass_at_k([(4, 2), (1, 1), (2, 0), (1, 0)], 2)
    assert found.left_out == 2
    estimate = sure(found.estimate)
    assert estimate.n == 2
    assert estimate.value == pytest.approx((5 / 6 + 0) / 2)
    assert sure(pass_hat_k([(4, 2), (2, 2)], 2).estimate).value == pytest.approx((1 / 6 + 1) / 2)
    assert pass_at_k([(1, 1)], 2).estimate is None


def test_where_every_case_passes_the_interval_still_has_a_width():
    estimate = sure(pass_at_k([(3, 3)] * 40, 2).estimate)
    assert estimate.value == estimate.high == 1
    assert 0.9 < estimate.low < 1


@pytest.mark.parametrize(("k", "n", "right"), [(0, 3, 1), (4, 3, 1), (1, 3, 4), (1, 3, -1)])
def test_attempts_that_cannot_be_are_errors(k, n, right):
    with pytest.raises(ValueError, match="attempts"):
        any_of(k, n, right)
    with pytest.raises(ValueError, match="attempts"):
        all_of(k, n, right)

"""The confusion table against scikit-learn, and of kinds that do not occur."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sklearn import metrics  # type: ignore[import-untyped]  # ships no types

from assay.stats.confusion import confusion
from assay.stats.intervals import rate


def sure(value: object) -> Any:
    """A value read without its "or None": where it is None, the test that reads on fails."""
    return value


def test_counts_recall_precision_and_accuracy_equal_scikit_learns_on_1000_inputs():
    stream = random.Random(1)
    for _ in range(1000):
        k, n = stream.randint(2, 5), stream.randint(1, 40)
        truth = [stream.randrange(k) for _ in range(n)]
        given = [t if stream.random() < 0.6 else stream.randrange(k) for t in truth]
        labels = list(range(k))
        found = confusion(truth, given, labels)
        assert [list(row) for row in found.counts] == metrics.confusion_matrix(
            truth, given, labels=labels
        ).tolist()
        assert sure(found.accuracy).value == pytest.approx(metrics.accuracy_score(truth, given), abs=1e-9)
        recalls = metrics.recall_score(truth, given, labels=labels, average=None, zero_division=np.nan)
        precisions = metrics.precision_score(truth, given, labels=labels, average=None, zero_division=np.nan)
        for label in labels:
            recall, precision = found.recall(label), found.precision(label)
            for ours, theirs in ((recall, recalls[label]), (precision, precisions[label])):
                assert (ours.value if ours else np.nan) == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def test_sensitivity_and_specificity_by_hand_with_their_intervals():
    truth = [True] * 20 + [False] * 10
    given = [True] * 19 + [False] + [True] * 3 + [False] * 7
    found = confusion(truth, given, (True, False))
    assert found.sensitivity(True) == rate(19, 20)
    assert found.specificity(True) == rate(7, 10)
    assert found.specificity(False) == found.sensitivity(True)
    assert found.n == 30


def test_a_kind_that_does_not_occur_has_no_rate():
    found = confusion(["no", "no"], ["no", "no"], ("yes", "no"))
    assert found.sensitivity("yes") is None
    assert found.precision("yes") is None
    assert found.specificity("no") is None
    assert sure(found.specificity("yes")).value == 1
    assert confusion([], [], ("yes", "no")).accuracy is None


def test_unlisted_labels_and_unequal_lengths_are_errors():
    with pytest.raises(KeyError):
        confusion(["maybe"], ["yes"], ("yes", "no"))
    with pytest.raises(ValueError, match="zip"):
        confusion(["yes"], [], ("yes", "no"))

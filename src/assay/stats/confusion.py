"""Truth against verdict: the table of counts, and what a judge gets right of each kind."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from assay.stats.intervals import Estimate, rate

L = TypeVar("L", bound=Hashable)


class Confusion(Struct, Generic[L], frozen=True):
    """counts[i][j] things are labels[i] in truth and were given labels[j]."""

    labels: tuple[L, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        return sum(map(sum, self.counts))

    @property
    def accuracy(self) -> Estimate | None:
        """The share that was given its true label; None of nothing."""
        return _rate(sum(self.counts[i][i] for i in range(len(self.labels))), self.n)

    def recall(self, label: L) -> Estimate | None:
        """Of the things that are `label`, the share that was given it; None if there are none."""
        i = self.labels.index(label)
        return _rate(self.counts[i][i], sum(self.counts[i]))

    def precision(self, label: L) -> Estimate | None:
        """Of the things that were given `label`, the share that is it; None if there are none."""
        i = self.labels.index(label)
        return _rate(self.counts[i][i], sum(row[i] for row in self.counts))

    def specificity(self, label: L) -> Estimate | None:
        """Of the things that are not `label`, the share that was not given it; None if there are none."""
        i = self.labels.index(label)
        others = [row for j, row in enumerate(self.counts) if j != i]
        n = sum(map(sum, others))
        return _rate(n - sum(row[i] for row in others), n)

    def sensitivity(self, label: L) -> Estimate | None:
        """The recall of `label`, by its name where `label` is what a test looks for."""
        return self.recall(label)


def confusion(truth: Sequence[L], given: Sequence[L], labels: Sequence[L]) -> Confusion[L]:
    """The table of two label lists over the same things.

    Raises ValueError where they differ in length and KeyError for a label that is not listed.
    """
    place = {label: index for index, label in enumerate(labels)}
    counts = [[0] * len(place) for _ in place]
    for true, said in zip(truth, given, strict=True):
        counts[place[true]][place[said]] += 1
    return Confusion(tuple(labels), tuple(map(tuple, counts)))


def _rate(hits: int, n: int) -> Estimate | None:
    return rate(hits, n) if n else None

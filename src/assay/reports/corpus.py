"""Figures of text that belong to a whole set: corpus BLEU and chrF, pooled error rates, and whether
the rounds of a case have one shape. They are made of the counts that scores keep in their details.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from msgspec import Struct

from assay.keys import JSON
from assay.scorers.ngrams import bleu_of, chrf_of
from assay.trial import Score, Trial

EDITS = ("substitutions", "deletions", "insertions")


class CorpusFigure(Struct, frozen=True):
    """A figure of a set: made of `trials` that were scored, in `rounds` (repeats) that were averaged."""

    value: float
    trials: int
    rounds: int


def corpus_figures(trials: Iterable[Trial]) -> dict[str, dict[str, CorpusFigure]]:
    """By model: `corpus_bleu`, `corpus_chrf`, `pooled_wer`, `pooled_cer` (each computed a round over
    all of its cases, then averaged over rounds: pipeline.md 3), and `structural_consistency`.

    A figure stands only where its scorer kept counts; unscored trials are not in it.
    """
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for trial in trials:
        for score in trial.scores:
            tallies[trial.model].add(trial, score)
    return {model: tally.figures() for model, tally in tallies.items()}


class _Tally:
    """The counts of one model's scores, by name and round; the shapes of its replies, by case."""

    def __init__(self) -> None:
        self._rounds: dict[str, dict[int, list[Mapping[str, JSON]]]] = defaultdict(lambda: defaultdict(list))
        self._shapes: dict[str, list[frozenset[str]]] = defaultdict(list)

    def add(self, trial: Trial, score: Score) -> None:
        if score.unscored is not None or not isinstance(score.details, dict):
            return
        if score.name in _FIGURES:
            self._rounds[score.name][trial.repeat].append(score.details)
        elif score.name == "structure_match":
            self._shapes[trial.case.id].append(frozenset(score.details.get("shape", ())))

    def figures(self) -> dict[str, CorpusFigure]:
        found = {}
        for scorer, rounds in self._rounds.items():
            name, pool = _FIGURES[scorer]
            values = [value for details in rounds.values() if (value := pool(details)) is not None]
            if values:
                count = sum(map(len, rounds.values()))
                found[name] = CorpusFigure(math.fsum(values) / len(values), count, len(values))
        repeated = [shapes for shapes in self._shapes.values() if len(shapes) > 1]
        if repeated:
            value = math.fsum(map(_consistency, repeated)) / len(repeated)
            most = max(map(len, repeated))
            found["structural_consistency"] = CorpusFigure(value, sum(map(len, repeated)), most)
        return found


def _consistency(shapes: list[frozenset[str]]) -> float:
    """The mean Jaccard index over all pairs of rounds; two replies that are no JSON share nothing."""
    pairs = list(combinations(shapes, 2))
    return math.fsum(len(a & b) / len(a | b) for a, b in pairs if a or b) / len(pairs)


def _bleu(details: list[Mapping[str, JSON]]) -> float:
    counts, totals = (
        [sum(order) for order in zip(*(each[name] for each in details), strict=True)]
        for name in ("counts", "totals")
    )
    reply, reference = (sum(each[name] for each in details) for name in ("reply_length", "reference_length"))
    return bleu_of(counts, totals, reply, reference)


def _chrf(details: list[Mapping[str, JSON]]) -> float:
    columns = zip(*(each["orders"] for each in details), strict=True)
    return chrf_of([[sum(counts) for counts in zip(*order, strict=True)] for order in columns])


def _error_rate(details: list[Mapping[str, JSON]]) -> float | None:
    """Pooled edits over the pooled length of the references."""
    length = sum(each["reference_length"] for each in details)
    return sum(each[name] for each in details for name in EDITS) / length if length else None


_FIGURES = {
    "bleu": ("corpus_bleu", _bleu),
    "chrf": ("corpus_chrf", _chrf),
    "wer": ("pooled_wer", _error_rate),
    "cer": ("pooled_cer", _error_rate),
}

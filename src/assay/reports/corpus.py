"""Figures of text that belong to a whole set: corpus BLEU and chrF, pooled error rates, and whether
the rounds of a case have one shape. They are made of the counts that scores keep in their details.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

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
    tallies: dict[str, CorpusTally] = defaultdict(CorpusTally)
    for trial in trials:
        for score in trial.scores:
            tallies[trial.model].add(trial, score)
    return {model: tally.figures() for model, tally in tallies.items()}


class _Round(Struct):
    """The counts of one round added up: by name, in the order of the details' lists."""

    counts: dict[str, list[float]] = {}
    trials: int = 0

    def add(self, details: Mapping[str, JSON], names: Sequence[str]) -> None:
        """Adds these counts. A scorer of one's own by the same name may lack them: then nothing."""
        if any(name not in details for name in names):
            return
        self.trials += 1
        for name in names:
            flat = list(_numbers(details[name]))
            held = self.counts.setdefault(name, [])
            held += [0] * (len(flat) - len(held))
            for place, number in enumerate(flat):
                held[place] += number


def _numbers(value: JSON) -> Iterator[float]:
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _numbers(each)


class CorpusTally:
    """The counts of one model's scores, by name and round; the shapes of its replies, by case."""

    def __init__(self) -> None:
        self._rounds: dict[str, dict[int, _Round]] = {}
        self._shapes: dict[str, list[frozenset[str]]] = defaultdict(list)

    def add(self, trial: Trial, score: Score) -> None:
        if score.unscored is not None or not isinstance(score.details, dict):
            return
        if score.name in _FIGURES:
            rounds = self._rounds.setdefault(score.name, {})
            rounds.setdefault(trial.repeat, _Round()).add(score.details, _FIGURES[score.name].names)
        elif score.name == "structure_match":
            self._shapes[trial.case.id].append(frozenset(score.details.get("shape", ())))

    def figures(self) -> dict[str, CorpusFigure]:
        found = {}
        for scorer, rounds in self._rounds.items():
            figure = _FIGURES[scorer]
            kept = [each for each in rounds.values() if each.trials]
            values = [value for each in kept if (value := figure.pool(each.counts)) is not None]
            if values:
                count = sum(each.trials for each in kept)
                found[figure.name] = CorpusFigure(math.fsum(values) / len(values), count, len(values))
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


Counts = Mapping[str, Sequence[float]]


def _bleu(counts: Counts) -> float:
    matches, totals = ([int(n) for n in counts[name]] for name in ("counts", "totals"))
    return bleu_of(matches, totals, int(counts["reply_length"][0]), int(counts["reference_length"][0]))


def _chrf(counts: Counts) -> float:
    flat = [int(n) for n in counts["orders"]]
    return chrf_of([flat[at : at + 3] for at in range(0, len(flat), 3)])


def _error_rate(counts: Counts) -> float | None:
    """Pooled edits over the pooled length of the references."""
    length = counts["reference_length"][0]
    return sum(counts[name][0] for name in EDITS) / length if length else None


class _Figure(NamedTuple):
    """A figure's name, the counts that it is made of, and how."""

    name: str
    names: tuple[str, ...]
    pool: Callable[[Counts], float | None]


_RATE = (*EDITS, "reference_length")
_FIGURES = {
    "bleu": _Figure("corpus_bleu", ("counts", "totals", "reply_length", "reference_length"), _bleu),
    "chrf": _Figure("corpus_chrf", ("orders",), _chrf),
    "wer": _Figure("pooled_wer", _RATE, _error_rate),
    "cer": _Figure("pooled_cer", _RATE, _error_rate),
}

"""How far a score agrees with what people say, and its mean corrected by that."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import median_low

from msgspec import Struct

from assay.reports.figures import CaseSum
from assay.stats.agreement import Weights, alpha_estimate, kappa
from assay.stats.confusion import Confusion, confusion
from assay.stats.intervals import Estimate, bounded_mean
from assay.stats.prediction_powered import prediction_powered_mean
from assay.trial import Label, Score

MOST_GRADES = 101
"""A scale of more grades has no table of counts."""


class Calibration(Struct, frozen=True):
    """A score against people's labels of `n` of its trials (of `cases` cases) by `raters` people.

    Of several raters of a trial the lower median counts; `people` is Krippendorff's alpha between them.
    `kappa` is Cohen's between people and score (`weights`: none for right and wrong, quadratic for a
    scale), `confusion` counts people's labels (rows) against the score's, `agree` is the share of equal
    ones. `corrected` is the prediction-powered mean: what people would say on average of all cases, if
    the labelled ones are a random sample of them. None where there is none; `why` says the reasons.
    """

    n: int
    cases: int
    raters: int
    people: Estimate | None
    weights: Weights
    kappa: Estimate | None
    agree: Estimate | None
    confusion: Confusion[float] | None
    corrected: Estimate | None
    why: tuple[str, ...]


class LabelTally:
    """The labelled trials of one score of one model: people's labels beside the score's number."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, float, float]] = []
        self.units: list[list[float | None]] = []
        self.raters: dict[str, int] = {}

    def add(self, case: str, labels: Sequence[Label], number: float) -> None:
        """Takes in what people said of a trial's score, one label a rater."""
        unit: list[float | None] = [None] * len(self.raters)
        for label in labels:
            place = self.raters.setdefault(label.rater, len(self.raters))
            unit += [None] * (place + 1 - len(unit))
            unit[place] = label.value
        self.units.append(unit)
        self.pairs.append((case, median_low([label.value for label in labels]), number))


class LabelTallies:
    """Labels by trial and score, met with the trials as they go by."""

    def __init__(self, labels: Collection[Label] = ()) -> None:
        self._labels: dict[tuple[str, str], list[Label]] = {}
        for label in labels:
            self._labels.setdefault((label.trial, label.name), []).append(label)
        self.found: dict[str, LabelTally] = {}

    def add(self, key: str, case: str, score: Score) -> None:
        labels = self._labels.get((key, score.name))
        number = score.number
        if labels is None or number is None or not math.isfinite(number):
            return
        self.found.setdefault(score.name, LabelTally()).add(case, labels, number)

    def __bool__(self) -> bool:
        return bool(self._labels)


def calibrate(
    tally: LabelTally, cases: Mapping[str, CaseSum], scale: tuple[float, float] | None
) -> Calibration:
    """The calibration of one score; `cases` are its sums over all scored trials, labelled or not."""
    labels, numbers = [label for _, label, _ in tally.pairs], [number for _, _, number in tally.pairs]
    low, high = scale if scale is not None else (min(*labels, *numbers, 0.0), max(*labels, *numbers, 1.0))
    grades = _grades(low, high, halves=any(value % 1 == 0.5 for value in labels))
    weights: Weights = "none" if len(grades) == 2 else "quadratic"
    why, table, agreed = [], None, None
    if len(grades) > MOST_GRADES or not {*labels, *numbers} <= set(grades):
        why.append("no kappa: means of grades are no labels")
    else:
        table = confusion(labels, numbers, grades)
        agreed = kappa(labels, numbers, grades, weights)
        if agreed is None:
            why.append("no kappa: people and score give one and the same label only")
    corrected = _corrected(tally, cases, (low, high))
    if corrected is None or corrected.low is None:
        why.append("no corrected mean: at least two labelled cases are needed")
    return Calibration(
        n=len(labels),
        cases=len({case for case, _, _ in tally.pairs}),
        raters=len(tally.raters),
        people=_people(tally, len(grades)),
        weights=weights,
        kappa=agreed,
        agree=table.accuracy if table is not None else None,
        confusion=table,
        corrected=corrected if corrected is not None and corrected.low is not None else None,
        why=tuple(why),
    )


def _grades(low: float, high: float, *, halves: bool) -> list[float]:
    """Every label of a scale; with halves where people gave one (a tie between two answers)."""
    steps = 2 if halves else 1
    first, last = math.floor(low), math.ceil(high)
    return [first + place / steps for place in range(min(MOST_GRADES, (last - first) * steps) + 1)]


def _people(tally: LabelTally, grades: int) -> Estimate | None:
    """How far the raters agree with each other."""
    if len(tally.raters) < 2:
        return None
    return alpha_estimate(tally.units, "nominal" if grades == 2 else "ordinal", draws=500).estimate


def _corrected(
    tally: LabelTally, cases: Mapping[str, CaseSum], bounds: tuple[float, float]
) -> Estimate | None:
    """Repeats are averaged first: cases are what is sampled."""
    sums: dict[str, tuple[CaseSum, CaseSum]] = {}
    for case, label, number in tally.pairs:
        said, scored = sums.setdefault(case, (CaseSum(), CaseSum()))
        said.add(label)
        scored.add(number)
    labelled = [(said.total / said.count, scored.total / scored.count) for said, scored in sums.values()]
    judged = [case.total / case.count for key, case in cases.items() if key not in sums]
    if len(labelled) < 2:
        return None
    if len(judged) < 2:
        return bounded_mean([label for label, _ in labelled], bounds)
    return prediction_powered_mean(judged, labelled, tuned=True, bounds=bounds)

"""What a judge did beside its grades: verdicts without a number, second asks, spread, suspicions."""

from __future__ import annotations

from msgspec import Struct

from assay.keys import JSON
from assay.reports.calibration import Calibration
from assay.reports.preference import SCORE as PAIRS
from assay.reports.preference import PairTally, Preference
from assay.trial import Score, Trial

JUDGES = ("judge", PAIRS)
"""Scorers that ask a model; their scores are named by them."""

MOST_SUSPICIOUS = 20


class JudgeSummary(Struct, frozen=True):
    """A judge over one model's trials.

    `invalid` trials got no verdict in two asks, `asked_again` were asked twice. `spread` is the mean
    distance between the highest and the lowest of several verdicts on one trial; None without repeats.
    `suspicious` trials hold lines that look like an attempt on the judge, `names` are the first cases.
    `preference` is what a judge of pairs preferred; None for any other judge.
    `calibrations` are those of its scores that people labelled, by name; none means: not calibrated.
    """

    valid: int
    invalid: int
    asked_again: int
    spread: float | None
    suspicious: int
    names: tuple[str, ...]
    preference: Preference | None
    calibrations: dict[str, Calibration]


class JudgeTally:
    """What is kept of a judge's scores while trials go by."""

    def __init__(self) -> None:
        self.scales: dict[str, tuple[float, float]] = {}
        self._valid = self._invalid = self._again = self._suspicious = 0
        self._names: dict[str, None] = {}
        self._spread, self._spreads = 0.0, 0
        self._pairs: PairTally | None = None

    def add(self, trial: Trial, score: Score) -> None:
        """Takes in a judge's main score, which holds the details of its verdict."""
        details = score.details if isinstance(score.details, dict) else {}
        self._valid += score.unscored is None
        self._invalid += score.unscored == "judge_invalid"
        orders = details.get("orders")
        asked = [details, *(orders if isinstance(orders, list) else ())]
        self._again += any(one.get("asked", 0) > 1 for one in asked if isinstance(one, dict))
        if details.get("suspicious"):
            self._suspicious += 1
            if len(self._names) < MOST_SUSPICIOUS:
                self._names[trial.case.name or trial.key[:12]] = None
        if score.name == PAIRS:
            self._pairs = self._pairs or PairTally()
            self._pairs.add(trial, score)
        self._take_spread(details.get("spread"))
        self._take_scale(score.name, details.get("scale"))

    def _take_spread(self, spread: JSON) -> None:
        if isinstance(spread, dict) and spread:
            self._spread += sum(map(float, spread.values())) / len(spread)
            self._spreads += 1

    def _take_scale(self, name: str, scale: JSON) -> None:
        """The scale of each dimension, and of the score itself: the mean of them."""
        if not isinstance(scale, dict) or not scale or name in self.scales:
            return
        ends = [(float(low), float(high)) for low, high in scale.values()]
        self.scales |= {f"{name}_{each}": found for each, found in zip(scale, ends, strict=True)}
        self.scales[name] = sum(low for low, _ in ends) / len(ends), sum(high for _, high in ends) / len(ends)

    def summary(self, calibrations: dict[str, Calibration], model: str) -> JudgeSummary:
        """`model` names who was asked, where pairs were judged: the model of the trials is the judge."""
        return JudgeSummary(
            valid=self._valid,
            invalid=self._invalid,
            asked_again=self._again,
            spread=self._spread / self._spreads if self._spreads else None,
            suspicious=self._suspicious,
            names=tuple(self._names),
            preference=self._pairs.summary(model) if self._pairs is not None else None,
            calibrations=calibrations,
        )

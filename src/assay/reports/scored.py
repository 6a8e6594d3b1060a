"""The number of a score, where it has one that a mean may take in."""

from __future__ import annotations

import math

from assay.trial import Score, Trial


def finite(score: Score) -> float | None:
    """The score's number; None for labels, unscored ones and what is no finite number."""
    number = score.number
    return number if number is not None and math.isfinite(number) else None


def headline_number(trial: Trial, headline: str) -> float | None:
    """The number of a trial's headline score, None where it has none."""
    for score in trial.scores:
        if score.name == headline:
            return finite(score)
    return None

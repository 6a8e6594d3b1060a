"""What a watcher knows of one model so far: counts, scores, cost, errors and pace."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from assay.stats.intervals import rate
from assay.trial import Call, Status, Trial

COUNTED_AS_NOTHING = frozenset({Status.SKIPPED, Status.NOT_RUN})


@dataclass(slots=True)
class ModelTally:
    """Running figures of one model; the report makes the exact ones from the store."""

    ended: int = 0
    scored: int = 0
    total: float = 0.0
    cost: Decimal | None = None
    errors: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def call(self, call: Call) -> None:
        """Counts an attempt: what it cost, what went wrong."""
        if call.cost is not None and call.origin == "live":
            self.cost = (self.cost or Decimal(0)) + call.cost
        if call.error is not None:
            self.retried[call.error] += 1

    def trial(self, trial: Trial, headline: str) -> None:
        """Counts a trial that has its end: scored, or without a hope of it."""
        self.ended += 1
        if trial.status in COUNTED_AS_NOTHING:
            return
        self.scored += 1
        if trial.status is Status.FAILED:
            self.errors[trial.detail] += 1
        numbers = (score.number for score in trial.scores if score.name == headline)
        self.total += next((number for number in numbers if number is not None), 0.0)

    @property
    def mean(self) -> float | None:
        """The headline so far, a trial without a score counted as 0."""
        return self.total / self.scored if self.scored else None

    @property
    def margin(self) -> float | None:
        """Half of the 95 % interval of the headline so far, taken as a rate."""
        if not self.scored:
            return None
        estimate = rate(min(round(self.total), self.scored), self.scored)
        if estimate.low is None or estimate.high is None:
            return None
        return (estimate.high - estimate.low) / 2

    @property
    def pace(self) -> float:
        """Trials a second."""
        return self.ended / max(time.monotonic() - self.began, 1e-9)

    def troubles(self) -> str:
        """Failures and retried attempts, by class."""
        parts = [f"{count} {name} failed" for name, count in self.errors.most_common(2)]
        retried = self.retried - self.errors
        parts += [f"{count} {name} (retried)" for name, count in retried.most_common(2)]
        return ", ".join(parts)

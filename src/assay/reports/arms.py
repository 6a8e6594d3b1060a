"""One arm of a comparison: what each case came to, with one bounded reply, from its trials read once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from decimal import Decimal

from assay.reports.figures import CaseSum
from assay.reports.scored import headline_number
from assay.reports.tally import subject
from assay.trial import CallState, Status, Trial

REPLY_ROOM = 400
"""Characters of a reply that a comparison keeps."""

_LOST = frozenset({Status.FAILED, Status.INVALID, Status.UNSCORED})


class CaseResult(CaseSum):
    """A case's scores (failures as 0, counted in `lost`), its latency in seconds, its cost and a reply.

    `place` is its place among the cases of its arm, `priced` and `unpriced` count its live replies.
    """

    name: str = ""
    place: int = 0
    tags: dict[str, str] | None = None
    lost: int = 0
    seconds: float = 0.0
    timed: int = 0
    cost: Decimal = Decimal(0)
    priced: int = 0
    unpriced: int = 0
    reply: str = ""

    @property
    def mean(self) -> float:
        return self.total / self.count


class Arm:
    """The trials of one arm by case. Only window trials count, only live calls for time and spend.

    `latencies` are those of its calls, `owners` the places of their cases.
    """

    def __init__(self, headline: str) -> None:
        self._headline = headline
        self.cases: dict[str, CaseResult] = {}
        self.latencies, self.owners = array("d"), array("l")
        self.binary = self.unit = True

    @property
    def trials(self) -> int:
        return sum(case.count for case in self.cases.values())

    @property
    def cost(self) -> Decimal:
        return sum((case.cost for case in self.cases.values()), Decimal(0))

    @property
    def priced(self) -> int:
        return sum(case.priced for case in self.cases.values())

    @property
    def unpriced(self) -> int:
        return sum(case.unpriced for case in self.cases.values())

    def sliced(self, tag: str, value: str) -> Arm:
        """The arm of the cases with one value of one tag, made of what is kept already."""
        part = Arm(self._headline)
        part.cases = {key: case for key, case in self.cases.items() if (case.tags or {}).get(tag) == value}
        part.binary, part.unit = self.binary, self.unit
        within = bytearray(len(self.cases))
        for case in part.cases.values():
            within[case.place] = 1
        for latency, owner in zip(self.latencies, self.owners, strict=True):
            if within[owner]:
                part.latencies.append(latency)
                part.owners.append(owner)
        return part

    def add(self, trial: Trial) -> None:
        """Takes in one trial, unless it says nothing of quality."""
        number = self._number(trial)
        if number is None or trial.phase != "window":
            return
        case = self.cases.get(trial.case.id)
        if case is None:
            case = CaseResult(name=trial.case.name, place=len(self.cases), tags=trial.case.tags)
            self.cases[trial.case.id] = case
        self._score(trial, case, number)
        self._calls(trial, case)

    def _number(self, trial: Trial) -> float | None:
        if trial.status is Status.SCORED:
            return headline_number(trial, self._headline)
        if trial.status in _LOST and trial.detail != "not_applicable":
            return 0.0
        return None

    def _score(self, trial: Trial, case: CaseResult, number: float) -> None:
        case.add(number)
        self.binary &= number in (0.0, 1.0)
        self.unit &= 0.0 <= number <= 1.0
        if trial.status is not Status.SCORED:
            case.lost += 1
            case.reply = case.reply or f"({trial.status.value}: {trial.detail})"[:REPLY_ROOM]
        elif not case.reply and trial.transcript.final is not None:
            case.reply = trial.transcript.final.text[:REPLY_ROOM]

    def _calls(self, trial: Trial, case: CaseResult) -> None:
        role = subject(trial)
        for call in trial.calls:
            if call.origin != "live" or call.role != role:
                continue
            done = call.state is CallState.DONE
            if call.cost is not None:
                case.cost += call.cost
                case.priced += 1
            case.unpriced += done and call.cost is None
            latency = call.latency if done and not call.paused else None
            if latency is not None:
                self.latencies.append(latency)
                self.owners.append(case.place)
                case.seconds += latency
                case.timed += 1


def read(trials: Iterable[Trial], headline: str) -> Arm:
    """The arm that these trials are, each read once."""
    arm = Arm(headline)
    for trial in trials:
        arm.add(trial)
    return arm

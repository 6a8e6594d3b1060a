"""One model's trials as a gate reads them: their summary, and the samples that limits are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct, structs

from assay.ports import Run
from assay.reports.figures import CaseSum
from assay.reports.summary import ModelSummary, summarise
from assay.reports.tally import subject
from assay.trial import Call, CallState, Status, Trial

Tag = tuple[str, str]

_LOST = frozenset({Status.FAILED, Status.INVALID, Status.UNSCORED})
_PLAYED = frozenset({Status.SCORED, *_LOST})


class Side(Struct, frozen=True):
    """A model of a run; `trials()` reads its trials anew."""

    run: Run
    model: str
    trials: Callable[[], Iterable[Trial]]

    @property
    def name(self) -> str:
        return f"{self.run.id}:{self.model}"

    def sliced(self, tag: Tag | None) -> Iterator[Trial]:
        """Its trials, or those whose case has the tag."""
        for trial in self.trials():
            if tag is None or trial.case.tags.get(tag[0]) == tag[1]:
                yield trial


class Samples:
    """What is kept of each window trial beside the summary: by case what it cost and whether it was
    lost, and every time in seconds. Only live calls of the role under test cost and take time.
    """

    def __init__(self) -> None:
        self.lost: dict[str, bool] = {}
        self.failed: dict[str, CaseSum] = {}
        self.costs: dict[str, CaseSum] = {}
        self.seconds: dict[str, list[float]] = {name: [] for name in (*_OF_CALLS, *OF_TRIALS)}
        self.tags: dict[Tag, None] = {}
        self.unpriced = 0

    def watching(self, trials: Iterable[Trial]) -> Iterator[Trial]:
        """The trials as they come, each looked at in passing."""
        for trial in trials:
            if trial.phase == "window" and trial.status in _PLAYED:
                self._add(trial)
            yield trial

    def _add(self, trial: Trial) -> None:
        case = trial.case.id
        lost = trial.status in _LOST and trial.detail != "not_applicable"
        self.lost[case] = self.lost.get(case, False) or lost
        self.failed.setdefault(case, CaseSum()).add(float(trial.status is Status.FAILED))
        self.tags.update(dict.fromkeys(trial.case.tags.items()))
        role = subject(trial)
        calls = [call for call in trial.calls if call.role == role]
        self._cost(case, calls)
        for call in calls:
            self._time(call)
        answered = trial.status not in (Status.FAILED, Status.INVALID)
        if answered and all(call.origin == "live" for call in trial.calls):
            self.seconds["duration"].append(trial.ended - trial.started)
            self.seconds["response"].append(trial.ended - trial.due)

    def _cost(self, case: str, calls: list[Call]) -> None:
        if not calls or any(call.origin != "live" for call in calls):
            return
        priced = [call.cost for call in calls if call.cost is not None]
        self.unpriced += sum(call.state is CallState.DONE and call.cost is None for call in calls)
        self.costs.setdefault(case, CaseSum()).add(float(sum(priced)))

    def _time(self, call: Call) -> None:
        if call.origin != "live" or call.state is not CallState.DONE or call.paused or call.latency is None:
            return
        for name, of in _OF_CALLS.items():
            value = of(call)
            if value is not None:
                self.seconds[name].append(value)


def _tpot(call: Call) -> float | None:
    return 1 / call.output_rate if call.output_rate else None


_OF_CALLS: dict[str, Callable[[Call], float | None]] = {
    "latency": lambda call: call.latency,
    "ttft": lambda call: call.ttft,
    "tpot": _tpot,
}

OF_TRIALS = ("duration", "response")
TIMES = (*_OF_CALLS, *OF_TRIALS)


class Reading(NamedTuple):
    """The summary of one side over one slice with its samples."""

    summary: ModelSummary
    samples: Samples

    @property
    def ended(self) -> int:
        """Trials that ought to have a score."""
        statuses, unscored = self.summary.statuses, self.summary.reasons.get("unscored", {})
        ended = sum(statuses.get(status.value, 0) for status in _PLAYED)
        return ended - unscored.get("not_applicable", 0)

    @property
    def errors(self) -> int:
        """Trials without a true score: failed, invalid, unscored."""
        return self.ended - self.summary.statuses.get(Status.SCORED.value, 0)


def read(side: Side, tag: Tag | None) -> Reading:
    """Reads a side's trials once, all of them or those of one slice."""
    samples = Samples()
    run = structs.replace(side.run, models=(side.model,), planned=None)
    summary = summarise(samples.watching(side.sliced(tag)), run)
    return Reading(summary.models[0], samples)

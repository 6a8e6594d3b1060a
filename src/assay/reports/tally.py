"""What is kept of each trial while a report reads them one by one: counts, sums and raw times."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection
from decimal import Decimal

from assay.reports.calibration import LabelTallies
from assay.reports.corpus import CorpusTally
from assay.reports.figures import CaseSum, RoleSummary, Tokens, percentiles
from assay.reports.judges import JUDGES, JudgeTally
from assay.reports.repeats import RepeatTally
from assay.reports.scored import finite, headline_number
from assay.trial import Call, CallState, Label, Score, Status, Trial

MOST_LABELS = 50
"""Labels, reasons and tag values beyond so many are counted together."""

OTHERS = "(others)"

BYTES_OF_A_TOKEN = 4
"""Our own estimate, where nobody else counted."""


def bounded_count(counter: Counter[str], name: str, by: int = 1) -> None:
    """Counts a name that data chose; new names beyond MOST_LABELS go into one count."""
    known = name in counter or len(counter) < MOST_LABELS
    counter[name[:200] if known else OTHERS] += by


class RoleTally:
    """The calls of one role."""

    def __init__(self) -> None:
        self._models: dict[str, None] = {}
        self._states: Counter[CallState] = Counter()
        self._errors: Counter[str] = Counter()
        self._origins: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._tokens = [0, 0, 0, 0]
        self._uncounted = self._unpriced = self._paused = self._odd = 0
        self._estimated = [0, 0]
        self._cost = Decimal(0)
        self._latency, self._ttft = array("d"), array("d")
        self._tpot, self._rate = array("d"), array("d")

    def add(self, call: Call, *, timed: bool) -> None:
        """Takes in a call; `timed` says whether its trial counts for timing."""
        self._models[call.model] = None
        done = call.state is CallState.DONE
        if done:
            self._origins[call.origin] += 1
        if call.origin != "live":
            return
        self._states[call.state] += 1
        self._paused += call.paused
        if call.error is not None:
            self._errors[call.error.value] += 1
        self._spend(call, done=done)
        if done and timed and not call.paused:
            self._time(call)

    def _spend(self, call: Call, *, done: bool) -> None:
        if call.cost is not None:
            self._cost += call.cost
        elif done:
            self._unpriced += 1
        usage = call.reply.usage
        if done and (usage is None or call.reply.odd_usage):
            self._estimate(call)
        if usage is None:
            self._uncounted += done
            return
        self._sources[usage.source] += 1
        for place, count in enumerate((usage.input, usage.output, usage.cached, usage.reasoning)):
            self._tokens[place] += count

    def _estimate(self, call: Call) -> None:
        """Counts what nobody has counted, or nobody should believe, by its bytes."""
        self._odd += bool(call.reply.odd_usage)
        reply = call.reply
        calls = (each for message in call.request.messages for each in message.tool_calls)
        asked = [*(message.text for message in call.request.messages), *(each.arguments for each in calls)]
        said = [reply.text, reply.reasoning, reply.refusal, *(each.arguments for each in reply.tool_calls)]
        for place, texts in enumerate((asked, said)):
            size = sum(len(text.encode("utf-8", "replace")) for text in texts)
            self._estimated[place] += -(-size // BYTES_OF_A_TOKEN)

    def _time(self, call: Call) -> None:
        latency, ttft, output_rate = call.latency, call.ttft, call.output_rate
        if latency is None or call.request.continuation is not None:
            # never sent, a model without a clock, or no reply at all: nothing here is a time
            return
        self._latency.append(latency)
        if ttft is not None:
            self._ttft.append(ttft)
        if output_rate:
            self._rate.append(output_rate)
            self._tpot.append(1 / output_rate)

    def summary(self) -> RoleSummary:
        taken_in, given_out, cached, reasoning = self._tokens
        return RoleSummary(
            models=tuple(self._models),
            calls=sum(self._states.values()),
            failed_attempts=self._states[CallState.FAILED],
            errors=dict(self._errors.most_common()),
            unknown=self._states[CallState.RESERVED],
            paused=self._paused,
            origins=dict(self._origins),
            latency=percentiles(self._latency),
            ttft=percentiles(self._ttft),
            tpot=percentiles(self._tpot),
            output_rate=percentiles(self._rate),
            tokens=Tokens(
                taken_in,
                given_out,
                cached,
                reasoning,
                self._uncounted,
                dict(self._sources),
                self._odd,
                *self._estimated,
            ),
            cost_usd=self._cost,
            unpriced=self._unpriced,
        )


class ScoreTally:
    """The values of one score: conditional on being scored."""

    def __init__(self) -> None:
        self.cases: dict[str, CaseSum] = {}
        self.labels: Counter[str] = Counter()
        self.given = 0
        self.not_applicable = 0
        self.binary = self.unit = True

    def add(self, case: str, score: Score) -> None:
        if score.unscored is not None:
            self.not_applicable += score.unscored == "not_applicable"
            return
        number = finite(score)
        if number is not None:
            self.given += 1
            self.add_number(case, number)
        elif isinstance(score.value, str):
            self.given += 1
            bounded_count(self.labels, score.value)

    def add_number(self, case: str, number: float) -> None:
        self.binary &= number in (0.0, 1.0)
        self.unit &= 0.0 <= number <= 1.0
        self.cases.setdefault(case, CaseSum()).add(number)


class TimeTally:
    """When trials of the window were due, started and ended, in seconds since the run's start."""

    def __init__(self) -> None:
        self.lag, self.response, self.duration = array("d"), array("d"), array("d")
        self.first_due = self.first_start = float("inf")
        self.last_due = self.last_start = self.last_end = float("-inf")

    def add(self, trial: Trial) -> None:
        if trial.status is Status.NOT_RUN:
            return
        self.first_due, self.last_due = min(self.first_due, trial.due), max(self.last_due, trial.due)
        self.first_start = min(self.first_start, trial.started)
        self.last_start = max(self.last_start, trial.started)
        self.last_end = max(self.last_end, trial.ended)
        self.lag.append(trial.started - trial.due)
        if trial.status not in (Status.FAILED, Status.INVALID, Status.SKIPPED) and all(
            call.origin == "live" for call in trial.calls
        ):
            self.response.append(trial.ended - trial.due)
            self.duration.append(trial.ended - trial.started)


_ENDED_BADLY = frozenset({Status.FAILED, Status.INVALID, Status.UNSCORED})


class ModelTally:
    """Everything kept of one model's trials. Quality and timing are those of the window."""

    def __init__(self, headline: str, labels: Collection[Label] = ()) -> None:
        self._headline = headline
        self.corpus = CorpusTally()
        self.judges: dict[str, JudgeTally] = {}
        self.labelled = LabelTallies(labels)
        self.repeats = RepeatTally(headline)
        self.statuses: Counter[str] = Counter()
        self.window_statuses: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {}
        self.phases: Counter[str] = Counter()
        self.finishes: Counter[str] = Counter()
        self.roles: dict[str, RoleTally] = {}
        self.under_test: Counter[str] = Counter()
        self.scores: dict[str, ScoreTally] = {}
        self.headline = ScoreTally()
        self.completed = ScoreTally()
        self.lost: dict[str, int] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.right = 0
        self.numberless = 0
        self.times = TimeTally()

    def add(self, trial: Trial) -> None:
        """Takes in one trial; nothing of it is kept but numbers, its case id and its tags."""
        counted = trial.phase == "window"
        self.statuses[trial.status.value] += 1
        self.phases[trial.phase] += 1
        if trial.detail and trial.status is not Status.SCORED:
            bounded_count(self.reasons.setdefault(trial.status.value, Counter()), trial.detail)
        self._calls(trial, counted=counted)
        if counted:
            self.window_statuses[trial.status.value] += 1
            self.times.add(trial)
            self._quality(trial)

    def _calls(self, trial: Trial, *, counted: bool) -> None:
        for call in trial.calls:
            if call.role not in self.roles:
                self.roles[call.role] = RoleTally()
            self.roles[call.role].add(call, timed=counted)
        role = subject(trial)
        if role is not None:
            self.under_test[role] += 1

    def _quality(self, trial: Trial) -> None:
        final = trial.transcript.final
        if final is not None:
            self.finishes[final.finish.value] += 1
        for score in trial.scores:
            if score.name != self._headline:
                if score.name not in self.scores:
                    self.scores[score.name] = ScoreTally()
                self.scores[score.name].add(trial.case.id, score)
            if score.details is not None:
                self._details(trial, score)
            if self.labelled:
                self.labelled.add(trial.key, trial.case.id, score)
        self.repeats.add(trial)
        if trial.status is Status.SCORED:
            self._scored(trial)
        elif trial.status in _ENDED_BADLY and trial.detail != "not_applicable":
            self.lost[trial.case.id] = self.lost.get(trial.case.id, 0) + 1
            self._count(trial, 0.0)

    def _details(self, trial: Trial, score: Score) -> None:
        self.corpus.add(trial, score)
        if score.name in JUDGES:
            if score.name not in self.judges:
                self.judges[score.name] = JudgeTally()
            self.judges[score.name].add(trial, score)

    def _scored(self, trial: Trial) -> None:
        number = headline_number(trial, self._headline)
        if number is None:
            self.numberless += 1
            return
        self.right += number == 1.0
        self.completed.add_number(trial.case.id, number)
        self._count(trial, number)

    def _count(self, trial: Trial, number: float) -> None:
        self.headline.add_number(trial.case.id, number)
        if trial.case.tags:
            self.tags.setdefault(trial.case.id, trial.case.tags)


def subject(trial: Trial) -> str | None:
    """The role under test: whose call brought the final answer, else the first played by the model."""
    final = trial.transcript.final
    if final is not None and final.call is not None:
        return final.call.rsplit(".", 2)[0]
    return next((call.role for call in trial.calls if call.model == trial.model), None)

"""Limits on a run's figures: PASS, FAIL, CANNOT TELL with how many more would, or INVALID with why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from assay.errors import UsageError
from assay.ports import Run
from assay.reports import evidence
from assay.reports.compare import compare
from assay.reports.evidence import Evidence, Interval, Sense, nothing
from assay.reports.figures import figure
from assay.reports.load import lags
from assay.reports.notes import MOST_CUT
from assay.reports.reading import TIMES, Reading, Side, Tag, read
from assay.reports.summary import MOST_FAILED
from assay.stats.paired import holm
from assay.stats.proportions import fisher_exact
from assay.trial import Status

ALPHA = 0.05

Word = Literal["PASS", "FAIL", "CANNOT TELL", "INVALID"]
Kind = Literal["score", "drop", "seconds", "dollars", "share"]

BASELINE = "BASELINE"
"""The name that stands for the run given by --versus."""

PERCENTILES = (50, 90, 95, 99)
COST, FAILED_SHARE = "cost_per_trial", "failed_share"
FIXED = (*(f"{time}_p{q}" for time in TIMES for q in PERCENTILES), COST, FAILED_SHARE)
"""The metrics that every run has; the names of its scores are the others."""

_TIME = re.compile(rf"({'|'.join(TIMES)})_p(\d+)")


class Gate(Struct, frozen=True):
    """One limit: the metric of every model (or of `model`), over all cases or those with a tag.

    `drop`: the paired difference to the arm `versus` is no worse than -limit, and `sense` is "min".
    `where` is its place in the file.
    """

    metric: str
    sense: Sense
    limit: float
    drop: bool = False
    versus: str = BASELINE
    slice: Tag | None = None
    model: str | None = None
    where: str = ""

    @property
    def kind(self) -> Kind:
        if self.drop:
            return "drop"
        if self.metric in (COST, FAILED_SHARE):
            return "dollars" if self.metric == COST else "share"
        return "seconds" if _TIME.fullmatch(self.metric) else "score"


class Allowed(Struct, frozen=True):
    """Above these shares of errors (failed, invalid, unscored) and of cut answers no figure counts."""

    errors: float = MOST_FAILED
    cut: float = MOST_CUT


class Gated(Struct, frozen=True):
    """What a gate came to for one model. `low` and `high` are the 95 % interval of `value`.

    `p` is that of lying on either side of the limit, `adjusted` by Holm over the valid gates. Where
    it cannot be told, about `more` further `things` would tell with 80 % power; None if none would.
    `reason` says why a gate is invalid, or why nothing would tell.
    """

    metric: str
    kind: Kind
    sense: Sense
    limit: float
    slice: Tag | None
    model: str
    versus: str | None
    verdict: Word
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    things: str = "cases"
    p: float | None = None
    adjusted: float | None = None
    more: int | None = None
    reason: str = ""


class GateReport(Struct, frozen=True):
    """A file's gates over a run; `tests` of them were valid, which is what Holm counts."""

    run_id: str
    verdict: Word
    tests: int
    gates: tuple[Gated, ...]


class _Open(NamedTuple):
    """A gate before Holm: its evidence, or the reason why it is invalid."""

    gate: Gate
    side: Side
    versus: Side | None
    found: Evidence
    invalid: str


class Gating:
    """A run's models against gates. Each model and slice is read once, however many gates ask.

    `sides` are the models under test, `baselines` the arms by what gates call them.
    """

    def __init__(
        self, sides: Sequence[Side], baselines: Mapping[str, Sequence[Side]], allowed: Allowed | None = None
    ) -> None:
        self._sides = sides
        self._baselines = baselines
        self._allowed = allowed or Allowed()
        self._readings: dict[tuple[str, Tag | None], Reading] = {}

    def metrics(self) -> set[str]:
        """Every metric that a gate over these models may name."""
        found = set(FIXED)
        for side in self._sides:
            found |= {side.run.headline, *self._read(side, None).summary.scores}
        return found

    def scored(self) -> bool:
        """Whether any trial has scores, so that `metrics` knows their names."""
        return any(self._read(side, None).summary.statuses[Status.SCORED] for side in self._sides)

    def tags(self) -> set[str]:
        """Every slice as tag=value."""
        return {"=".join(tag) for side in self._sides for tag in self._read(side, None).samples.tags}

    def models(self) -> list[str]:
        return [side.model for side in self._sides]

    def report(self, gates: Iterable[Gate]) -> GateReport:
        """The verdicts, Holm over all of them. Raises UsageError where a baseline has no such arm."""
        opened = [each for gate in gates for each in self._opened(gate)]
        valid = [each for each in opened if not each.invalid]
        raw = [evidence.p_value(each.found, each.gate.limit, each.gate.sense) for each in valid]
        adjusted = iter(zip(raw, holm(raw), _steps(raw), strict=True))
        gated = tuple(_invalid(each) if each.invalid else _decided(each, *next(adjusted)) for each in opened)
        words = {each.verdict for each in gated}
        order: tuple[Word, ...] = ("FAIL", "INVALID", "CANNOT TELL")
        overall: Word = next((word for word in order if word in words), "PASS")
        return GateReport(self._sides[0].run.id, overall, len(valid), gated)

    def _read(self, side: Side, tag: Tag | None) -> Reading:
        key = (side.name, tag)
        if key not in self._readings:
            self._readings[key] = read(side, tag)
        return self._readings[key]

    def _opened(self, gate: Gate) -> list[_Open]:
        sides = [side for side in self._sides if gate.model in (None, side.model)]
        return [self._open(gate, side) for side in sides]

    def _open(self, gate: Gate, side: Side) -> _Open:
        versus = self._versus(gate, side) if gate.drop else None
        reading = self._read(side, gate.slice)
        invalid = self._trouble(gate, side)
        if not invalid and versus is not None:
            before = self._trouble(gate, versus)
            invalid = (
                f"the baseline: {before}" if before else _differ(reading, self._read(versus, gate.slice))
            )
        found = nothing("") if invalid else self._evidence(gate, side, versus)
        return _Open(gate, side, versus, found, invalid or found.why)

    def _versus(self, gate: Gate, side: Side) -> Side:
        """The baseline's arm of the same model, else its only one."""
        arms = self._baselines[gate.versus]
        same = [arm for arm in arms if arm.model == side.model]
        if not same and len(arms) != 1:
            names = ", ".join(arm.model for arm in arms)
            raise UsageError(
                f"the baseline {arms[0].run.id} has no {side.model}, but {names}",
                fix=f"name one: {arms[0].name}",
            )
        return (same or list(arms))[0]

    def _trouble(self, gate: Gate, side: Side) -> str:
        """Why no figure of this side counts; a gate on the failed share is not troubled by failures."""
        whole, part = self._read(side, None), self._read(side, gate.slice)
        if not part.samples.lost:
            return "no trial has been played" if gate.slice is None else "no case has this tag"
        checks = [_unfinished(side.run, whole)]
        if whole.summary.load is not None and lags(whole.summary.load):
            checks.append("the client started trials late, so the load was not as planned")
        if gate.metric != FAILED_SHARE:
            checks += [self._errors(whole), self._errors(part), self._cut(whole), self._missing(gate, part)]
        return next((check for check in checks if check), "")

    def _errors(self, reading: Reading) -> str:
        if reading.errors <= self._allowed.errors * reading.ended:
            return ""
        share = f"{reading.errors / reading.ended:.1%} of {reading.ended} trials"
        return f"{share} failed or have no score (at most {self._allowed.errors:.0%})"

    def _cut(self, reading: Reading) -> str:
        finishes = reading.summary.finishes
        answers, cut = sum(finishes.values()), finishes.get("length", 0)
        if cut <= self._allowed.cut * answers:
            return ""
        share = f"{cut / answers:.1%} of {answers} answers"
        return f"{share} were cut at the token limit (at most {self._allowed.cut:.0%})"

    def _missing(self, gate: Gate, reading: Reading) -> str:
        """Whether a score other than the headline is missing in too many trials."""
        score = reading.summary.scores.get(gate.metric)
        if score is None or score.missing_share <= self._allowed.errors:
            return ""
        return f"{score.missing} of {score.asked} trials have no {gate.metric}"

    def _evidence(self, gate: Gate, side: Side, versus: Side | None) -> Evidence:
        reading = self._read(side, gate.slice)
        if versus is not None:
            return _drop(gate, side, versus)
        time = _TIME.fullmatch(gate.metric)
        if time is not None:
            return _percentile(reading, time[1], int(time[2]) / 100)
        if gate.metric == COST:
            unpriced = f"{reading.samples.unpriced} replies have no known price"
            costs = list(reading.samples.costs.values())
            return nothing(unpriced) if reading.samples.unpriced else evidence.of_amounts(costs)
        if gate.metric == FAILED_SHARE:
            failed = reading.samples.failed.values()
            return evidence.of_figure(figure(FAILED_SHARE, failed, unit=True, binary=True), (0.0, 1.0))
        if gate.metric == side.run.headline:
            return evidence.of_figure(reading.summary.headline, (0.0, 1.0))
        score = reading.summary.scores.get(gate.metric)
        return (
            evidence.of_figure(score.figure, (0.0, 1.0)) if score else nothing(f"no trial has {gate.metric}")
        )


def _unfinished(run: Run, reading: Reading) -> str:
    """A run that a decided comparison stopped is whole; any other that did not end is not."""
    if run.stop == "decided":
        return ""
    if run.state != "completed":
        return f"the run is {run.state}: not all of its trials are in it"
    missing = reading.summary.statuses.get(Status.NOT_RUN.value, 0)
    return f"{missing} of {reading.summary.planned} trials were not run" if missing else ""


def _differ(a: Reading, b: Reading) -> str:
    """Whether the arms lost different shares of their cases, by Fisher's exact test."""
    lost = [(sum(each.samples.lost.values()), len(each.samples.lost)) for each in (a, b)]
    p = fisher_exact(*lost[0], *lost[1])
    shares = f"{lost[0][0]} of {lost[0][1]} cases, the baseline's {lost[1][0]} of {lost[1][1]}"
    return f"the arms differ in errors: {shares} (p {p:.3f})" if p < ALPHA else ""


def _drop(gate: Gate, side: Side, versus: Side) -> Evidence:
    names = (versus.name, side.name)
    arms = (versus.sliced(gate.slice), side.sliced(gate.slice))
    found = compare(*arms, headline=gate.metric, names=names)
    if found.errors_differ:
        return nothing("the arms differ in which cases failed")
    return evidence.of_figure(found.difference, (-1.0, 1.0))


def _percentile(reading: Reading, time: str, q: float) -> Evidence:
    if time == "response" and (reading.summary.load is None or reading.summary.load.response is None):
        return nothing("a closed loop has no response time; limit duration or latency")
    things = "trials" if time in ("duration", "response") else "calls"
    return evidence.of_percentile(reading.samples.seconds[time], q, things)


def _steps(raw: Sequence[float]) -> list[int]:
    """By how many Holm multiplies each p-value: those that are no smaller."""
    return [sum(other >= p for other in raw) for p in raw]


def _gated(each: _Open, verdict: Word) -> Gated:
    gate = each.gate
    return Gated(
        metric=gate.metric,
        kind=gate.kind,
        sense=gate.sense,
        limit=-gate.limit if gate.drop else gate.limit,
        slice=gate.slice,
        model=each.side.model,
        versus=each.versus.name if each.versus is not None else None,
        verdict=verdict,
        reason=each.invalid,
    )


def _invalid(each: _Open) -> Gated:
    return _gated(each, "INVALID")


def _decided(each: _Open, p: float, adjusted: float, step: int) -> Gated:
    found, limit, sense = each.found, each.gate.limit, each.gate.sense
    shown: Interval = found.at(1 - ALPHA)
    kept = evidence.told(found.at(1 - min(p, ALPHA)), limit, sense)
    word: Word = "CANNOT TELL" if adjusted >= ALPHA or kept is None else "PASS" if kept else "FAIL"
    low, high = shown if shown is not None else (None, None)
    wanted = found.needed(limit, 1 - ALPHA / step) if word == "CANNOT TELL" else None
    more = max(wanted - found.n, -(-found.n // 10), 1) if wanted is not None else None
    return structs.replace(
        _gated(each, word),
        value=found.value,
        low=low,
        high=high,
        n=found.n,
        things=found.things,
        p=p,
        adjusted=adjusted,
        more=more,
        reason="no number of cases would tell a figure on its limit"
        if word == "CANNOT TELL" and more is None
        else "",
    )

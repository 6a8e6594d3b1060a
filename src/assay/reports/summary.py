"""What a run came to: figures with intervals for each model, from its trials read once."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from assay.errors import StatusSumError
from assay.ports import Run
from assay.reports.calibration import calibrate
from assay.reports.corpus import CorpusFigure
from assay.reports.figures import (
    CaseSum,
    Figure,
    Percentiles,
    RoleSummary,
    Tokens,
    figure,
    percentiles,
)
from assay.reports.judges import JudgeSummary, JudgeTally
from assay.reports.load import LoadSummary, lags, load_summary
from assay.reports.notes import Attempts, Noted, notes
from assay.reports.repeats import RepeatSummary
from assay.reports.tally import MOST_LABELS, ModelTally, RoleTally, ScoreTally
from assay.trial import Label, Status, Trial

MOST_FAILED = 0.02
"""Above this share of failed trials a run's figures are not valid (they tell of the endpoint)."""

Verdict = Literal["valid", "partial", "invalid"]


class ScoreSummary(Struct, frozen=True):
    """A score conditional on being scored. `missing` of `asked` trials have no value of it."""

    figure: Figure
    labels: dict[str, int]
    asked: int
    missing: int
    missing_share: float


class Slice(Struct, frozen=True):
    """The headline over the cases with one value of one tag."""

    key: str
    value: str
    headline: Figure


class Bounds(Struct, frozen=True):
    """The headline if every trial without a true score had been 0 (`worst`) or 1 (`best`)."""

    worst: float | None
    best: float | None


class Speed(Struct, frozen=True):
    """How fast: of the role under test in seconds (`output_rate` in tokens a second), and of trials.

    `duration` is that of whole trials without a replayed call; `wall_seconds` reach from the first
    start to the last end.
    """

    ttft: Percentiles | None
    tpot: Percentiles | None
    output_rate: Percentiles | None
    duration: Percentiles | None
    wall_seconds: float
    trials_per_second: float | None


class ModelSummary(Struct, frozen=True):
    """One model of a run. Quality and timing are those of the window, spend that of all trials.

    `headline` is over all planned trials but skipped, not_applicable and not_run ones, with failed,
    invalid and unscored as 0; `completed_only` leaves those out. `reasons` says more of each status
    (`reasons["failed"]` counts the error classes). `latency`, `speed` and `tokens` are those of the
    role under test (`role`), `cost_usd` that of all roles, each of which is in `roles`. `repeats` is
    None where no case was played twice; `corpus` holds figures of text that belong to the whole set;
    `judges` says how each judge fared, and how it agrees with people.
    """

    model: str
    task: str
    emulated: bool
    planned: int
    headline: Figure
    partial: bool
    completed_only: Figure
    bounds: Bounds
    scores: dict[str, ScoreSummary]
    statuses: dict[str, int]
    reasons: dict[str, dict[str, int]]
    failed_share: float
    phases: dict[str, int]
    finishes: dict[str, int]
    slices: tuple[Slice, ...]
    slices_left_out: tuple[str, ...]
    role: str | None
    roles: dict[str, RoleSummary]
    attempts: Attempts
    latency: Percentiles | None
    speed: Speed
    tokens: Tokens
    cost_usd: Decimal
    load: LoadSummary | None
    repeats: RepeatSummary | None
    corpus: dict[str, CorpusFigure]
    judges: dict[str, JudgeSummary]
    notes: tuple[str, ...]


class Validity(Struct, frozen=True):
    """Whether the figures can be used, with every reason why not."""

    verdict: Verdict
    reasons: tuple[str, ...]


class Summary(Struct, frozen=True):
    """A run's figures, ready to be printed as JSON. `report` is where a written report lies."""

    run_id: str
    status: str
    task: str
    headline: str
    planned: int | None
    statuses: dict[str, int]
    failed_share: float
    cost_usd: Decimal
    models: tuple[ModelSummary, ...]
    validity: Validity
    report: str | None = None


def summarise(
    trials: Iterable[Trial],
    run: Run,
    planned: int | None = None,
    report: str | None = None,
    labels: Collection[Label] = (),
) -> Summary:
    """The figures of a run from its trials, read once; only numbers are kept of each.

    `labels` are what people said of its trials.

    `planned` overrides the run's own number of trials; None for a run by duration, whose plan is
    what was issued. What a run that is not completed has no trial for is counted as not_run. Raises
    StatusSumError where the statuses cannot sum to the plan.
    """
    tallies = {model: ModelTally(run.headline, labels) for model in run.models}
    for trial in trials:
        if trial.model not in tallies:
            tallies[trial.model] = ModelTally(run.headline, labels)
        tallies[trial.model].add(trial)
    total = run.planned if planned is None else planned
    shares = _shares(total, len(tallies))
    models = tuple(
        _model(model, tally, run, share)
        for (model, tally), share in zip(tallies.items(), shares, strict=True)
    )
    statuses = {status.value: sum(m.statuses.get(status.value, 0) for m in models) for status in Status}
    issued = sum(statuses.values())
    if total is not None and issued != total:
        raise StatusSumError(f"run {run.id}: {issued} statuses for {total} planned trials")
    return Summary(
        run_id=run.id,
        status=run.state,
        task=run.task,
        headline=run.headline,
        planned=total,
        statuses={name: count for name, count in statuses.items() if count or name != Status.PLAYED},
        failed_share=statuses[Status.FAILED] / issued if issued else 0.0,
        cost_usd=sum((model.cost_usd for model in models), Decimal(0)),
        models=models,
        validity=_validity(models, run),
        report=report,
    )


def _shares(total: int | None, models: int) -> list[int | None]:
    """How many trials of the plan are each model's: plans go through all models at each case."""
    if total is None:
        return [None] * models
    return [total // models + (place < total % models) for place in range(models)]


def _statuses(model: str, tally: ModelTally, run: Run, share: int | None) -> dict[str, int]:
    """A model's statuses, summing to its share of the plan, or why they do not."""
    statuses = {status.value: tally.statuses[status.value] for status in Status}
    played = statuses[Status.PLAYED]
    seen = sum(statuses.values())
    missing = 0 if share is None else share - seen
    if missing < 0:
        raise StatusSumError(f"run {run.id}, {model}: {seen} trials are recorded, {share} were planned")
    if run.state == "completed" and (missing or played):
        raise StatusSumError(
            f"run {run.id}, {model}: completed, but of {share or seen} planned trials"
            f" {missing} are not recorded and {played} wait for their scores"
        )
    statuses[Status.NOT_RUN] += missing
    if not played:
        del statuses[Status.PLAYED]
    return statuses


def _model(model: str, tally: ModelTally, run: Run, share: int | None) -> ModelSummary:
    statuses = _statuses(model, tally, run, share)
    issued = sum(statuses.values())
    unfinished = statuses[Status.NOT_RUN] + statuses.get(Status.PLAYED, 0)
    headline = _headline(run.headline, tally)
    slices, left_out = _slices(run.headline, tally)
    role, roles = _roles(tally)
    tested = roles[role] if role in roles else RoleTally().summary()
    attempts = _attempts(roles)
    judges = _judges(run.headline, model, tally)
    return ModelSummary(
        model=model,
        task=run.task,
        emulated=model.startswith("emulated/"),
        planned=issued,
        headline=headline,
        partial=unfinished > 0,
        completed_only=_completed(run.headline, tally),
        bounds=_bounds(tally, headline, unfinished),
        scores={name: _score(name, score, tally) for name, score in tally.scores.items()},
        statuses=statuses,
        reasons={status: dict(reasons.most_common()) for status, reasons in tally.reasons.items()},
        failed_share=statuses[Status.FAILED] / issued if issued else 0.0,
        phases=dict(tally.phases),
        finishes=dict(tally.finishes),
        slices=slices,
        slices_left_out=left_out,
        role=role,
        roles=roles,
        attempts=attempts,
        latency=tested.latency,
        speed=_speed(tested, tally),
        tokens=tested.tokens,
        cost_usd=sum((summary.cost_usd for summary in roles.values()), Decimal(0)),
        load=load_summary(tally, run.plan),
        repeats=tally.repeats.summary(tally.headline.cases, binary=tally.headline.binary),
        corpus=tally.corpus.figures(),
        judges=judges,
        notes=notes(tally, Noted(run.id, model, headline, statuses, attempts, judges, roles)),
    )


def _roles(tally: ModelTally) -> tuple[str | None, dict[str, RoleSummary]]:
    """The role under test, and every role."""
    role = next((name for name, _ in tally.under_test.most_common(1)), None)
    return role, {name: each.summary() for name, each in tally.roles.items()}


def _judges(headline: str, model: str, tally: ModelTally) -> dict[str, JudgeSummary]:
    """Each judge with the calibrations of its scores; labels of other scores stand under their own name."""
    labelled = tally.labelled.found
    cases = {headline: tally.completed.cases} | {name: score.cases for name, score in tally.scores.items()}
    found = {}
    for name in dict.fromkeys((*tally.judges, *labelled)):
        if name not in tally.judges and any(name.startswith(f"{judge}_") for judge in tally.judges):
            continue
        judge = tally.judges.get(name) or JudgeTally()
        own = [each for each in labelled if each == name or each.startswith(f"{name}_")]
        found[name] = judge.summary(
            {each: calibrate(labelled[each], cases[each], judge.scales.get(each)) for each in own}, model
        )
    return found


def _attempts(roles: dict[str, RoleSummary]) -> Attempts:
    live = sum(role.origins.get("live", 0) for role in roles.values())
    every = sum(sum(role.origins.values()) for role in roles.values())
    return Attempts(
        calls=sum(role.calls for role in roles.values()),
        failed=sum(role.failed_attempts for role in roles.values()),
        unpriced=sum(role.unpriced for role in roles.values()),
        unknown=sum(role.unknown for role in roles.values()),
        replayed_share=1 - live / every if every else 0.0,
    )


def _speed(tested: RoleSummary, tally: ModelTally) -> Speed:
    wall = max(0.0, tally.times.last_end - tally.times.first_start)
    return Speed(
        ttft=tested.ttft,
        tpot=tested.tpot,
        output_rate=tested.output_rate,
        duration=percentiles(tally.times.duration),
        wall_seconds=wall,
        trials_per_second=len(tally.times.lag) / wall if wall else None,
    )


def _headline(name: str, tally: ModelTally) -> Figure:
    """Failures as 0; a score that leaves [0, 1] has no such meaning and is conditional instead."""
    if not tally.headline.unit:
        return _completed(name, tally)
    return figure(name, tally.headline.cases.values(), unit=True, binary=tally.headline.binary)


def _completed(name: str, tally: ModelTally) -> Figure:
    kept = tally.completed
    return figure(name, kept.cases.values(), unit=kept.unit, binary=kept.binary)


def _bounds(tally: ModelTally, headline: Figure, unfinished: int) -> Bounds:
    """The headline if everything without a true score had been 0, and had been 1."""
    if headline.value is None or not tally.headline.unit:
        return Bounds(None, None)
    cases = tally.headline.cases
    lucky = math.fsum((case.total + tally.lost.get(key, 0)) / case.count for key, case in cases.items())
    known = headline.trials / (headline.trials + unfinished)
    return Bounds(headline.value * known, lucky / len(cases) * known + (1 - known))


def _score(name: str, score: ScoreTally, tally: ModelTally) -> ScoreSummary:
    ended = (Status.SCORED, Status.UNSCORED, Status.FAILED, Status.INVALID)
    asked = sum(tally.window_statuses[status.value] for status in ended) - score.not_applicable
    missing = max(0, asked - score.given)
    mean = figure(name, score.cases.values(), unit=score.unit, binary=score.binary)
    return ScoreSummary(
        mean, dict(score.labels.most_common()), asked, missing, missing / asked if asked else 0.0
    )


def _slices(name: str, tally: ModelTally) -> tuple[tuple[Slice, ...], tuple[str, ...]]:
    """The headline by tag; a tag with more than MOST_LABELS values is no slice and only named."""
    groups: dict[str, dict[str, list[CaseSum]]] = {}
    for case, tags in tally.tags.items():
        for key, value in tags.items():
            groups.setdefault(key, {}).setdefault(value, []).append(tally.headline.cases[case])
    kept = {key: values for key, values in groups.items() if len(values) <= MOST_LABELS}
    if not tally.headline.unit:
        kept = {}
    slices = tuple(
        Slice(key, value, figure(name, cases, unit=True, binary=tally.headline.binary))
        for key, values in sorted(kept.items())
        for value, cases in sorted(values.items())
    )
    return slices, tuple(sorted(groups.keys() - kept.keys()))


def _validity(models: Iterable[ModelSummary], run: Run) -> Validity:
    """Invalid above MOST_FAILED failures or where the load was not as planned, else partial or valid."""
    broken, unfinished = [], []
    for model in models:
        if model.failed_share > MOST_FAILED:
            broken.append(f"{model.model}: {model.failed_share:.1%} of the trials failed")
        if model.load is not None and lags(model.load):
            broken.append(f"{model.model}: the client started trials late, so the load was not as planned")
        if model.load is not None and run.state not in ("completed", "running"):
            broken.append(f"{model.model}: the load was interrupted")
        if model.partial:
            unfinished.append(f"{model.model}: not all planned trials were run and scored")
    verdict: Verdict = "invalid" if broken else "partial" if unfinished else "valid"
    return Validity(verdict, (*broken, *unfinished))

"""What a run will take before it starts: calls, dollars, seconds, and the difference that it can show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice
from statistics import fmean, variance

from msgspec import Struct

from assay.exchanges.single import Single
from assay.plan import Bound
from assay.ports import Run, Store, Where
from assay.reports.needs import Span, needs, summed
from assay.seat.place import Place
from assay.stats.paired import detectable_paired, detectable_rate, sd_of_differences
from assay.trial import CallState, Trial

MOST_PAST = 300
"""Trials of an earlier run that a forecast is made from."""
_WIDTH = 1.96


class ModelForecast(Struct, frozen=True):
    """One model's share. `basis` says what it was made from; None stands for what cannot be told."""

    model: str
    trials: int
    calls: Span
    tokens: Span | None
    cost_usd: Span | None
    busy_seconds: Span | None
    rate: float | None
    basis: str


class Forecast(Struct, frozen=True):
    """A run before it starts. `detectable` is the smallest difference of the headline that it shows
    with 80 % power at 95 % confidence: between two models, or of one model from a fixed value.
    """

    run_id: str
    task: str
    planned: int | None
    cases: int
    models: tuple[ModelForecast, ...]
    calls: Span | None
    tokens: Span | None
    cost_usd: Span | None
    seconds: Span | None
    detectable: float | None


class Past(Struct, frozen=True):
    """An earlier run's trials of one model: calls, dollars (where all are priced), seconds and tokens
    (where all are counted) of each.
    """

    run: str
    calls: tuple[float, ...]
    dollars: tuple[float, ...]
    seconds: tuple[float, ...]
    rate: float
    tokens: tuple[float, ...] = ()


def past_of(store: Store, run: Run, model: str, roles: frozenset[str]) -> Past | None:
    """The newest completed run of the same task that this model took part in, and in which all of
    `roles` were asked; their calls alone are counted. None where there is none.
    """
    task = run.task.partition(" v")[0]
    for each in store.runs():
        same = each.id != run.id and each.state == "completed" and each.task.partition(" v")[0] == task
        if same and model in each.models and each.headline == run.headline:
            trials = store.trials(Where(run=each.id, model=model))
            past = _past(each, islice((t for t in trials if _live(t)), MOST_PAST), roles)
            if past is not None:
                return past
    return None


def roles_of(bound: Bound) -> frozenset[str]:
    """Every role that the plan has asked: the exchange's seats and the scorers'."""
    scored = (place.role for each in bound.scorers for place in each.places)
    return frozenset([*bound.exchange.seats, *scored])


def _live(trial: Trial) -> bool:
    """Whether nothing of the trial was replayed, so that its time and its cost are those of a first play."""
    return bool(trial.calls) and all(call.origin == "live" for call in trial.calls)


def _past(run: Run, trials: Iterable[Trial], roles: frozenset[str]) -> Past | None:
    calls, dollars, seconds, hits, tokens = [], [], [], [], list[float]()
    asked: set[str] = set()
    for trial in trials:
        made = [c for c in trial.calls if c.state is not CallState.RESERVED and c.role in roles]
        asked |= {call.role for call in made}
        costs = [call.cost for call in made]
        calls.append(float(len(made)))
        seconds.append(trial.ended - trial.started)
        used = [call.reply.usage for call in made]
        if all(usage is not None for usage in used):
            tokens.append(float(sum(usage.input + usage.output for usage in used if usage is not None)))
        if all(cost is not None for cost in costs):
            dollars.append(float(sum((cost for cost in costs if cost is not None), Decimal(0))))
        value = next((s.number for s in trial.scores if s.name == run.headline), None)
        hits.append(value if value is not None and 0 <= value <= 1 else 0.0)
    if asked < roles:
        return None
    priced = dollars if len(dollars) == len(calls) else []
    rate = (sum(hits) + 1) / (len(hits) + 2)  # Laplace's: a few right answers are no certainty
    counted = tokens if len(tokens) == len(calls) else []
    return Past(run.id, tuple(calls), tuple(priced), tuple(seconds), rate, tuple(counted))


def forecast(bound: Bound, past: Sequence[Past | None]) -> Forecast:
    """The forecast of a bound plan; `past` has one entry a model, in the plan's order."""
    total, models = bound.total(), len(bound.places)
    shares = [0 if total is None else total // models + (n < total % models) for n in range(models)]
    found = tuple(
        _of_model(bound, name, places, share, held)
        for (name, places), share, held in zip(bound.places.items(), shares, past, strict=True)
    )
    known = total is not None
    return Forecast(
        run_id=bound.run.id,
        task=bound.run.task,
        planned=total,
        cases=len(bound.task),
        models=found,
        calls=summed([each.calls for each in found]) if known else None,
        tokens=summed([each.tokens for each in found]) if known else None,
        cost_usd=summed([each.cost_usd for each in found]) if known else None,
        seconds=_seconds(bound, found),
        detectable=_detectable(bound, found),
    )


def _of_model(
    bound: Bound, name: str, places: tuple[Place, ...], trials: int, past: Past | None
) -> ModelForecast:
    if past is not None:
        return ModelForecast(
            model=name,
            trials=trials,
            calls=_total(past.calls, trials),
            tokens=_total(past.tokens, trials) if past.tokens else None,
            cost_usd=_total(past.dollars, trials) if past.dollars else None,
            busy_seconds=_total(past.seconds, trials),
            rate=past.rate,
            basis=f"{len(past.calls)} trials of {past.run}",
        )
    need = needs(bound, places, trials)
    if need.tokens is None:
        basis = "no earlier run of it"
    elif isinstance(bound.exchange, Single):
        basis = "the prompts' lengths"
    else:
        basis = "the limits, and lines of usual length: no earlier run of it"
    return ModelForecast(name, trials, need.calls, need.tokens, need.cost_usd, None, None, basis)


def _total(each: Sequence[float], trials: int) -> Span:
    """The sum over `trials` to come, from those that have been: mean and prediction interval
    n m +- 1.96 s sqrt(n + n^2 / k) by the normal approximation, from k earlier ones.
    """
    mean, k = fmean(each), len(each)
    spread = math.sqrt(variance(each) * (trials + trials**2 / k)) if k > 1 else trials * mean
    return Span(max(0.0, trials * mean - _WIDTH * spread), trials * mean, trials * mean + _WIDTH * spread)


def _seconds(bound: Bound, models: Sequence[ModelForecast]) -> Span | None:
    """Seconds of the run by the clock: arrivals set those of an open one, slots those of a closed one."""
    window, schedule = bound.plan.window, bound.schedule
    if window is not None:
        least = window.warm_up + window.seconds
        return Span(least, least, None)
    busy, total = summed([each.busy_seconds for each in models]), bound.total()
    rate = getattr(schedule, "rate", None)
    if rate is not None and total is not None:
        longest = 0.0 if busy is None else busy.likely / max(1, total)
        return Span(total / rate, total / rate + longest, None)
    if busy is None or not total:
        return None
    together = min(schedule.slots, total)
    high = None if busy.high is None else max(busy.high / together, busy.high / total)
    return Span(busy.low / together, busy.likely / together, high)


def _detectable(bound: Bound, models: Sequence[ModelForecast]) -> float | None:
    """By the rates of earlier runs, else by a rate of one half, which is the worst; answers of two
    models to one case are taken as independent, which is the worst too.
    """
    cases = len(bound.task)
    rates = [0.5 if each.rate is None else each.rate for each in models]
    if not cases or not rates:
        return None
    if len(rates) == 1:
        return detectable_rate(cases, rates[0]) or None
    a, b = sorted(rates, key=lambda rate: abs(rate - 0.5))[:2]
    return detectable_paired(cases, sd_of_differences(a, b)) or None

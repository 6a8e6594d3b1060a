"""What a group of conversations came to: success, pass^k, judge against state, faults, ends, latency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from assay.ports import Run
from assay.reports.figures import CaseSum, Figure, Percentiles, figure, percentiles
from assay.reports.talks import RoleUse, Talk, talk_of
from assay.reports.tally import MOST_LABELS
from assay.stats.intervals import mean
from assay.stats.repeats import Passes, pass_at_k, pass_hat_k
from assay.trial import Status, Trial

KS = (1, 2, 4, 8)
"""The k of pass^k and pass@k that are shown, up to the most repeats."""
Level: TypeAlias = Literal["D1", "D2", "D3"]


class Effect(Struct, frozen=True):
    """Success where a factor has this value, and how far that is from the cases where it has not."""

    factor: str
    value: str
    success: Figure
    difference: float | None


class Spread(Struct, frozen=True):
    """The variance of success: between cases, and between the repeats of one case."""

    between: float | None
    within: float | None


class Conversations(Struct, frozen=True):
    """One model's conversations. Rates count trials that failed as failures.

    `success` is over all of them (`kept`), `valid_only` leaves out those that the client spoilt.
    `judge` counts grades by state: `judge["reached"]["3"]`. `level` says what can be promised of a
    repetition: D1 the same results, D2 those of the record, D3 nothing.
    """

    model: str
    level: Level
    trials: int
    success: Figure
    valid_only: Figure
    completed_only: Figure
    pass_hat: tuple[Passes, ...]
    pass_at: tuple[Passes, ...]
    judge: dict[str, dict[str, int]]
    unjudged: int
    validity: dict[str, int]
    faults: dict[str, int]
    breaches: dict[str, int]
    ends: dict[str, int]
    turns: float | None
    messages: float | None
    tool_calls: int
    tool_errors: int
    tool_faults: int
    lost_answers: int
    recovered: int
    redundant_reads: int
    reruns: int
    roles: dict[str, RoleUse]
    turn_latency: Percentiles | None
    turn_queue: Percentiles | None
    turn_ttft: Percentiles | None
    dead_air: Percentiles | None
    diverged: int
    effects: tuple[Effect, ...]
    spread: Spread


def conversations(trials: Iterable[Trial], run: Run) -> tuple[Conversations, ...]:
    """The conversations of a run by model, its trials read once; nothing for a run without any."""
    groups: dict[str, _Group] = {}
    for trial in trials:
        talk = talk_of(trial)
        if trial.phase != "window" or (talk is None and trial.status is not Status.FAILED):
            continue
        groups.setdefault(trial.model, _Group()).add(trial, talk)
    return tuple(group.summary(model, level_of(model, run)) for model, group in groups.items() if group.talks)


def level_of(model: str, run: Run) -> Level:
    """What a repetition of the run promises, from its plan and its models' names."""
    plan = run.plan if isinstance(run.plan, dict) else {}
    if plan.get("replay") == "strict":
        return "D2"
    cast = plan.get("cast")
    others = [each.get("name") if isinstance(each, dict) else each for each in dict(cast or {}).values()]
    fixed = all(str(name).startswith(("emulated/", "recorded/")) for name in (model, *others))
    return "D1" if fixed else "D3"


class _Group:
    """What is kept of each conversation while they are read one by one."""

    def __init__(self) -> None:
        self.talks = 0
        self.success: dict[str, CaseSum] = {}
        self.valid: dict[str, CaseSum] = {}
        self.completed: dict[str, CaseSum] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.judge: dict[str, Counter[str]] = {}
        self.counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("validity", "faults", "breaches", "ends", "numbers")
        }
        self.roles: dict[str, RoleUse] = {}
        self.seconds: dict[str, list[float]] = {name: [] for name in ("total", "queue", "ttft", "dead_air")}

    def add(self, trial: Trial, talk: Talk | None) -> None:
        success = talk.success if talk is not None else False
        if success is not None:
            self.success.setdefault(trial.case.id, CaseSum()).add(float(success))
            self.tags.setdefault(trial.case.id, trial.case.tags)
        if talk is None:
            self.counts["ends"][trial.transcript.outcome.reason] += 1
            self.talks += 1
            return
        if success is not None and talk.validity != "invalid" and trial.status is not Status.INVALID:
            self.valid.setdefault(trial.case.id, CaseSum()).add(float(success))
        if success is not None and trial.status in (Status.SCORED, Status.UNSCORED):
            self.completed.setdefault(trial.case.id, CaseSum()).add(float(success))
        self._count(talk)

    def _count(self, talk: Talk) -> None:
        self.talks += 1
        self.counts["validity"][talk.validity] += 1
        self.counts["faults"].update(talk.faults)
        self.counts["breaches"].update(
            str(breach.get("check"))[:60] for breach in talk.breaches if isinstance(breach, dict)
        )
        self.counts["ends"][talk.end_reason] += 1
        self.counts["numbers"].update(
            lines=talk.turns,
            messages=talk.messages,
            calls=talk.tool_calls,
            errors=talk.tool_errors,
            struck=talk.tool_faults,
            lost=talk.lost_answers,
            recovered=talk.recovered,
            reads=talk.redundant_reads,
            reruns=talk.attempt - 1,
            diverged=talk.diverged is not None,
            played=1,
            unjudged=talk.judge is None,
        )
        if talk.judge is not None:
            row = {True: "reached", False: "missed", None: "unknown"}[talk.success]
            self.judge.setdefault(row, Counter())[f"{talk.judge:g}"] += 1
        for role, use in talk.roles.items():
            held = self.roles.get(role)
            self.roles[role] = use if held is None else _sum(held, use)
        for turn in talk.agent_turns:
            for name in self.seconds:
                value = getattr(turn, name)
                if value is not None:
                    self.seconds[name].append(value)

    def summary(self, model: str, level: Level) -> Conversations:
        numbers, cases = self.counts["numbers"], [(c.count, int(c.total)) for c in self.valid.values()]
        most = max((count for count, _ in cases), default=0)
        played = numbers["played"]
        return Conversations(
            model=model,
            level=level,
            trials=self.talks,
            success=_rate("success", self.success),
            valid_only=_rate("success", self.valid),
            completed_only=_rate("success", self.completed),
            pass_hat=tuple(pass_hat_k(cases, k) for k in KS if k <= most),
            pass_at=tuple(pass_at_k(cases, k) for k in KS if k <= most),
            judge={row: dict(sorted(grades.items())) for row, grades in self.judge.items()},
            unjudged=numbers["unjudged"],
            validity=dict(self.counts["validity"]),
            faults=dict(self.counts["faults"].most_common()),
            breaches=dict(self.counts["breaches"].most_common()),
            ends=dict(self.counts["ends"].most_common()),
            turns=numbers["lines"] / played if played else None,
            messages=numbers["messages"] / played if played else None,
            tool_calls=numbers["calls"],
            tool_errors=numbers["errors"],
            tool_faults=numbers["struck"],
            lost_answers=numbers["lost"],
            recovered=numbers["recovered"],
            redundant_reads=numbers["reads"],
            reruns=numbers["reruns"],
            roles=self.roles,
            turn_latency=percentiles(self.seconds["total"]),
            turn_queue=percentiles(self.seconds["queue"]),
            turn_ttft=percentiles(self.seconds["ttft"]),
            dead_air=percentiles(self.seconds["dead_air"]),
            diverged=numbers["diverged"],
            effects=self._effects(),
            spread=_spread(list(self.success.values())),
        )

    def _effects(self) -> tuple[Effect, ...]:
        """Each value of each factor against the other cases; a factor of one value has no effect."""
        values: dict[str, Counter[str]] = {}
        for tags in self.tags.values():
            for factor, value in tags.items():
                values.setdefault(factor, Counter())[value] += 1
        found = []
        for factor, counted in sorted(values.items()):
            if len(counted) < 2 or len(counted) > MOST_LABELS:
                continue
            for value in sorted(counted):
                mine = {c: s for c, s in self.success.items() if self.tags[c].get(factor) == value}
                rest = {
                    c: s for c, s in self.success.items() if self.tags[c].get(factor) not in (value, None)
                }
                own, other = _rate("success", mine), _rate("success", rest)
                apart = None if own.value is None or other.value is None else own.value - other.value
                found.append(Effect(factor, value, own, apart))
        return tuple(found)


def _rate(name: str, cases: dict[str, CaseSum]) -> Figure:
    return figure(name, cases.values(), unit=True, binary=True)


def _sum(a: RoleUse, b: RoleUse) -> RoleUse:
    known = a.cost_usd is not None and b.cost_usd is not None
    return RoleUse(
        a.calls + b.calls,
        a.retries + b.retries,
        a.input + b.input,
        a.output + b.output,
        a.cached + b.cached,
        a.reasoning + b.reasoning,
        (a.cost_usd or Decimal(0)) + (b.cost_usd or Decimal(0)) if known else None,
        bool(a.seed_supported) and bool(b.seed_supported),
    )


def _spread(cases: list[CaseSum]) -> Spread:
    """The variance of a 0/1 outcome split: within cases p (1 - p) n / (n - 1) on average, and what is
    left of the variance of the cases' means.
    """
    repeated = [case for case in cases if case.count > 1]
    if len(repeated) < 2:
        return Spread(None, None)
    rates = [case.total / case.count for case in repeated]
    inner = [p * (1 - p) * c.count / (c.count - 1) for p, c in zip(rates, repeated, strict=True)]
    within = sum(inner) / len(inner)
    centre, _ = mean(rates)
    observed = sum((p - centre) ** 2 for p in rates) / (len(rates) - 1)
    noise = sum(v / c.count for v, c in zip(inner, repeated, strict=True)) / len(repeated)
    return Spread(max(0.0, observed - noise), within)

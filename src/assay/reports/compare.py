"""Two arms over the same cases: which is better, by how much, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from statistics import fmean, stdev
from typing import Literal, NamedTuple

from msgspec import Struct

from assay.keys import JSON
from assay.ports import Run
from assay.reports.arms import Arm, CaseResult, read
from assay.reports.figures import Figure, Percentiles, figure, percentiles
from assay.stats.intervals import Estimate
from assay.stats.paired import Difference, cases_needed, difference, mcnemar
from assay.trial import Trial

ALPHA = 0.05
MOST_FLIPS = 50
MOST_NAMES = 20
MOST_SETTINGS = 50

Verdict = Literal["better", "worse", "cannot tell"]


class Flip(Struct, frozen=True):
    """A case that changed: its name, both scores (means over repeats) and one reply of each arm."""

    case: str
    a: float
    b: float
    reply_a: str
    reply_b: str


class Unmatched(Struct, frozen=True):
    """Cases of one arm alone; `names` are the first of `count`."""

    count: int
    names: tuple[str, ...]


class ArmSummary(Struct, frozen=True):
    """One arm: its headline over the shared cases, its latency and cost over all its trials.

    `failed_share` of the trials of the shared cases have no true score (they count as 0). Latency
    and dollars are those of the role under test, from live calls; `unpriced` replies have no price.
    """

    name: str
    headline: Figure
    failed_share: float
    latency: Percentiles | None
    cost_usd: Decimal
    unpriced: int
    trials: int


class Setting(Struct, frozen=True):
    """A place in the two plans (a JSON pointer) where they differ; None where one has nothing."""

    where: str
    a: str | None
    b: str | None


class Comparison(Struct, frozen=True):
    """What arm b is against arm a: differences are b - a.

    `test` says where `p` comes from: McNemar's exact test where scores are 0/1 and no case repeats,
    else that of `stats.paired.difference`. `more_cases` is about how many more cases like these would
    show a difference of this size with 80 % power; None where the verdict stands or there is no
    difference. `completed_difference` is over the cases that neither arm failed. `latency` is the
    paired difference in seconds of the cases' mean latencies, `cost_per_trial` the difference in
    dollars; both None where an arm has none.
    """

    headline: str
    a: ArmSummary
    b: ArmSummary
    shared: int
    difference: Figure
    p: float | None
    test: str
    verdict: Verdict
    reason: str
    more_cases: int | None
    errors_differ: bool
    completed_difference: Figure
    better: tuple[Flip, ...]
    worse: tuple[Flip, ...]
    better_count: int
    worse_count: int
    only_a: Unmatched
    only_b: Unmatched
    latency: Figure | None
    cost_per_trial: Decimal | None
    settings: tuple[Setting, ...]


def compare(
    a: Iterable[Trial],
    b: Iterable[Trial],
    *,
    headline: str,
    names: tuple[str, str],
    runs: tuple[Run, Run] | None = None,
) -> Comparison:
    """Compares two arms, each read once: two models of one run, or two runs (`runs`: their plans).

    Cases are paired by id, repeats averaged first; failed, invalid and unscored trials count as 0
    (where scores leave [0, 1] their cases are left out), skipped and not_run ones not at all.
    """
    return compare_arms(read(a, headline), read(b, headline), headline=headline, names=names, runs=runs)


def compare_arms(
    arm_a: Arm,
    arm_b: Arm,
    *,
    headline: str,
    names: tuple[str, str],
    runs: tuple[Run, Run] | None = None,
) -> Comparison:
    """As `compare`, of arms that are read already."""
    pairs = _pairs(arm_a, arm_b)
    told = _told(pairs, unit=arm_a.unit and arm_b.unit, binary=arm_a.binary and arm_b.binary)
    better, worse = _flips(pairs, rising=True), _flips(pairs, rising=False)
    return Comparison(
        headline=headline,
        a=_arm(names[0], headline, arm_a, [case for case, _ in pairs]),
        b=_arm(names[1], headline, arm_b, [case for _, case in pairs]),
        shared=len(pairs),
        difference=told.difference,
        p=told.p,
        test=told.test,
        verdict=told.verdict,
        reason=told.reason,
        more_cases=told.more_cases,
        errors_differ=told.errors_differ,
        completed_difference=told.completed,
        better=better[:MOST_FLIPS],
        worse=worse[:MOST_FLIPS],
        better_count=len(better),
        worse_count=len(worse),
        only_a=_unmatched(arm_a, arm_b),
        only_b=_unmatched(arm_b, arm_a),
        latency=_latency(pairs),
        cost_per_trial=_cost_per_trial(arm_a, arm_b),
        settings=_settings(runs),
    )


def regressed(comparison: Comparison, margin: float) -> bool | None:
    """Whether b is worse than a by more than `margin`: the whole interval lies beyond, or none of it.

    None where the interval holds the margin: that cannot be told.
    """
    low, high = comparison.difference.low, comparison.difference.high
    if low is None or high is None or low < -margin <= high:
        return None
    return high < -margin


Pairs = Sequence[tuple[CaseResult, CaseResult]]


class _Told(NamedTuple):
    """The verdict with all that it stands on."""

    difference: Figure
    completed: Figure
    p: float | None
    test: str
    verdict: Verdict
    reason: str
    more_cases: int | None
    errors_differ: bool


def _told(pairs: Pairs, *, unit: bool, binary: bool) -> _Told:
    found = _difference(pairs, unit=unit)
    p, test = _test(pairs, found, binary=binary)
    errors_differ = _errors_differ(pairs)
    verdict, reason = _verdict(found, p, test, errors_differ=errors_differ)
    open_ended = verdict == "cannot tell" and not errors_differ
    more_cases = _more_cases(pairs, found) if open_ended else None
    whole = _whole(pairs)
    completed = _figure(_difference(whole, unit=unit), whole)
    return _Told(_figure(found, pairs), completed, p, test, verdict, reason, more_cases, errors_differ)


def _pairs(a: Arm, b: Arm) -> Pairs:
    """The cases of both arms. Where scores leave [0, 1] a failure is no 0: then without the failed ones."""
    both = [(case, b.cases[key]) for key, case in a.cases.items() if key in b.cases]
    return both if a.unit and b.unit else _whole(both)


def _whole(pairs: Pairs) -> Pairs:
    return [(a, b) for a, b in pairs if not a.lost and not b.lost]


def _difference(pairs: Pairs, *, unit: bool) -> Difference | None:
    if not pairs:
        return None
    means = ([a.mean for a, _ in pairs], [b.mean for _, b in pairs])
    return difference(*means, (-1.0, 1.0) if unit else None)


def _figure(found: Difference | None, pairs: Pairs) -> Figure:
    if found is None:
        return Figure("difference", None, None, None, 0, 0, method="no shared case")
    e: Estimate = found.estimate
    trials = sum(a.count + b.count for a, b in pairs)
    return Figure("difference", e.value, e.low, e.high, e.n, trials, e.se, e.method)


def _test(pairs: Pairs, found: Difference | None, *, binary: bool) -> tuple[float | None, str]:
    if found is None:
        return None, "none"
    if binary and all(a.count == b.count == 1 for a, b in pairs):
        gained = sum(b.mean > a.mean for a, b in pairs)
        lost = sum(b.mean < a.mean for a, b in pairs)
        return mcnemar(gained, lost), "McNemar exact"
    return found.p, found.test


def _errors_differ(pairs: Pairs) -> bool:
    """Whether one arm failed on more cases than the other, beyond chance (McNemar on failed cases)."""
    a_only = sum(bool(a.lost) and not b.lost for a, b in pairs)
    b_only = sum(bool(b.lost) and not a.lost for a, b in pairs)
    return mcnemar(a_only, b_only) < ALPHA


def _verdict(
    found: Difference | None, p: float | None, test: str, *, errors_differ: bool
) -> tuple[Verdict, str]:
    """Better or worse where test and interval agree and the arms failed alike."""
    if found is None or p is None:
        return "cannot tell", "the arms share no case"
    if errors_differ:
        return "cannot tell", "the arms differ in failed trials: see what failed before the scores"
    e, shown = found.estimate, f"{test} p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    if e.low is None or e.high is None:
        return "cannot tell", f"no interval: {e.method}"
    if p >= ALPHA:
        return "cannot tell", f"{shown}, not below {ALPHA}"
    if e.low <= 0 <= e.high:
        return "cannot tell", f"the interval holds 0 ({shown})"
    return ("better" if e.value > 0 else "worse"), shown


def _more_cases(pairs: Pairs, found: Difference | None) -> int | None:
    if found is None or len(pairs) < 2:
        return None
    needed = cases_needed(found.estimate.value, stdev(b.mean - a.mean for a, b in pairs))
    return None if needed is None else max(1, needed - len(pairs))


def _flips(pairs: Pairs, *, rising: bool) -> tuple[Flip, ...]:
    """The cases that got better (or worse), the largest changes first."""
    changed = [(a, b) for a, b in pairs if (b.mean > a.mean if rising else b.mean < a.mean)]
    changed.sort(key=lambda pair: (-abs(pair[1].mean - pair[0].mean), pair[0].name))
    return tuple(Flip(a.name, a.mean, b.mean, a.reply, b.reply) for a, b in changed)


def _arm(name: str, headline: str, arm: Arm, cases: Sequence[CaseResult]) -> ArmSummary:
    trials = sum(case.count for case in cases)
    lost = sum(case.lost for case in cases)
    return ArmSummary(
        name=name,
        headline=figure(headline, cases, unit=arm.unit, binary=arm.binary),
        failed_share=lost / trials if trials else 0.0,
        latency=percentiles(arm.latencies),
        cost_usd=arm.cost,
        unpriced=arm.unpriced,
        trials=arm.trials,
    )


def _unmatched(arm: Arm, other: Arm) -> Unmatched:
    names = [case.name for key, case in arm.cases.items() if key not in other.cases]
    return Unmatched(len(names), tuple(names[:MOST_NAMES]))


def _latency(pairs: Pairs) -> Figure | None:
    """The paired difference of the cases' mean latencies, in seconds."""
    timed = [(a, b) for a, b in pairs if a.timed and b.timed]
    if not timed:
        return None
    a, b = [x.seconds / x.timed for x, _ in timed], [y.seconds / y.timed for _, y in timed]
    e = difference(a, b, None).estimate
    return Figure(
        "latency", fmean(y - x for x, y in zip(a, b, strict=True)), e.low, e.high, e.n, e.n, e.se, e.method
    )


def _cost_per_trial(a: Arm, b: Arm) -> Decimal | None:
    """Dollars a trial, b - a; None unless every live reply of both arms has a price."""
    if not (a.priced and b.priced) or a.unpriced or b.unpriced:
        return None
    return b.cost / b.trials - a.cost / a.trials


def _settings(runs: tuple[Run, Run] | None) -> tuple[Setting, ...]:
    """Where the two runs' plans, tasks and versions differ, the first MOST_SETTINGS places."""
    if runs is None:
        return ()
    a, b = (_leaves(_configuration(run)) for run in runs)
    differ = [where for where in sorted(a.keys() | b.keys()) if a.get(where) != b.get(where)]
    return tuple(Setting(where, a.get(where), b.get(where)) for where in differ[:MOST_SETTINGS])


def _configuration(run: Run) -> JSON:
    return {
        "plan": run.plan,
        "task": run.task,
        "fingerprint": run.fingerprint,
        "headline": run.headline,
        "models": list(run.models),
        "seed": run.seed,
        "version": run.version,
    }


def _leaves(value: JSON, where: str = "") -> dict[str, str]:
    """The scalar leaves of a JSON value by JSON pointer, as bounded text."""
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(str(place), item) for place, item in enumerate(value)]
    else:
        return {where: "nothing" if value is None else str(value)[:200]}
    found: dict[str, str] = {}
    for key, item in items:
        found |= _leaves(item, f"{where}/{key.replace('~', '~0').replace('/', '~1')}")
    return found

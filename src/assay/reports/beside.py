"""What stands beside a model's headline, in words: repeats, whole-set figures, judges, spend, origins."""

from __future__ import annotations

from collections.abc import Iterator

from assay.reports import wording
from assay.reports.calibration import Calibration
from assay.reports.figures import Figure
from assay.reports.judges import JUDGES, JudgeSummary
from assay.reports.preference import Preference
from assay.reports.repeats import RepeatSummary
from assay.reports.summary import ModelSummary
from assay.stats.confusion import Confusion
from assay.stats.intervals import Estimate
from assay.stats.repeats import Passes

Line = tuple[str, str]
"""What it is, and the figure with its n and interval."""

MOST_CELLS = 12
"""Cells of a table of counts that are written out."""


def beside(m: ModelSummary) -> list[Line]:
    """Every line that this model has."""
    lines = [*_repeats(m.repeats), *_corpus(m)]
    for name, judge in m.judges.items():
        lines += _judge(name, judge, m)
    return [*lines, *_spend(m), *_origins(m)]


def _repeats(found: RepeatSummary | None) -> Iterator[Line]:
    if found is None:
        return
    for what, passes in (
        ("pass@k, any of k right", found.pass_at),
        ("pass^k, all of k right", found.pass_all),
    ):
        if passes:
            yield what, " · ".join(map(_passes, passes))
    if found.same_reply.value is not None:
        yield "repeats with the same reply", f"{_share(found.same_reply)} of {found.same_reply.n} cases"
    if found.same_score.value is not None:
        yield "repeats with the same score", f"{_share(found.same_score)} of {found.same_score.n} cases"


def _passes(each: Passes) -> str:
    if each.estimate is None:
        return f"{each.k}: none of {each.left_out} cases has so many"
    left = f", {each.left_out} cases left out" if each.left_out else ""
    return f"{each.k}: {estimate(each.estimate)} (n {each.estimate.n}{left})"


def _share(found: Figure) -> str:
    ends = f" [{found.low:.0%}, {found.high:.0%}]" if found.low is not None and found.high is not None else ""
    return f"{found.value:.0%}{ends}"


def estimate(found: Estimate) -> str:
    """`0.867 [0.795, 0.917]`; alone where there is no interval."""
    ends = f" [{found.low:.2f}, {found.high:.2f}]" if found.low is not None and found.high is not None else ""
    return f"{found.value:.2f}{ends}"


def _corpus(m: ModelSummary) -> Iterator[Line]:
    for name, figure in m.corpus.items():
        rounds = f", mean of {figure.rounds} rounds" if figure.rounds > 1 else ""
        digits = f"{figure.value:.1f}" if figure.value > 1 else f"{figure.value:.3f}"
        yield name.replace("_", " "), f"{digits} over {figure.trials} trials{rounds}"


def _judge(name: str, judge: JudgeSummary, m: ModelSummary) -> Iterator[Line]:
    if judge.spread is not None:
        yield f"{name}, spread of its verdicts", f"{judge.spread:.2f} between highest and lowest, on average"
    if name in JUDGES and (judge.invalid or judge.asked_again):
        share = f"{judge.invalid} of {judge.valid + judge.invalid} without a verdict"
        yield f"{name}, replies", f"{share}, {judge.asked_again} asked about twice"
    if judge.preference is not None:
        yield from preferred(judge.preference)
    for each, found in judge.calibrations.items():
        yield from _calibration(each, found, m)


def preferred(p: Preference) -> Iterator[Line]:
    """What a judge of pairs preferred, what order and length had to do with it, and every flag."""
    if p.win_rate.value is not None:
        ends = f"{p.b_wins} for B, {p.a_wins} for A, {p.ties} ties"
        yield "pairs, B wins", f"{_share(p.win_rate)} of {p.pairs} ({ends})"
    if p.position_flip_rate is not None:
        first = f", the answer shown first wins {p.win_first_rate:.0%} of {p.decided}" if p.decided else ""
        yield "pairs, the two orders disagree", f"{p.position_flip_rate:.0%} of {p.asked}{first}"
    if p.length is not None:
        equal = p.at_equal_length
        adjusted = f"; at equal length B wins {estimate(equal)}" if equal is not None else ""
        told = f"r {p.length.r:+.2f} ({wording.p_value(p.length.p)}){adjusted}"
        yield "pairs, longer answers and wins", told
    if p.same:
        yield "pairs of equal answers", f"{p.same}: ties, not shown to the judge"
    if p.unscored:
        yield "pairs without a verdict", f"{p.unscored}: in no figure"
    for flag in p.flags:
        yield "flag", flag


def _calibration(name: str, found: Calibration, m: ModelSummary) -> Iterator[Line]:
    who = f"{found.raters} raters" if found.raters > 1 else "1 rater"
    grounds = f"{found.n} labelled trials by {who}"
    if found.kappa is not None:
        same = f", {found.agree.value:.0%} equal" if found.agree is not None else ""
        how = "" if found.weights == "none" else f" ({found.weights} weights)"
        yield f"{name} against people", f"kappa {estimate(found.kappa)}{how}{same}, {grounds}"
    else:
        yield f"{name} against people", f"{'; '.join(found.why)}; {grounds}"
    if found.people is not None:
        yield f"{name}, people among themselves", f"alpha {estimate(found.people)}"
    raw = m.completed_only if name == m.headline.name else m.scores[name].figure
    if found.corrected is not None and raw.value is not None:
        yield f"{name}, mean", f"raw {wording.figure(raw)}, corrected {estimate(found.corrected)}"
    if found.confusion is not None:
        yield f"{name}, people's label -> the score's", _cells(found.confusion)


def _cells(table: Confusion[float]) -> str:
    """The counts that are not 0, the largest first: `4 -> 5: 12`."""
    cells = [
        (count, said, given)
        for said, row in zip(table.labels, table.counts, strict=True)
        for given, count in zip(table.labels, row, strict=True)
        if count
    ]
    cells.sort(key=lambda cell: -cell[0])
    shown = " · ".join(f"{said:g} -> {given:g}: {count}" for count, said, given in cells[:MOST_CELLS])
    return shown + (f" · {len(cells) - MOST_CELLS} more kinds" if len(cells) > MOST_CELLS else "")


def _spend(m: ModelSummary) -> Iterator[Line]:
    """What each role spent, where more than one did: a judge's is never mixed into the model's."""
    if len(m.roles) < 2:
        return
    parts = []
    for name, role in m.roles.items():
        cost = wording.dollars(role.cost_usd if not role.unpriced else None)
        tokens = f"{wording.count(role.tokens.input)} / {wording.count(role.tokens.output)} tokens"
        parts.append(f"{name} {cost} ({role.calls} calls, {tokens})")
    yield "spend by role", " · ".join(parts)


def _origins(m: ModelSummary) -> Iterator[Line]:
    """Where replies came from, where not all are live."""
    counts: dict[str, int] = {}
    for role in m.roles.values():
        for origin, count in role.origins.items():
            counts[origin] = counts.get(origin, 0) + count
    total = sum(counts.values())
    if total and counts.get("live", 0) != total:
        parts = [f"{name} {count / total:.0%} ({count})" for name, count in counts.items()]
        yield "origin of replies", " · ".join(parts)

"""A comparison as a person reads it: in the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from assay.cli import judging, looks

if TYPE_CHECKING:  # a verb's own record; its module is loaded before this one
    from assay.cli.compare import Compared
    from assay.reports.compare import ArmSummary, Comparison, Flip, Unmatched

REPLY_ROOM = 100


def shown(found: Compared, margin: float, flips: int) -> str:
    """The verdict first, then the arms, what changed, and what differs in their settings."""
    c = found.comparison
    lines = [verdict_line(found, margin), click.style(sentence(c), bold=True), "", arms_table(c), ""]
    lines += differences(c)
    if found.judged is not None:
        lines += ["", click.style(judging.sentence(found.judged), bold=True), *judging.lines(found.judged)]
    if found.slices:
        lines += ["", slices_table(found)]
    for word, count, listed in (("worse", c.worse_count, c.worse), ("better", c.better_count, c.better)):
        if count:
            lines += ["", f"{count} case{'s' * (count != 1)} got {word}" + _first(count, flips)]
            lines += [line for flip in listed[:flips] for line in _flip(flip)]
    lines += _unmatched_lines(c)
    if c.settings:
        lines += ["", "settings that differ"]
        rows = [[each.where, _setting(each.a), _setting(each.b)] for each in c.settings]
        lines.append(looks.table(["", "A", "B"], rows, left=3))
    return "\n".join(lines)


def verdict_line(found: Compared, margin: float) -> str:
    """The gate's word: did B get worse by more than the margin?"""
    if found.regressed is None or (found.comparison.errors_differ and not found.regressed):
        word = "CANNOT TELL"
    else:
        word = "FAIL" if found.regressed else "PASS"
    c = found.comparison
    why = f"   {c.reason}" if c.errors_differ else ""
    return f"{looks.verdict(word)}  {c.headline} drop <= {margin:g}   {looks.points(c.difference)}{why}"


def sentence(c: Comparison) -> str:
    """The answer in one sentence, with its ground."""
    if not c.shared:
        return f"{c.a.name} and {c.b.name} share no case: nothing can be compared"
    ground = f"on the {c.shared} shared cases ({c.test} {looks.p_value(c.p)})"
    size = looks.points(c.difference)
    if c.verdict != "cannot tell":
        return f"B is {c.verdict} than A: {size} {ground}"
    more = f"; about {c.more_cases} more cases would tell" if c.more_cases else ""
    return f"cannot tell A and B apart: {size} {ground}{more}"


def arms_table(c: Comparison) -> str:
    """One row an arm."""
    return looks.fitted(["", c.headline, "failed", "p50 / p95", "cost"], _arm_rows(c))


def _arm_rows(c: Comparison) -> list[list[str]]:
    return [_arm("A", c.a), _arm("B", c.b)]


def _arm(letter: str, arm: ArmSummary) -> list[str]:
    name = f"{letter}  {arm.name}" + (" (emulated)" if "emulated/" in arm.name else "")
    cost = looks.dollars(arm.cost_usd) if not arm.unpriced else "-"
    return [
        name,
        looks.figure(arm.headline),
        f"{arm.failed_share:.1%}",
        looks.p50_p95(arm.latency),
        cost,
    ]


def differences(c: Comparison) -> list[str]:
    """B - A in latency, in cost, and without the trials that failed."""
    lines = []
    if c.latency is not None and c.latency.value is not None:
        lines.append(f"latency {_signed(c.latency.value)}{_between(c.latency.low, c.latency.high)} a case")
    if c.cost_per_trial is not None:
        sign = "-" if c.cost_per_trial < 0 else "+"
        lines.append(f"cost {sign}{looks.dollars(abs(c.cost_per_trial))} a trial")
    if c.a.failed_share or c.b.failed_share:
        only = f"without the cases that failed: {looks.points(c.completed_difference)}"
        lines.append(f"{only} (n {c.completed_difference.n})")
    return lines


def _signed(seconds: float) -> str:
    return ("-" if seconds < 0 else "+") + looks.seconds(abs(seconds))


def _between(low: float | None, high: float | None) -> str:
    return f" [{_signed(low)}, {_signed(high)}]" if low is not None and high is not None else ""


def slices_table(found: Compared) -> str:
    """One row a slice."""
    return looks.fitted(["slice", "A", "B", "difference", "n"], _slice_rows(found))


def _slice_rows(found: Compared) -> list[list[str]]:
    return [
        [
            looks.short(f"{each.tag}={each.value}", 40),
            _mean(each.comparison.a),
            _mean(each.comparison.b),
            looks.points(each.comparison.difference),
            str(each.comparison.shared),
        ]
        for each in found.slices
    ]


def _mean(arm: ArmSummary) -> str:
    return f"{arm.headline.value:.2f}" if arm.headline.value is not None else "-"


def _first(count: int, flips: int) -> str:
    if not flips:
        return ""
    return f" (the first {flips})" if count > flips else ""


def _flip(flip: Flip) -> list[str]:
    return [
        f"  {looks.short(flip.case, 40)}   {flip.a:g} -> {flip.b:g}",
        click.style(f"    A  {looks.short(flip.reply_a, REPLY_ROOM)}", dim=True),
        click.style(f"    B  {looks.short(flip.reply_b, REPLY_ROOM)}", dim=True),
    ]


def _unmatched_lines(c: Comparison) -> list[str]:
    lines = []
    for letter, cases in (("A", c.only_a), ("B", c.only_b)):
        if cases.count:
            lines += ["", f"{cases.count} case{'s' * (cases.count != 1)} in {letter} alone: {_names(cases)}"]
    return lines


def _names(cases: Unmatched) -> str:
    names = ", ".join(looks.short(name, 30) for name in cases.names[:8])
    return names + (", ..." if cases.count > 8 else "")


def _setting(value: str | None) -> str:
    return looks.short(value, 50) if value is not None else "-"


def as_markdown(found: Compared, margin: float, flips: int) -> str:
    """The same for a pull request; what models said is in code spans that it cannot leave."""
    c = found.comparison
    verdict = click.unstyle(verdict_line(found, margin))
    lines = [f"## {c.headline}: A against B", "", f"**{verdict}**", "", sentence(c), ""]
    lines += _grid(["", c.headline, "failed", "p50 / p95", "cost"], _arm_rows(c))
    lines += ["", *(f"- {line}" for line in differences(c))]
    if found.judged is not None:
        lines += ["", f"**{_escaped(judging.sentence(found.judged))}**", ""]
        lines += [f"- {_escaped(line)}" for line in judging.lines(found.judged)]
    if found.slices:
        rows = [[_escaped(cell) for cell in row] for row in _slice_rows(found)]
        lines += ["", *_grid(["slice", "A", "B", "difference", "n"], rows)]
    for word, count, listed in (("worse", c.worse_count, c.worse), ("better", c.better_count, c.better)):
        if count:
            lines += ["", f"### {count} got {word}{_first(count, flips)}", ""]
            rows = [
                [_code(f.case), f"{f.a:g} -> {f.b:g}", _code(f.reply_a), _code(f.reply_b)]
                for f in listed[:flips]
            ]
            lines += _grid(["case", "score", "A said", "B said"], rows) if flips else []
    for line in _unmatched_lines(c):
        lines.append(_escaped(line))
    if c.settings:
        rows = [[_code(s.where), _code(_setting(s.a)), _code(_setting(s.b))] for s in c.settings]
        lines += ["", "### Settings that differ", "", *_grid(["", "A", "B"], rows)]
    return "\n".join(lines)


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _code(text: str) -> str:
    """A hostile text as a code span in a table cell."""
    plain = looks.short(text, REPLY_ROOM).replace("`", "'").replace("|", "\\|").strip()
    return f"`{plain}`" if plain else ""


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "`*_[]<>|#" else c for c in text)

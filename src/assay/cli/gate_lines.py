"""Verdicts as a person reads them: a line a gate in the terminal, a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import click

from assay.cli import looks
from assay.reports.figures import Figure
from assay.reports.gate import Gated, GateReport
from assay.stats.quantiles import Quantile

REASON_ROOM = 160


def shown(report: GateReport) -> str:
    """The verdicts in the order of the file, by model where there are several, and what they stand on."""
    models = list(dict.fromkeys(gated.model for gated in report.gates))
    limits = max(looks.width(limit(gated)) for gated in report.gates)
    lines: list[str] = []
    for model in models:
        if len(models) > 1:
            lines += [*([""] if lines else []), click.style(looks.model(model), bold=True)]
        lines += [_line(gated, limits) for gated in report.gates if gated.model == model]
    return "\n".join([*lines, "", click.style(ground(report), dim=True)])


def _line(gated: Gated, limits: int) -> str:
    text = limit(gated)
    padded = text + " " * (limits - looks.width(text))
    return f"{looks.verdict(gated.verdict)}  {padded}   {finding(gated)}"


def limit(gated: Gated) -> str:
    """`json_exact >= 0.90`, `json_exact drop <= 0.02`, `latency_p95 <= 2 s`, with its slice."""
    sign = ">=" if gated.sense == "min" else "<="
    where = f" on {looks.short('='.join(gated.slice), 40)}" if gated.slice is not None else ""
    if gated.kind == "drop":
        return f"{gated.metric} drop <= {gated.limit:.2g}{where}"
    if gated.kind == "seconds":
        return f"{gated.metric} {sign} {_short_seconds(gated.limit)}{where}"
    if gated.kind == "dollars":
        return f"{gated.metric} {sign} {_dollars(gated.limit)}{where}"
    digits = f"{gated.limit:.2f}"
    return f"{gated.metric} {sign} {digits if float(digits) == gated.limit else f'{gated.limit:g}'}{where}"


def finding(gated: Gated) -> str:
    """The figure with its interval and n; then why it does not tell, or is invalid."""
    if gated.verdict == "INVALID":
        return looks.short(gated.reason, REASON_ROOM)
    text = f"{_figure(gated)} of {gated.n}"
    if gated.things != "cases":
        text += f" {gated.things}"
    if gated.more is not None:
        return f"{text}; about {gated.more} more {gated.things} would tell"
    return f"{text}; {gated.reason}" if gated.reason else text


def _figure(gated: Gated) -> str:
    value = gated.value or 0.0
    if gated.kind == "seconds":
        return looks.quantile(Quantile(value, gated.low, gated.high))
    if gated.kind == "dollars":
        ends = f" [{_dollars(gated.low)}, {_dollars(gated.high or 0.0)}]" if gated.low is not None else ""
        return _dollars(value) + ends
    if gated.kind == "drop":
        if gated.low is None or gated.high is None:
            return f"{value:+.3f}"
        return f"{value:+.3f} [{_signed(gated.low)}, {_signed(gated.high)}]"
    return looks.figure(Figure(gated.metric, value, gated.low, gated.high, gated.n, gated.n))


def _signed(value: float) -> str:
    """A difference without its leading zero: -.051, +1."""
    sign = "-" if value < 0 else "+"
    return sign + looks.share(abs(value))


def _short_seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 else f"{value * 1e3:g} ms"


def _dollars(value: float) -> str:
    return looks.dollars(Decimal(f"{value:.3g}"))


def ground(report: GateReport) -> str:
    """What the verdicts stand on, in a line."""
    if not report.tests:
        return f"{report.run_id}: no figure of it counts"
    many = f"any of the {report.tests} verdicts" if report.tests > 1 else "the verdict"
    return f"{report.run_id}: the chance that {many} is wrong is at most 5 % (Holm)"


def as_markdown(report: GateReport) -> str:
    """The same for a pull request."""
    head = ["verdict", "gate", "model", "found"]
    rows = [
        [f"**{gated.verdict}**", *map(_escaped, (limit(gated), looks.model(gated.model), finding(gated)))]
        for gated in report.gates
    ]
    return "\n".join(
        [f"## Gate: {report.verdict}", "", *_grid([head, ["---"] * 4, *rows]), "", ground(report)]
    )


def _grid(rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in rows]


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in text)

"""What a run came to, as a person reads it, and the exit code that says it."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import click

from assay.cli import looks
from assay.cli.main import CANNOT_TELL, INTERRUPTED, TOO_MANY_FAILED
from assay.ports import Run
from assay.reports.beside import beside
from assay.reports.summary import ModelSummary, Summary
from assay.trial import Status

OTHER_TAGS = "tags"
"""What stands before tags that have one value: a case has them or not."""

MOST_TAGS, MOST_VALUES = 6, 10


def exit_code(run: Run, summary: Summary, max_failed: float) -> int:
    """0 good; 3 stopped by budget or circuit; 4 too many trials failed; 130 interrupted."""
    if run.stop == "cancelled":
        return INTERRUPTED
    if run.stop in {"budget", "circuit"}:
        return CANNOT_TELL
    return TOO_MANY_FAILED if summary.failed_share > max_failed else 0


def headline_table(summary: Summary) -> str:
    """One row a model: headline, other scores, failures, times, tokens, cost."""
    names = [name for name in _scores(summary) if name != summary.headline][:6]
    head = ["", summary.headline, *names, "failed", "p50 / p95", "TTFT p50", "tokens in/out", "cost"]
    return looks.fitted(head, [_row(each, names) for each in summary.models])


def _scores(summary: Summary) -> list[str]:
    return list(dict.fromkeys(name for model in summary.models for name in model.scores))


def _row(model: ModelSummary, names: list[str]) -> list[str]:
    others = [
        f"{figure.value:.3f}" if (figure := model.scores[name].figure).value is not None else "-"
        for name in names
        if name in model.scores
    ]
    ttft = model.speed.ttft
    return [
        looks.model(model.model),
        looks.figure(model.headline),
        *others,
        *["-"] * (len(names) - len(others)),
        f"{model.statuses[Status.FAILED]}/{model.planned}",
        looks.p50_p95(model.latency),
        looks.seconds(ttft.p50.value) if ttft is not None else "-",
        f"{looks.count(model.tokens.input)} / {looks.count(model.tokens.output)}",
        looks.dollars(model.cost_usd if not model.attempts.unpriced else None),
    ]


def slices_lines(summary: Summary) -> list[str]:
    """The headline by slice, a line a tag, all models beside each other: `hard 0.55 vs 0.10`."""
    every: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for model in summary.models:
        for each in model.slices:
            value = f"{each.headline.value:.2f}" if each.headline.value is not None else "-"
            every[each.key][each.value].append(value)
    found = {key: dict(values) for key, values in every.items() if len(values) > 1}
    marks = {key: next(iter(v.values())) for key, v in every.items() if list(v) == [key]}
    found |= {OTHER_TAGS: marks} if marks else {}
    lines = []
    for key, values in list(found.items())[:MOST_TAGS]:
        parts = [f"{looks.short(name, 24)} {' vs '.join(each)}" for name, each in values.items()]
        more = f" · {len(parts) - MOST_VALUES} more" if len(parts) > MOST_VALUES else ""
        lines.append(f"{looks.short(key, 24)}: {' · '.join(parts[:MOST_VALUES])}{more}")
    return lines


def troubles_line(summary: Summary) -> str:
    """What failed, was invalid or unscored, by class."""
    parts = []
    for model in summary.models:
        for status in (Status.FAILED, Status.INVALID, Status.UNSCORED, Status.NOT_RUN):
            number = model.statuses.get(status, 0)
            if number:
                reasons = ", ".join(f"{name} {n}" for name, n in model.reasons.get(status, {}).items())
                parts.append(
                    f"{looks.label(model.model)}: {number} {status}" + (f" ({reasons})" if reasons else "")
                )
    return " · ".join(parts)


def load_table(summary: Summary) -> str:
    """One row a model of a load run; empty for any other run."""
    head = ["", "offered/s", "completed/s", "correct/s", "TTFT p50", "TTFT p99", "TPOT p50", "lag p99"]
    rows = []
    for model in summary.models:
        load, speed = model.load, model.speed
        if load is not None:
            rows.append(
                [
                    looks.model(model.model),
                    f"{load.offered:.1f}",
                    f"{load.completed:.1f}",
                    f"{load.correct:.1f}",
                    looks.quantile(speed.ttft.p50) if speed.ttft else "-",
                    looks.quantile(speed.ttft.p99) if speed.ttft else "-",
                    looks.seconds(speed.tpot.p50.value) if speed.tpot else "-",
                    looks.seconds(load.lag.p99.value) if load.lag else "closed",
                ]
            )
    return looks.fitted(head, rows) if rows else ""


def beside_lines(summary: Summary) -> list[str]:
    """What stands beside the headline: repeats, whole-set figures, judges, spend by role, origins."""
    several = len(summary.models) > 1
    return [
        click.style(f"{looks.label(model.model)}: " if several else "", dim=True) + f"{what}: {told}"
        for model in summary.models
        for what, told in beside(model)
    ]


def show(run: Run, summary: Summary, comparisons: list[str]) -> None:
    """The figures of a run, then where its record lies and what to type next."""
    click.echo()
    click.echo(headline_table(summary))
    load = load_table(summary)
    if load:
        click.echo("\n" + load)
    click.echo()
    for line in (*comparisons, *slices_lines(summary), troubles_line(summary)):
        if line:
            click.echo(line)
    for line in beside_lines(summary):
        click.echo(line)
    for model in summary.models:
        for note in model.notes:
            click.echo(click.style(f"note: {looks.label(model.model)}: {note}", fg="yellow"))
    if summary.validity.verdict == "invalid":
        for reason in summary.validity.reasons:
            click.echo(click.style("invalid: ", fg="red") + reason)
    if run.stop is not None:
        click.echo(click.style(f"stopped: {run.stop}; go on with: assay run --resume {run.id}", fg="yellow"))


def pairs(summary: Summary) -> list[tuple[str, str]]:
    """Every pair of models of a run, each once."""
    return list(combinations([model.model for model in summary.models], 2))

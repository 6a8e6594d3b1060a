"""`assay summarise`: what the results in a file come to, and a histogram of the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.errors import UsageError
from assay.keys import JSON

if TYPE_CHECKING:  # --help reads no file
    from assay.loading.results import ResultLine


@click.command("summarise")
@click.argument("file")
@click.option("--histogram", metavar="PNG", help="Write the scores as a picture.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), help="Print (or write) the figures so.")
@click.option("--output", metavar="FILE", help="Write the figures there.  [as JSON, or by its name]")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(file: str, *, histogram: str | None, form: str | None, output: str | None, quiet: bool) -> None:
    r"""Summarise the results in FILE: NDJSON, CSV or JSON, of assay or of the classic service.

    \b
    assay summarise results/batch_run_20251201_120000_abc123_20251201_120500.csv
    assay summarise results.ndjson --histogram scores.png
    assay summarise results.json --format json --output summary.json --quiet
    """
    from assay.loading.results import read_results

    figures = _figures(read_results(Path(file)))
    if output is not None:
        ending = Path(output).suffix.lower().lstrip(".")
        _write(Path(output), _text(figures, form or ("csv" if ending == "csv" else "json")).encode())
    if histogram is not None:
        _write(Path(histogram), _picture(figures))
    if quiet:
        return
    click.echo(_text(figures, form) if form is not None and output is None else _lines(figures), nl=False)
    for path in (output, histogram):
        if path is not None:
            click.echo(f"wrote {path}", err=True)


def _figures(results: Sequence[ResultLine]) -> dict[str, JSON]:
    """The classic figures, each with its interval and what it is of."""
    from msgspec import to_builtins

    from assay.reports.scores import score_distribution, score_statistics
    from assay.stats.intervals import rate

    grades = [each.score for each in results if each.score is not None]
    successful = sum(each.successful is True for each in results)
    failed = sum(each.successful is False for each in results)
    ended = successful + failed
    found: dict[str, JSON] = {
        "total_scenarios": len(results),
        "successful_scenarios": successful,
        "failed_scenarios": failed,
        "skipped_scenarios": len(results) - ended,
        "success_rate": successful / ended if ended else None,
        "success": to_builtins(rate(successful, ended)) if ended else None,
        "scored": len(grades),
        "unscored": successful - sum(each.score is not None and each.successful is True for each in results),
        "score_statistics": to_builtins(score_statistics(grades)),
        "score_distribution": to_builtins(score_distribution(grades)),
    }
    return found


def _lines(figures: dict[str, JSON]) -> str:
    """The figures as a person reads them."""
    found, spread = figures["score_statistics"], figures["score_distribution"]
    share, success = figures["success_rate"], figures["success"]
    counts = [figures[f"{name}_scenarios"] for name in ("total", "successful", "failed", "skipped")]
    lines = ["conversations  {}: {} ended without an error, {} failed, {} skipped".format(*counts)]
    if share is not None:
        low, high = success["low"], success["high"]
        lines.append(f"success rate   {share:.1%} [{low:.1%}, {high:.1%}], n = {success['n']}")
    if not found["n"]:
        return "\n".join([*lines, "scores         none"]) + "\n"
    interval = found["interval"]
    lacking = figures["unscored"]
    std = "-" if found["std"] is None else f"{found['std']:.3f}"
    margins = "" if interval["low"] is None else f" [{interval['low']:.3f}, {interval['high']:.3f}]"
    lines += [
        f"mean score     {found['mean']:.3f}{margins}, n = {found['n']}, {lacking} without a score",
        f"median {found['median']:g} · std {std} · min {found['min']:g} · max {found['max']:g}",
    ]
    for name, count in spread.items():
        if count or name != "other":
            bar = "#" * round(40 * count / found["n"])
            lines.append(
                f"{name.replace('_', ' '):<8} {count:>7}  {count / found['n']:>6.1%}  {bar}".rstrip()
            )
    return "\n".join(lines) + "\n"


def _text(figures: dict[str, JSON], form: str) -> str:
    """The figures as JSON, or as CSV of two columns."""
    if form == "json":
        return json.dumps(figures, ensure_ascii=False, indent=2) + "\n"
    rows = ["metric,value"]
    for name, value in figures.items():
        flat = value.items() if isinstance(value, dict) else [("", value)]
        for inner, each in flat:
            if not isinstance(each, (dict, str)):
                label = f"{name}.{inner}" if inner else name
                rows.append(f"{label},{'' if each is None else each}")
    return "\r\n".join(rows) + "\r\n"


def _picture(figures: dict[str, JSON]) -> bytes:
    from assay.reports.histogram import histogram

    found, spread = figures["score_statistics"], figures["score_distribution"]
    bars = [(grade, spread[f"score_{grade}"]) for grade in ("1", "2", "3")]
    if spread["other"]:
        bars.append(("other", spread["other"]))
    share, success = figures["success_rate"], figures["success"]
    if not found["n"]:
        title = "no scores"
    else:
        title = f"mean {found['mean']:.2f}, median {found['median']:g}, n = {found['n']}"
    note = f"{figures['total_scenarios']} conversations"
    if share is not None:
        note += f", {share:.1%} without an error (95% interval {success['low']:.1%} - {success['high']:.1%})"
    return histogram(bars, figures["unscored"], title, note)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as failure:
        raise UsageError(
            f"{path} cannot be written: {failure.strerror}", fix="name a file in a folder that is yours"
        ) from None

"""`assay export`: a run's trials as a file for other programs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias, get_args

import click

from assay.cli.options import store_option
from assay.errors import UsageError

if TYPE_CHECKING:  # only their names are needed before the command runs
    from assay.ports import Run
    from assay.trial import Trial

TextForm: TypeAlias = Literal["csv", "ndjson", "json", "junit", "prometheus"]
Form: TypeAlias = TextForm | Literal["parquet"]
FORMS: tuple[Form, ...] = (*get_args(TextForm), "parquet")
ENDINGS = {"jsonl": "ndjson", "xml": "junit", "prom": "prometheus"}
"""What the end of a file's name says, where it is not the form itself."""


@click.command("export")
@click.argument("run")
@click.option("--to", type=click.Choice(FORMS), help="The form.  [default: by the file's name, else csv]")
@click.option("-o", "--output", metavar="FILE", help="Write there, whole or not at all, instead of printing.")
@click.option("--raw", is_flag=True, help="CSV cells as they are: a spreadsheet would run those like =1+1.")
@store_option
def command(run: str, *, to: str | None, output: str | None, raw: bool, store: str) -> None:
    r"""Write RUN's trials as CSV, NDJSON or JSON: a row a trial.

    As Parquet: the same with types, by the extra frames. As JUnit XML: a testcase a trial, for CI
    systems. As Prometheus text: the run's figures as metrics.

    \b
    assay export last --to csv > trials.csv
    assay export last -o trials.ndjson
    assay export last -o junit.xml
    """
    from assay.cli.stored import find_run, opened
    from assay.ports import Where

    record = opened(store)
    found = find_run(record, run)
    form = _form(to, output)
    trials = record.trials(Where(run=found.id))
    if output is not None:
        count = _to_file(Path(output), trials, form, found, raw=raw)
        click.echo(f"{count} trials of {found.id} in {output}", err=True)
        return
    if form == "parquet":
        raise UsageError(
            "Parquet is no text to print", fix=f"name a file: assay export {run} -o trials.parquet"
        )
    sys.stdout.flush()
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
    try:
        _write(trials, form, found, out, raw=raw)
        out.flush()
    except BrokenPipeError:  # `assay export RUN | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        out.detach()


def _write(trials: Iterable[Trial], form: TextForm, run: Run, out: TextIO, *, raw: bool) -> int:
    """Writes the trials in a form; their number."""
    from assay.store.export import export

    if form == "junit":
        from assay.reports.junit import junit

        return junit(trials, run, out)
    if form == "prometheus":
        from assay.reports.prometheus import prometheus

        return prometheus(trials, run, out)
    return export(trials, form, out, task=_task(run), csv_raw=raw)


def _to_file(path: Path, trials: Iterable[Trial], form: Form, run: Run, *, raw: bool) -> int:
    """As `_write`, into a file that is there whole or not at all."""
    from assay.store.export import export_to
    from assay.store.forms import drafted

    if form == "csv" or form == "ndjson" or form == "json":  # noqa: PLR1714  a set would not narrow the type
        return export_to(path, trials, form, task=_task(run), csv_raw=raw)
    if form == "parquet":
        from assay.store.frames import write_parquet

        return write_parquet(path, trials, _task(run))
    with drafted(path) as draft, draft.open("x", encoding="utf-8", newline="") as out:
        return _write(trials, form, run, out, raw=raw)


def _task(run: Run) -> str:
    return run.task.partition(" ")[0]


def _form(to: str | None, output: str | None) -> Form:
    """What --to says, else what the file's name says, else CSV."""
    ending = Path(output).suffix.lstrip(".").lower() if output else "csv"
    named = to or ENDINGS.get(ending, ending)
    for form in FORMS:
        if named == form:
            return form
    raise UsageError(f"{output}: its name says no form", fix=f"add --to {', --to '.join(FORMS)}")

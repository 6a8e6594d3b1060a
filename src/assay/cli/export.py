"""`assay export`: a run's trials as a file for other programs."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.options import store_option
from assay.errors import UsageError

if TYPE_CHECKING:  # only its name is needed before the command runs
    from assay.store.export import Format

FORMATS = ("csv", "ndjson", "json")


@click.command("export")
@click.argument("run")
@click.option("--to", type=click.Choice(FORMATS), help="The form.  [default: by the file's name, else csv]")
@click.option("-o", "--output", metavar="FILE", help="Write there, whole or not at all, instead of printing.")
@click.option("--raw", is_flag=True, help="CSV cells as they are: a spreadsheet would run those like =1+1.")
@store_option
def command(run: str, *, to: str | None, output: str | None, raw: bool, store: str) -> None:
    r"""Write RUN's trials as CSV, NDJSON or JSON: a row a trial.

    \b
    assay export last --to csv > trials.csv
    assay export last -o trials.ndjson
    """
    from assay.cli.stored import find_run, opened
    from assay.ports import Where
    from assay.store.export import export as write
    from assay.store.export import export_to

    record = opened(store)
    found = find_run(record, run)
    form = _form(to, output)
    task = found.task.partition(" ")[0]
    trials = record.trials(Where(run=found.id))
    if output is not None:
        count = export_to(Path(output), trials, form, task=task, csv_raw=raw)
        click.echo(f"{count} trials of {found.id} in {output}", err=True)
        return
    sys.stdout.flush()
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
    try:
        write(trials, form, out, task=task, csv_raw=raw)
        out.flush()
    except BrokenPipeError:  # `assay export RUN | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        out.detach()


def _form(to: str | None, output: str | None) -> Format:
    """What --to says, else what the file's name says, else CSV."""
    named = to or (Path(output).suffix.lstrip(".").lower().replace("jsonl", "ndjson") if output else "csv")
    if named == "csv":
        return "csv"
    if named == "ndjson":
        return "ndjson"
    if named == "json":
        return "json"
    raise UsageError(f"{output}: its name says no form", fix=f"add --to {', --to '.join(FORMATS)}")

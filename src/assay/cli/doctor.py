"""`assay doctor`: whether everything is there, a line each."""

from __future__ import annotations

import asyncio
import sys

import click

from assay.cli.options import STORE, json_option

COLOURS = {"OK": "green", "WARN": "yellow", "FAIL": "red"}


@click.command("doctor")
@click.option("--store", default=STORE, show_default=True, metavar="FILE", help="The record to look at.")
@click.option("--models-file", metavar="FILE", help="Names of models.  [default: models.yaml]")
@click.option("--offline", is_flag=True, help="Ask no server.")
@json_option
def command(*, store: str, models_file: str | None, offline: bool, as_json: bool) -> None:
    """Check packages, configuration, models, tasks, store and servers; exit code 2 where something fails.

    Keys are named, never shown. Servers are asked for their lists of models: no tokens are spent.
    """
    from pathlib import Path

    from assay.cli import looks
    from assay.cli.main import USAGE
    from assay.loading.diagnosis import diagnose

    found = asyncio.run(diagnose(Path(), Path(store), models_file, ask=not offline))
    if as_json:
        click.echo(looks.json_text(found))
    else:
        room = max(len(each.what) for each in found)
        for each in found:
            status = click.style(f"{each.status:<4}", fg=COLOURS[each.status], bold=each.status == "FAIL")
            click.echo(f"{status}  {each.what:<{room}}  {looks.printable(each.detail)}")
            if each.fix:
                click.echo(
                    f"{'':<6}{'':<{room}}  {click.style('fix: ', bold=True)}{looks.printable(each.fix)}"
                )
        counts = [f"{sum(each.status == status for each in found)} {status}" for status in COLOURS]
        click.echo("\n" + ", ".join(counts))
    sys.exit(USAGE if any(each.status == "FAIL" for each in found) else 0)

"""`assay rescore`: scores stored trials anew; no candidate is called."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option, quiet_option, store_option
from assay.plan import ModelChoice

if TYPE_CHECKING:  # heavy, and only named here
    from assay.api import Result
    from assay.ports import Stop, Watcher


@click.command("rescore")
@click.argument("run")
@click.option("--scorer", "scorers", multiple=True, metavar="NAME", help="Which; the run's own if none.")
@click.option("--judge-model", metavar="M", help="The model in the judge's seat.")
@click.option("--base-url", metavar="URL", help="Where the judge's server answers (ends in /v1).")
@click.option("--key-variable", metavar="NAME", help="The variable with the key for --base-url.")
@store_option
@json_option
@quiet_option
def command(
    run: str,
    *,
    scorers: tuple[str, ...],
    judge_model: str | None,
    base_url: str | None,
    key_variable: str | None,
    store: str,
    as_json: bool,
    quiet: bool,
) -> None:
    r"""Score RUN's stored trials anew; no candidate is called.

    A score that is stored by the same scorer, settings and judge is not made again.

    \b
    assay rescore last --scorer json_fields
    assay rescore last --scorer judge --judge-model openai/gpt-4o
    """
    from assay.cli import looks, outcome
    from assay.cli.main import INTERRUPTED
    from assay.cli.playing import comparisons
    from assay.cli.stored import find_run, opened
    from assay.ports import Stop
    from assay.watchers.progress import PlainProgress

    judge = None
    if judge_model is not None:
        judge = ModelChoice(judge_model, base_url=base_url, key_variable=key_variable)
    found = find_run(opened(store), run)
    watchers = () if quiet or as_json else (PlainProgress(sys.stderr),)
    stop = Stop()
    result = asyncio.run(_rescored(found.id, scorers, judge, store=store, watchers=watchers, stop=stop))
    if as_json:
        click.echo(looks.json_text(result.summary))
    elif not quiet:
        outcome.show(result.run, result.summary, comparisons(result))
    sys.exit(INTERRUPTED if stop.reason == "cancelled" else 0)


async def _rescored(
    run: str,
    scorers: tuple[str, ...],
    judge: ModelChoice | None,
    *,
    store: str,
    watchers: Sequence[Watcher],
    stop: Stop,
) -> Result:
    from assay.api import rescore
    from assay.cli.playing import signals

    with signals(stop):
        return await rescore(run, scorers=scorers, judge=judge, store=store, watchers=watchers, stop=stop)

"""`assay label`: people say what a score ought to be, trial by trial; a judge is measured by that."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option, store_option
from assay.keys import JSON
from assay.ports import Where

if TYPE_CHECKING:  # heavy, and only named here
    from assay.ports import Run
    from assay.store.sqlite import SqliteStore
    from assay.trial import Label, Trial


@click.command("label")
@click.argument("run")
@click.option("--score", metavar="NAME", help="What is labelled.  [default: judge or headline]")
@click.option("--scale", metavar="LOW-HIGH", help="The labels.  [default: the judge's; 0-1: wrong, right]")
@click.option("--rater", metavar="NAME", help="Who labels.  [default: the name you are logged in by]")
@click.option("--model", metavar="M", help="Trials of this model only.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask for N labels at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order: a random sample.")
@click.option("--import", "source", metavar="FILE", help="Take labels from a CSV or JSON Lines file.")
@click.option("--export", "target", metavar="FILE", help="Write the labels there: CSV or JSON Lines.")
@store_option
@json_option
def command(run: str, *, store: str, as_json: bool, rater: str | None, **given: JSON) -> None:
    r"""Label RUN's trials: shows a case and its reply, asks for the grade, stores who said it and when.

    Trials come in seeded random order and without the judge's own grade. Labelled ones are passed
    over, so that you may quit and go on. Keys: a grade (y and n for right and wrong; a, t, b for
    a pair), s skips, < goes back, q quits. What the labels say stands in: assay runs show RUN.

    \b
    assay label last
    assay label last --score judge_correctness --limit 50
    assay label last --export labels.csv
    assay label last --import labels.csv
    """
    from assay.cli import looks
    from assay.cli.stored import find_run, opened

    record = opened(store)
    found = find_run(record, run)
    rater = rater or getpass.getuser()
    if given["source"] is None and given["target"] is None:
        done, left = _sit(record, store, found, rater, given)
        if as_json:
            click.echo(looks.json_text({"run_id": found.id, "labelled": done, "left": left}))
        else:
            click.echo(f"{done} labelled, {left} left; agreement: assay runs show {found.id}", err=True)
        return
    if given["source"] is not None:
        _take_in(record, store, found, given["source"], (given["score"] or found.headline, rater))
    if given["target"] is not None:
        _write_out(record, found, given["target"])


def _sit(record: SqliteStore, store: str, run: Run, rater: str, given: dict[str, JSON]) -> tuple[int, int]:
    """Asks a person; how many trials were labelled and how many are left."""
    from assay.cli.labelling import Session, grades_of, to_label

    grades = grades_of(_quick(record, run), run.headline, given["score"], given["scale"])
    held, order = record.labels(run.id), {"model": given["model"], "seed": given["seed"]}
    keys = to_label(_quick(record, run), held, grades, rater, **order)

    def keep(labels: Sequence[Label]) -> None:
        asyncio.run(_store(store, run.id, labels))

    def whole(key: str) -> Trial:
        return next(record.trials(Where(run=run.id, key=key)))

    session = Session(grades, rater, keys[: given["limit"]], keep=keep, whole=whole)
    session.run()
    return session.done, len(keys) - session.done


def _quick(record: SqliteStore, run: Run) -> Iterator[Trial]:
    """The run's trials without their calls."""
    return record.trials(Where(run=run.id, calls=False))


def _take_in(record: SqliteStore, store: str, run: Run, source: str, default: tuple[str, str]) -> None:
    """Stores the labels of a file; `default` is the score and the rater of rows that name none."""
    from assay.loading.labels import read_labels

    labels = read_labels(Path(source), _quick(record, run), *default)
    asyncio.run(_store(store, run.id, labels))
    click.echo(f"{len(labels)} labels of {run.id} from {source}", err=True)


def _write_out(record: SqliteStore, run: Run, target: str) -> None:
    from assay.loading.labels import write_labels

    count = write_labels(Path(target), run.id, record.labels(run.id), _quick(record, run))
    click.echo(f"{count} labels of {run.id} in {target}", err=True)


async def _store(store: str, run: str, labels: Sequence[Label]) -> None:
    from assay.store.sqlite import SqliteStore

    record = SqliteStore.open(store, create=False)
    try:
        await record.add_labels(run, labels)
    finally:
        await record.close()

"""`assay runs`: the stored runs, one of them with its figures, its removal, and whether all are sound."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option, store_option
from assay.errors import UsageError

if TYPE_CHECKING:  # these pull in the whole of the reports, which --help does not need
    from assay.keys import JSON
    from assay.ports import Run
    from assay.reports.summary import Summary
    from assay.store.sqlite import SqliteStore
    from assay.store.verification import Verified

READ_AT_MOST = 20_000
"""Trials that a list reads for its headlines; older runs then show none."""

MOST_TROUBLES = 10
COLUMNS = ("run_id", "started", "task", "model", "state", "planned", "recorded", "headline", "value", "low",
           "high", "n", "calls", "cost_usd")  # fmt: skip


@click.group("runs")
def command() -> None:
    """List, show, verify and delete stored runs."""


@command.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N")
@click.option("--to", type=click.Choice(["csv"]), help="A row a model of a run.")
@store_option
@json_option
def list_command(*, limit: int, to: str | None, store: str, as_json: bool) -> None:
    """List the newest runs."""
    from pathlib import Path

    from assay.cli import looks
    from assay.cli.stored import opened

    if not Path(store).exists():
        rows: list[dict[str, JSON]] = []
    else:
        record = opened(store)
        rows = list(_rows(record, [run for run, _ in zip(record.runs(), range(limit), strict=False)]))
    if as_json:
        click.echo(looks.json_text(rows))
    elif to == "csv":
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif not rows:
        click.echo(f"no runs yet in {store}; begin with: assay demo")
    else:
        click.echo(_listed(rows))
        click.echo("\nassay runs show RUN   its figures    assay compare A B   two of them", err=True)


def _rows(record: SqliteStore, runs: Iterable[Run]) -> Iterator[dict[str, JSON]]:
    """A row a model of each run, newest run first."""
    from assay.cli import looks

    room = READ_AT_MOST
    for run in runs:
        summary, read = _summary(record, run, room)
        room -= read
        spent = record.spent(run.id)
        for place, model in enumerate(run.models):
            known = summary.models[place] if summary is not None else None
            figure = known.headline if known is not None else None
            yield {
                "run_id": run.id,
                "started": looks.when(run.wall),
                "task": run.task,
                "model": model,
                "state": run.state if run.stop is None else f"{run.state} ({run.stop})",
                "planned": run.planned,
                "recorded": known.planned - known.statuses["not_run"] if known is not None else None,
                "headline": run.headline,
                "value": figure.value if figure is not None else None,
                "low": figure.low if figure is not None else None,
                "high": figure.high if figure is not None else None,
                "n": figure.n if figure is not None else None,
                "calls": spent.calls,
                "cost_usd": spent.cost if not spent.unpriced else None,
            }


def _summary(record: SqliteStore, run: Run, room: int) -> tuple[Summary | None, int]:
    """The run's figures without its calls, and how many trials were read; None beyond `room`."""
    from assay.ports import Where
    from assay.reports.summary import summarise

    if room <= 0 or (run.planned or 0) > room:
        return None, 0
    trials = list(islice(record.trials(Where(run=run.id, calls=False)), room + 1))
    return (None if len(trials) > room else summarise(trials, run)), len(trials)


def _listed(rows: list[dict[str, JSON]]) -> str:
    """The rows for a person: what a run's rows have in common stands in the first of them."""
    from assay.cli import looks
    from assay.reports.figures import Figure

    head = ["run", "started", "task", "model", "headline", "trials", "cost", "state"]
    lines, last = [], None
    for row in rows:
        first, last = row["run_id"] != last, row["run_id"]
        figure = Figure(row["headline"], row["value"], row["low"], row["high"], row["n"] or 0, 0)
        planned = row["planned"]
        recorded = row["recorded"] if row["recorded"] is not None else "-"
        shown = [
            row["run_id"],
            row["started"],
            looks.short(row["task"].partition(" (")[0], 30),
        ]
        lines.append(
            [
                *(shown if first else [""] * 3),
                looks.model(looks.short(row["model"], 40)),
                f"{looks.short(row['headline'], 20)} {looks.figure(figure)}",
                str(recorded),
                (looks.dollars(row["cost_usd"]) if row["calls"] else "-") if first else "",
                row["state"] + (f" of {planned}" if row["state"] != "completed" and planned else "")
                if first
                else "",
            ]
        )
    return looks.fitted(head, lines, left=4)


@command.command("show")
@click.argument("run")
@store_option
@json_option
def show_command(run: str, *, store: str, as_json: bool) -> None:
    """Show RUN's figures, computed anew from its trials, what failed, and its plan."""
    from assay.cli import looks, outcome
    from assay.cli.playing import compared
    from assay.cli.stored import find_run, opened
    from assay.cli.talks import talk_lines, talked
    from assay.ports import Where
    from assay.reports.summary import summarise

    record = opened(store)
    found = find_run(record, run)
    summary = summarise(record.trials(Where(run=found.id)), found, labels=record.labels(found.id))
    talks = talked(record, found, summary)
    if as_json:
        click.echo(looks.json_text({"run": found, "summary": summary, "conversations": talks}))
        return
    ended = f", {looks.seconds((found.ended - found.wall) / 1e9)}" if found.ended is not None else ""
    click.echo(f"{found.id}   {found.task}   {found.state}, {looks.when(found.wall)}{ended}")
    pairs = outcome.pairs(summary)[:6]
    outcome.show(found, summary, [compared(record, found, a, b) for a, b in pairs])
    for line in talk_lines(talks):
        click.echo(line)
    for line in _troubles(record, found):
        click.echo(line)
    click.echo("\n" + click.style("plan", bold=True) + " " + looks.short(looks.json_text(found.plan), 2000))


def _troubles(record: SqliteStore, run: Run) -> Iterator[str]:
    """The first trials that have no true score, with what to type to see each."""
    from assay.cli import looks
    from assay.ports import Where
    from assay.trial import Status

    bad = {Status.FAILED, Status.INVALID, Status.UNSCORED}
    count = 0
    for place, trial in enumerate(record.trials(Where(run=run.id, calls=False)), 1):
        if trial.status not in bad:
            continue
        count += 1
        if count <= MOST_TROUBLES:
            what = f"{trial.status} ({looks.short(trial.detail, 40)})"
            said = looks.short(trial.transcript.outcome.detail, 60)
            case = looks.short(trial.case.name, 30)
            yield f"assay show {run.id}/{place:<6} {what}  {case}  {said}".rstrip()
    if count > MOST_TROUBLES:
        yield f"and {count - MOST_TROUBLES} more: assay export {run.id} --to csv"


@command.command("verify")
@store_option
@json_option
def verify_command(*, store: str, as_json: bool) -> int:
    """Read the whole store and see that it is sound: pages, texts, references, statuses.

    Exits with 3 where it is not, and says what is wrong.
    """
    from assay.cli import looks
    from assay.cli.main import CANNOT_TELL

    found = _verified(store)
    cut = f", {found.unsettled} of them cut or in flight" if found.unsettled else ""
    held = f"{found.runs} runs, {found.trials} trials, {found.calls} calls{cut}"
    if as_json:
        click.echo(looks.json_text(found))
    elif not found.faults:
        click.echo(f"{store} is sound: {held}")
    else:
        for fault in found.faults:
            click.echo(looks.printable(fault))
        click.echo(f"{store} is not sound ({held}); restore a copy of it", err=True)
    return CANNOT_TELL if found.faults else 0


def _verified(store: str) -> Verified:
    """What the store holds and what is wrong with it, also where it cannot be opened for its damage."""
    import sqlite3
    from pathlib import Path

    from assay.cli.stored import opened
    from assay.store.damage import Damaged
    from assay.store.verification import Verified, verified

    try:
        opened(store)
        return verified(Path(store))
    except UsageError as error:
        if isinstance(error, Damaged) or isinstance(error.__cause__, sqlite3.DatabaseError):
            return Verified(0, 0, 0, 0, (error.problem,))
        raise


@command.command("delete")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
def delete_command(run: str, *, yes: bool, store: str) -> None:
    """Delete RUN and all that is recorded of it."""
    from assay.cli.stored import find_run, opened

    record = opened(store)
    found = find_run(record, run)
    spent = record.spent(found.id)
    what = f"{found.id} ({found.task}, {spent.calls} calls)"
    if not yes:
        try:
            sure = click.confirm(f"delete {what}? What was paid for it is gone", err=True)
        except click.Abort:
            if sys.stdin.isatty():
                raise
            raise UsageError(f"{found.id} is kept: nobody answered", fix="add --yes") from None
        if not sure:
            click.echo(f"kept {found.id}")
            return
    asyncio.run(_delete(store, found.id))
    click.echo(f"deleted {what}")


async def _delete(store: str, run: str) -> None:
    from assay.store.sqlite import SqliteStore

    record = SqliteStore.open(store, create=False)
    try:
        await record.delete_run(run)
    finally:
        await record.close()

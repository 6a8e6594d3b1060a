"""From a plan to an exit code: what every verb that runs a plan does before, during and after."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from assay.api import Result, run
from assay.cli import looks, outcome
from assay.cli.forecast_lines import beside, forecast_lines, foretold
from assay.cli.talks import talk_lines, talked
from assay.loading.bind import bound
from assay.loading.environment import read_environment
from assay.plan import Bound, Plan
from assay.ports import Run, Stop, Watcher, Where
from assay.reports.compare import compare
from assay.reports.forecast import Forecast
from assay.store.forms import made_folder
from assay.store.sqlite import SqliteStore
from assay.watchers.log_files import Content, LogFiles
from assay.watchers.progress import LiveProgress, PlainProgress

COLLECTOR = (10_000, 20, 20)
"""The collector's thresholds during a run; Python's own are 700, 10, 10."""


def play(
    plan: Plan,
    *,
    store: str,
    run_id: str | None = None,
    as_json: bool = False,
    quiet: bool = False,
    shown: bool = True,
    log_folder: str | None = None,
    log_content: Content = "full",
    watchers: Sequence[Watcher] = (),
) -> tuple[Result, int]:
    """Runs the plan and shows it; returns its result and the exit code.

    `quiet` leaves the figures alone to be shown, `shown` False not even those.

    The first Ctrl-C (or SIGTERM) lets what is in flight end and saves it; the second one stops.
    """
    silent = quiet or as_json or not shown
    progress = LiveProgress(sys.stderr) if sys.stderr.isatty() else PlainProgress(sys.stderr)
    listeners: list[Watcher] = [*watchers]
    if not silent:
        listeners.append(progress)
    if log_folder is not None:
        listeners.append(_logs(Path(log_folder), log_content))
    told: list[Forecast] = []
    announced = None if silent else lambda bound: told.append(announce(bound, store))
    try:
        result = asyncio.run(_run(plan, store, run_id, listeners, announced))
    finally:
        if isinstance(progress, LiveProgress):
            progress.close()
    if as_json:
        click.echo(looks.json_text(result.summary))
    elif shown:
        outcome.show(result.run, result.summary, comparisons(result))
        record = SqliteStore.open(result.store, create=False)
        for line in talk_lines(talked(record, result.run, result.summary)):
            click.echo(line)
        if not quiet:
            comparison = beside(told[0], result.summary) if told and run_id is None else ""
            if comparison:
                click.echo(click.style(comparison, dim=True), err=True)
            next_steps(result)
    return result, outcome.exit_code(result.run, result.summary, plan.max_failed)


def _logs(folder: Path, content: Content) -> LogFiles:
    """The log files of the run. Raises UsageError where there can be none."""
    made_folder(folder)
    return LogFiles(folder, secrets=read_environment().secrets, content=content)


async def _run(
    plan: Plan, store: str, run_id: str | None, watchers: Sequence[Watcher], on_bound: object
) -> Result:
    stop = Stop()

    def ready(bound: Bound) -> None:
        _spare_the_collector()
        if callable(on_bound):
            on_bound(bound)

    with signals(stop):
        return await run(
            plan,
            store=store,
            run_id=run_id,
            watchers=watchers,
            stop=stop,
            on_bound=ready,
        )


def _spare_the_collector() -> None:
    """Leaves what is loaded by now out of the garbage collector's rounds, and makes these rarer.

    A round over everything holds the event loop up for tens of milliseconds, and with hundreds of
    trials in play the usual threshold is passed all the time. A run makes hardly any cycles.
    """
    gc.freeze()
    gc.set_threshold(*COLLECTOR)


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM tell the run to stop; a second one cancels what is in flight."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def told() -> None:
        if stop.reason is None:
            stop.now("cancelled")
            click.echo("\nending what is in flight; once more to stop at once", err=True)
        elif task is not None:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def foresee(plan: Plan, store: str, *, as_json: bool) -> None:
    """Binds the plan with all its checks and says what it would take; nothing is played or written."""

    async def bind() -> Forecast:
        async with bound(plan, read_environment()) as ready:
            return foretold(ready, Path(store)) if as_json else announce(ready, store)

    found = asyncio.run(bind())
    if as_json:
        click.echo(looks.json_text(found))
    else:
        click.echo("nothing was run: leave out --dry-run to run it", err=True)


def announce(bound: Bound, store: str) -> Forecast:
    """What will run and what it will take, before it does."""
    run, plan = bound.run, bound.plan
    total = f"{run.planned} trials" if run.planned is not None else "a run by duration"
    repeats = f" x {plan.repeats} repeats" if plan.repeats > 1 else ""
    models = f" x {len(run.models)} models" if len(run.models) > 1 else ""
    click.echo(f"{run.id}   {run.task}{models}{repeats} = {total}", err=True)
    schedule = "closed" if not bound.schedule.open else type(bound.schedule).__name__.lower()
    names = ", ".join(looks.model(name) for name in run.models)
    click.echo(f"{names} · {schedule}, {bound.schedule.slots} slots · store {store}", err=True)
    found = foretold(bound, Path(store))
    for line in forecast_lines(found):
        click.echo(line, err=True)
    over = found.cost_usd is not None and plan.budget is not None and found.cost_usd.likely > plan.budget
    warned = ("the budget will not last for the whole run",) if over else ()
    for warning in (*bound.warnings, *warned):
        click.echo(click.style(f"warning: {looks.printable(warning)}", fg="yellow"), err=True)
    return found


def comparisons(result: Result) -> list[str]:
    """One sentence for each pair of models of the run."""
    if len(result.run.models) < 2:
        return []
    store = SqliteStore.open(result.store, create=False)
    return [compared(store, result.run, a, b) for a, b in outcome.pairs(result.summary)[:6]]


def compared(store: SqliteStore, run: Run, a: str, b: str) -> str:
    """`b is better than a by 33.3 points [24.1, 42.6] on the 120 shared cases (McNemar p < 0.001)`."""
    found = compare(
        store.trials(Where(run=run.id, model=a, calls=False)),
        store.trials(Where(run=run.id, model=b, calls=False)),
        headline=run.headline,
        names=(a, b),
    )
    a, b = looks.label(a), looks.label(b)
    size = looks.points(found.difference)
    ground = f"on the {found.shared} shared cases ({found.test} {looks.p_value(found.p)})"
    if found.verdict == "cannot tell":
        more = f"; about {found.more_cases} more cases would tell" if found.more_cases else ""
        return f"cannot tell {a} and {b} apart: {size} {ground}{more}"
    return f"{b} is {found.verdict} than {a}: {size} {ground}"


def next_steps(result: Result) -> None:
    """Where the record lies and what can be typed next."""
    short = result.run.id
    click.echo()
    click.echo(f"record: {result.store}")
    for command, what in (
        (f"assay show {short}/1", "one trial"),
        (f"assay export {short} --to csv", "all trials"),
        ("assay runs list", "all runs"),
    ):
        click.echo(click.style(f"{command:<58} {what}", dim=True))

"""`assay bench`: loads endpoints, one run a point, and says what they still answer correctly."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from msgspec import Struct, structs

from assay.cli.options import json_option, quiet_option, store_option, task_options
from assay.errors import UsageError
from assay.keys import JSON
from assay.schedule import Closed

if TYPE_CHECKING:  # --help needs neither plans nor reports
    from assay.api import Result
    from assay.plan import Plan
    from assay.ports import Watcher
    from assay.reports.summary import ModelSummary
    from assay.schedule import AnySchedule

LOADS = "1,8,64"
SECONDS = 10.0
WARM_UP = 2.0
UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@click.command("bench")
@click.argument("task", default="arithmetic", required=False)
@task_options
@click.option(
    "--concurrency", "loads", metavar="N,N", help=f"Closed loops, a point each.  [default: {LOADS}]"
)
@click.option("--rate", "rates", metavar="R,R", help="Arrivals a second instead, a point each.")
@click.option("--arrivals", type=click.Choice(["poisson", "constant"]), default="poisson", show_default=True)
@click.option("--duration", metavar="TIME", help="The counted window of a point.  [default: 10s]")
@click.option("--requests", type=click.IntRange(min=1), metavar="N", help="So many requests a point instead.")
@click.option("--warm-up", metavar="TIME", help="Before the window, not counted.  [default: 2s]")
@click.option("--no-stream", is_flag=True, help="Whole replies: no time to the first token.")
@store_option
@json_option
@quiet_option
def command(
    task: str,
    *,
    loads: str | None,
    rates: str | None,
    arrivals: str,
    duration: str | None,
    requests: int | None,
    warm_up: str | None,
    no_stream: bool,
    store: str,
    as_json: bool,
    quiet: bool,
    **given: JSON,
) -> None:
    r"""Load the models on TASK (a name, a task.yaml or a plan.yaml): one run and one row a point.

    \b
    assay bench --model openai/gpt-4o-mini --concurrency 1,8,64 --duration 10s
    assay bench json_extraction --model vllm/qwen --rate 5,20 --requests 400
    """
    from assay.cli import looks
    from assay.cli.options import plan_of

    plan = plan_of(task, {**given, "concurrency": None, "rate": None})
    plan = _bounded(structs.replace(plan, stream=not no_stream), duration, requests, warm_up)
    points = [
        structs.replace(plan, models=(model,), schedule=schedule)
        for model in plan.models
        for schedule in _schedules(plan, task, loads, rates, arrivals)
    ]
    results, code = run_points(points, store=store, quiet=quiet or as_json)
    if as_json:
        click.echo(looks.json_text({"points": [_as_record(point) for point in results]}))
    else:
        show_points(results)
    sys.exit(code)


class Point(Struct, frozen=True):
    """One point: a model under one load, and the run that measured it."""

    plan: Plan
    result: Result

    @property
    def summary(self) -> ModelSummary:
        return self.result.summary.models[0]

    @property
    def load(self) -> str:
        """`closed 8`, or `20/s`."""
        schedule = self.plan.schedule
        return f"closed {schedule.slots}" if isinstance(schedule, Closed) else f"{schedule.rate:g}/s"


def _bounded(plan: Plan, duration: str | None, requests: int | None, warm_up: str | None) -> Plan:
    """The plan with its window, or with its number of requests."""
    from assay.plan import Window

    if requests is not None:
        if duration is not None or warm_up is not None:
            raise UsageError(
                "--requests goes with neither --duration nor --warm-up", fix="bound the run by one of them"
            )
        return structs.replace(plan, requests=requests, window=None)
    if plan.requests is not None and duration is None:
        return plan
    own = plan.window
    seconds = _seconds("--duration", duration) if duration else own.seconds if own else SECONDS
    lead = _seconds("--warm-up", warm_up) if warm_up else own.warm_up if own else WARM_UP
    if not seconds:
        raise UsageError(f"--duration {duration}: nothing to count", fix="write --duration 10s")
    return structs.replace(plan, window=Window(seconds, lead), requests=None)


def _seconds(flag: str, text: str) -> float:
    """The seconds of `10s`, `500ms`, `2m` or `10`."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([a-z]{0,3})", text.strip())
    if found is None or found[2] not in UNITS:
        raise UsageError(f"{flag} {text}: not a time", fix=f"write {flag} 10s, 500ms or 2m")
    return float(found[1]) * UNITS[found[2]]


def _schedules(
    plan: Plan, task: str, loads: str | None, rates: str | None, arrivals: str
) -> list[AnySchedule]:
    """A schedule a point: what the flags say, else the plan file's own, else LOADS."""
    from assay.loading.plans import is_plan
    from assay.schedule import Constant, Poisson

    if rates is not None and loads is not None:
        raise UsageError("--rate and --concurrency do not go together", fix="name one of them")
    if rates is not None:
        kind = Poisson if arrivals == "poisson" else Constant
        return [kind(rate) for rate in _numbers("--rate", rates)]
    if loads is None and is_plan(task):
        return [plan.schedule]
    slots = _numbers("--concurrency", loads or LOADS)
    if any(each != int(each) for each in slots):
        raise UsageError(f"--concurrency {loads}: not whole numbers", fix=f"write --concurrency {LOADS}")
    return [Closed(int(each)) for each in slots]


def _numbers(flag: str, text: str) -> list[float]:
    parts = [part.strip() for part in text.split(",")]
    bad = next((p for p in parts if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", p) or not float(p)), None)
    if bad is not None:
        example = "5,20" if flag == "--rate" else LOADS
        raise UsageError(f"{flag} {text}: {bad!r} is no number above 0", fix=f"write {flag} {example}")
    return [float(part) for part in parts]


def run_points(points: Sequence[Plan], *, store: str, quiet: bool) -> tuple[list[Point], int]:
    """Runs one plan a point, one after another; gives the gravest exit code. An interrupt ends them all."""
    from assay.cli.main import INTERRUPTED
    from assay.cli.playing import play
    from assay.loading.plans import check_plan

    for plan in points:
        check_plan(plan)
    found: list[Point] = []
    gravest = 0
    for number, plan in enumerate(points, 1):
        watchers = [] if quiet else [_announced(plan, number, len(points))]
        try:
            result, code = play(plan, store=store, shown=False, watchers=watchers)
        finally:
            for watcher in watchers:
                close = getattr(watcher, "close", None)
                if close is not None:
                    close()
        found.append(Point(plan, result))
        gravest = max(gravest, code)
        if code == INTERRUPTED:
            break
    return found, gravest


def _announced(plan: Plan, number: int, points: int) -> Watcher:
    """Says which point begins, and how long it takes; the watcher that shows its progress."""
    from assay.cli import looks
    from assay.watchers.progress import LiveProgress, PlainProgress

    schedule = plan.schedule
    if isinstance(schedule, Closed):
        load = f"closed, {schedule.slots} slots"
    else:
        load = f"{schedule.rate:g} arrivals/s"
    if plan.window is not None:
        last = f"{plan.window.warm_up:g} s warm-up, {plan.window.seconds:g} s counted"
    else:
        last = f"{plan.requests} requests"
    name = looks.model(plan.models[0].name)
    click.echo(f"point {number} of {points}: {name} · {load} · {last}", err=True)
    return LiveProgress(sys.stderr) if sys.stderr.isatty() else PlainProgress(sys.stderr)


def show_points(points: Sequence[Point]) -> None:
    """One row a point, and what must be known beside it."""
    from assay.cli import looks

    head = ["", "load", "offered/s", "sent/s", "completed/s", "correct/s", "failed", "TTFT p50", "TTFT p99",
            "TPOT p50", "e2e p50", "e2e p99", "lag p99", points[0].summary.headline.name]  # fmt: skip
    click.echo(looks.fitted(head, [_row(point) for point in points], left=2))
    if any(point.plan.schedule.open for point in points):
        click.echo("\nopen loop: e2e counts from when a request was due, so that a late client hides nothing")
    if any(not point.plan.schedule.open for point in points):
        click.echo("\nclosed loop: the next request waits for a slot; e2e is no response time at a rate")
    for point in points:
        if point.result.summary.validity.verdict == "invalid":
            for reason in point.result.summary.validity.reasons:
                click.echo(click.style("invalid: ", fg="red") + f"{point.load}: {reason}")
    click.echo()
    for point in points:
        click.echo(click.style(f"assay runs show {point.result.run.id}   {point.load}", dim=True))


def _row(point: Point) -> list[str]:
    from assay.cli import looks

    model = point.summary
    load, speed = model.load, model.speed
    e2e = load.response if load is not None and load.open else model.latency
    rates = (load.offered, load.sent, load.completed, load.correct) if load is not None else ()
    return [
        looks.model(model.model),
        point.load,
        *([f"{rate:.1f}" for rate in rates] or ["-"] * 4),
        str(model.statuses.get("failed", 0)),
        looks.quantile(speed.ttft.p50) if speed.ttft is not None else "-",
        looks.quantile(speed.ttft.p99) if speed.ttft is not None else "-",
        looks.seconds(speed.tpot.p50.value) if speed.tpot is not None else "-",
        looks.seconds(e2e.p50.value) if e2e is not None else "-",
        looks.quantile(e2e.p99) if e2e is not None else "-",
        looks.seconds(load.lag.p99.value) if load is not None and load.lag is not None else "closed",
        looks.figure(model.headline),
    ]


def _as_record(point: Point) -> JSON:
    schedule = point.plan.schedule
    if isinstance(schedule, Closed):
        load: dict[str, JSON] = {"concurrency": schedule.slots}
    else:
        load = {"rate": schedule.rate}
    run = point.result.run
    return {"run_id": run.id, "load": {"open": schedule.open, **load}, "model": point.summary,
            "validity": point.result.summary.validity}  # fmt: skip

"""`assay bench`: loads endpoints, one run a point, and says what they still answer correctly."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click
from msgspec import structs

from assay.cli.options import json_option, plan_options, quiet_option, store_option
from assay.errors import UsageError
from assay.keys import JSON

if TYPE_CHECKING:  # --help needs neither plans nor reports
    from assay.api import Result
    from assay.plan import ModelChoice, Plan

LOADS = "1,8,64"
SECONDS = 10.0
WARM_UP = 2.0
UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

OWN = {"concurrency", "rate"}
"""Options of a plan that take several values here."""


@click.command("bench")
@click.argument("task", default="arithmetic", required=False)
@plan_options
@click.option("--concurrency", "loads", metavar="N,N", help=f"Closed loops, a point each.  [default: {LOADS}]")
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

    plan = structs.replace(plan_of(task, given), stream=not no_stream)
    plan = _bounded(plan, duration, requests, warm_up)
    points = _points(plan, loads, rates, arrivals)
    results, code = run_points(points, store=store, quiet=quiet or as_json)
    if as_json:
        click.echo(looks.json_text({"points": [_point(point, result) for point, result in results]}))
    else:
        click.echo(points_table(results))
        for line in _remarks(results):
            click.echo(line)
    sys.exit(code)

"""`assay run`: evaluates models on a task."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from assay.cli.options import json_option, plan_of, plan_options, quiet_option, store_option
from assay.errors import UsageError
from assay.keys import JSON


@click.command("run")
@click.argument("task", required=False)
@plan_options
@click.option("--resume", is_flag=False, flag_value="last", metavar="[RUN]", help="Go on with a run.")
@click.option("--stream", is_flag=True, help="Stream replies, so that TTFT is measured.")
@click.option("--log-dir", metavar="DIR", help="Write log files there.")
@store_option
@json_option
@quiet_option
def command(
    task: str | None,
    *,
    resume: str | None,
    stream: bool,
    log_dir: str | None,
    store: str,
    as_json: bool,
    quiet: bool,
    **given: JSON,
) -> None:
    r"""Evaluate models on TASK: a built-in name, a task.yaml or a plan.yaml; flags win.

    \b
    assay run json_extraction --model openai/gpt-4o-mini --limit 5
    assay run gsm8k --data test.jsonl --model recorded/answers.jsonl#reply
    assay run plan.yaml
    assay run --resume
    """
    from assay.cli.playing import play

    if resume is not None:
        _, code = _resumed(resume, store, as_json=as_json, quiet=quiet, log_dir=log_dir)
        sys.exit(code)
    if task is None:
        raise UsageError("no task", fix="name one (see assay tasks list), or go on with: assay run --resume")
    from msgspec import structs

    plan = plan_of(task, given)
    if stream:
        plan = structs.replace(plan, stream=True)
    _, code = play(plan, store=store, as_json=as_json, quiet=quiet, log_folder=log_dir)
    sys.exit(code)


def _resumed(name: str, store: str, *, as_json: bool, quiet: bool, log_dir: str | None) -> tuple[object, int]:
    """Goes on with a stored run by its own plan."""
    from assay.cli.playing import play
    from assay.loading.plans import stored_plan
    from assay.store.sqlite import SqliteStore

    record = SqliteStore.open(Path(store), create=False)
    try:
        run = record.latest_unfinished() if name == "last" else record.find_run(name)
    finally:
        asyncio.run(record.close())
    if run is None:
        raise UsageError(f"{store}: no unfinished run", fix="start one: assay run TASK --model M")
    if run.state == "completed":
        raise UsageError(f"{run.id} is complete", fix=f"see it with: assay show {run.id}/1")
    plan = stored_plan(run.plan)
    if plan.window is not None or plan.schedule.open:
        raise UsageError(
            f"{run.id} loaded an endpoint: its window was broken off and cannot be mended",
            fix="start it anew; with --cache read what was answered is not asked again",
        )
    return play(plan, store=store, run_id=run.id, as_json=as_json, quiet=quiet, log_folder=log_dir)

"""`assay run`: evaluates models on a task."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from assay.cli.options import (
    json_option,
    log_content_option,
    plan_of,
    plan_options,
    quiet_option,
    store_option,
)
from assay.errors import UsageError
from assay.keys import JSON
from assay.watchers.log_files import Content


@click.command("run")
@click.argument("task", required=False)
@plan_options
@click.option("--resume", is_flag=False, flag_value="last", metavar="[RUN]", help="Go on with a run.")
@click.option("--retry-failed", is_flag=True, help="With --resume: play failed trials again.")
@click.option("--stream", is_flag=True, help="Stream replies, so that TTFT is measured.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what it would take, run nothing.")
@click.option("--log-dir", metavar="DIR", help="Write log files there.")
@log_content_option
@store_option
@json_option
@quiet_option
def command(
    task: str | None,
    *,
    resume: str | None,
    retry_failed: bool,
    stream: bool,
    dry_run: bool,
    log_dir: str | None,
    log_content: Content,
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
    assay run --resume last --retry-failed
    assay run plan.yaml --workers 4
    assay run plan.yaml --dry-run
    """
    from assay.cli.playing import foresee, play

    if resume is not None:
        if dry_run:
            raise UsageError("--dry-run is for a new run", fix="leave out --resume")
        again = {"as_json": as_json, "quiet": quiet, "log_folder": log_dir, "log_content": log_content}
        changes: dict[str, JSON] = {"retry_failed": retry_failed}
        if given["workers"] is not None:
            changes["workers"] = given["workers"]
        sys.exit(_resumed(resume, store, again, changes))
    if retry_failed:
        raise UsageError("--retry-failed goes on with a run", fix="add --resume, or --resume RUN")
    if task is None:
        raise UsageError("no task", fix="name one (see assay tasks list), or go on with: assay run --resume")
    from msgspec import structs

    plan = plan_of(task, given)
    if stream:
        plan = structs.replace(plan, stream=True)
    if dry_run:
        foresee(plan, store, as_json=as_json)
        return
    _, code = play(
        plan, store=store, as_json=as_json, quiet=quiet, log_folder=log_dir, log_content=log_content
    )
    sys.exit(code)


def _resumed(name: str, store: str, how: dict[str, JSON], changes: dict[str, JSON]) -> int:
    """Goes on with a stored run by its own plan, with `changes`."""
    from msgspec import structs

    from assay.cli.playing import play
    from assay.loading.plans import stored_plan
    from assay.store.ends import owes_ends
    from assay.store.sqlite import SqliteStore

    retry_failed = changes["retry_failed"]
    record = SqliteStore.open(Path(store), create=False)
    try:
        any_run = retry_failed or name != "last"
        run = record.find_run(name) if any_run else record.latest_unfinished()
    finally:
        asyncio.run(record.close())
    if run is None:
        raise UsageError(f"{store}: no unfinished run", fix="start one: assay run TASK --model M")
    if run.state == "completed" and not retry_failed and not owes_ends(Path(store), run.id):
        raise UsageError(f"{run.id} is complete", fix=f"see it with: assay show {run.id}/1")
    plan = structs.replace(stored_plan(run.plan), **changes)
    if plan.window is not None or plan.schedule.open:
        raise UsageError(
            f"{run.id} loaded an endpoint: its window was broken off and cannot be mended",
            fix="start it anew; with --cache read what was answered is not asked again",
        )
    _, code = play(plan, store=store, run_id=run.id, **how)
    return code

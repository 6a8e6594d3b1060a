"""`assay tasks`: the built-in tasks, one of them in full, and a check of a file of one's own."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option

if TYPE_CHECKING:  # --help needs no task
    from assay.keys import JSON
    from assay.loading.tasks import TaskFolder

MOST_TAGS = 12


@click.group("tasks")
def command() -> None:
    """List, show and check tasks."""


@command.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """List the built-in tasks."""
    from assay.cli import looks
    from assay.loading.tasks import built_in_tasks, find_task

    found = [_described(find_task(name)) for name in built_in_tasks()]
    if as_json:
        click.echo(looks.json_text(found))
        return
    rows = [
        [
            each["name"],
            " + ".join(f"{count} {split}".rstrip() for split, count in each["cases"].items())
            or "your own (--data)",
            each["exchange"],
            each["headline"],
            looks.short(each["about"], 60),
        ]
        for each in found
    ]
    click.echo(looks.table(["task", "cases", "exchange", "headline", "about"], rows, left=5))


def _described(folder: TaskFolder) -> dict[str, JSON]:
    """A task in short: its cases are counted, not checked."""
    from assay.loading.tasks import named

    form = folder.form
    cases = {"": form.cases} if isinstance(form.cases, str) else form.cases or {}
    scorers = [named(each, "scorer")[0] for each in form.scorers]
    return {
        "name": form.name,
        "version": form.version,
        "about": " ".join(form.about.split()),
        "cases": {split: _lines(folder.file(name)) for split, name in cases.items()},
        "exchange": folder.exchange()[0],
        "scorers": scorers,
        "headline": form.headline or scorers[0],
    }


def _lines(path: Path) -> int:
    from assay.loading.files import read_rows

    return sum(1 for _ in read_rows(path))


@command.command("show")
@click.argument("name")
@click.option("--split", default="test", show_default=True, help="Whose cases to look at.")
@json_option
def show_command(name: str, *, split: str, as_json: bool) -> None:
    """Show the task NAME (or a task.yaml): prompts, scorers, slices and its first case."""
    from assay.cli import looks
    from assay.loading.bind import load_task
    from assay.loading.environment import read_environment
    from assay.loading.tasks import find_task
    from assay.plan import Plan

    folder = find_task(name)
    described = _described(folder)
    case = prompt = None
    slices: dict[str, Counter[str]] = {}
    if folder.form.cases is not None:
        task, _ = load_task(Plan(task=name, models=(), split=split), read_environment())
        case, prompt = task.case(0), task.exchange.opening(task.case(0))
        for each in task:
            for tag, value in each.tags.items():
                slices.setdefault(tag, Counter())[value] += 1
    if as_json:
        shown = {**described, "slices": {tag: dict(values) for tag, values in slices.items()}}
        click.echo(looks.json_text({**shown, "folder": str(folder.folder), "first": case, "opening": prompt}))
        return
    click.echo(f"{described['name']} v{described['version']}   {described['about']}")
    counts = ", ".join(f"{split} {count}".strip() for split, count in described["cases"].items())
    click.echo(f"cases     {counts or 'your own: name a file with --data'}")
    click.echo(f"exchange  {described['exchange']}")
    click.echo(f"scorers   {', '.join(described['scorers'])} (headline: {described['headline']})")
    for tag, values in slices.items():
        parts = ", ".join(f"{value} {count}" for value, count in values.most_common(MOST_TAGS))
        click.echo(f"slices    {looks.short(tag, 30)}: {looks.short(parts, 200)}")
    click.echo(f"folder    {folder.folder}")
    if case is not None and prompt is not None:
        _show_first(case.name, case.target, [(m.role, m.text) for m in prompt])


def _show_first(name: str, target: JSON, prompt: list[tuple[str, str]]) -> None:
    """How the first case reaches a model, and what is wanted of it."""
    from assay.cli import looks
    from assay.cli.transcript import spoken

    click.echo(f"\nthe first case, {looks.short(name, 60)}")
    for role, text in prompt:
        click.echo("\n".join(spoken(role, text)))
    if target is not None:
        click.echo(
            "\n".join(spoken("wanted", target if isinstance(target, str) else looks.json_text(target)))
        )


@command.command("check")
@click.argument("path")
@click.option("--task", metavar="NAME", help="The task whose columns or world the cases are for.")
@click.option("--allow-unknown", is_flag=True, help="Unknown keys of scenarios are warnings.")
@json_option
def check_command(path: str, *, task: str | None, allow_unknown: bool, as_json: bool) -> None:
    r"""Check PATH whole: a task.yaml, a plan.yaml, or a file of cases or scenarios with its prompts.

    \b
    assay tasks check scenarios.json
    assay tasks check cases.jsonl
    assay tasks check test.jsonl --task gsm8k
    """
    from assay.cli import looks
    from assay.cli.main import USAGE, complain
    from assay.loading.checking import MOST_PROBLEMS, check_file
    from assay.loading.environment import read_environment

    found = check_file(Path(path), task, read_environment(), allow_unknown=allow_unknown)
    total = sum(found.counts.values())
    if as_json:
        problems = [
            {"problem": each.problem, "fix": each.fix, "pointer": each.pointer} for each in found.problems
        ]
        shown = {"kind": found.kind, "cases": found.counts, "problems": problems, "warnings": found.warnings}
        click.echo(looks.json_text(shown))
        sys.exit(USAGE if found.problems else 0)
    for warning in found.warnings:
        click.echo(click.style(f"warning: {looks.printable(warning)}", fg="yellow"), err=True)
    for each in found.problems:
        complain(each.problem, each.fix, each.excerpt)
    splits = ", ".join(f"{split} {count}" for split, count in found.counts.items() if split)
    noun = ("scenario" if found.kind == "scenarios" else "case") + "s" * (total != 1)
    if not found.problems:
        click.echo(
            f"{path}: a sound {_CALLED[found.kind]}, {total} {noun}" + (f" ({splits})" if splits else "")
        )
        return
    bad = len(found.problems)
    rest = "; the rest was not read" if bad == MOST_PROBLEMS else ""
    click.echo(f"{path}: {bad} problem{'s' * (bad != 1)}, {total} good {noun}{rest}", err=True)
    sys.exit(USAGE)


_CALLED = {"task": "task", "plan": "plan", "cases": "file of cases", "scenarios": "file of scenarios"}

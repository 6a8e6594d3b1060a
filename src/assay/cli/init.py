"""`assay init`: a commented task and plan to start from."""

from __future__ import annotations

from pathlib import Path

import click

STARTER = Path(__file__).resolve().parent.parent / "starter"

FILES = ("task.yaml", "user.txt", "cases.jsonl", "plan.yaml", "gates.yaml", "models.yaml")


@click.command("init")
@click.argument("folder", default=".", metavar="[DIR]")
def command(folder: str) -> None:
    """Write a task, cases, a plan, gates and a models.yaml into DIR, with comments; nothing is overwritten.

    The plan runs at once, against emulated models.
    """
    from assay.errors import UsageError

    place = Path(folder)
    there = [name for name in FILES if (place / name).exists()]
    if there:
        raise UsageError(
            f"{place}: {', '.join(there)} {'is' if len(there) == 1 else 'are'} there already",
            fix="name another folder: assay init DIR",
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            with (place / name).open("x", encoding="utf-8") as file:
                file.write((STARTER / name).read_text("utf-8"))
            click.echo(f"wrote {place / name}")
    except OSError as failure:
        raise UsageError(
            f"{place}: cannot be written: {failure.strerror}", fix="name a folder that you may write"
        ) from None
    enter = f"cd {folder} && " if folder != "." else ""
    click.echo("\nthen:")
    for words, what in (
        ("assay run plan.yaml", "two emulated models, three rounds each"),
        ("assay gate last gates.yaml", "does the run keep its limits?"),
        ("assay tasks check task.yaml", "after you have changed something"),
        ("assay doctor", "what is there and what is missing"),
    ):
        click.echo(f"  {enter + words:<{40 + len(enter)}} {click.style(what, dim=True)}")

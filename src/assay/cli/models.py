"""`assay models`: the providers that a model can be named by, and whether models answer."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option

if TYPE_CHECKING:  # --help needs no model
    from assay.keys import JSON
    from assay.plan import ModelChoice


@click.group("models")
def command() -> None:
    """List providers and check that models answer."""


@command.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """List the providers, where each answers, and whether its key is set."""
    from assay.cli import looks
    from assay.loading.environment import read_environment
    from assay.loading.models import OTHERS, PROVIDERS

    environment = read_environment()
    found: list[dict[str, JSON]] = []
    for name, provider in PROVIDERS.items():
        address = environment.get(provider.address) if provider.address is not None else None
        found.append(
            {
                "provider": name,
                "address": address or provider.base_url,
                "address_variable": provider.address,
                "key_variable": provider.key,
                "key_set": provider.key is not None and environment.get(provider.key) is not None,
                "needs_key": provider.needs_key and address is None,
            }
        )
    if as_json:
        click.echo(looks.json_text(found))
        return
    rows = [
        [
            f"{each['provider']}/NAME",
            each["address"] or "name it with --base-url",
            each["key_variable"] or "-",
            _key_state(each),
        ]
        for each in found
    ]
    forms = {"python": "python:MODULE:FACTORY"}
    rows += [[forms.get(name, f"{name}/..."), what, "-", "not needed"] for name, what in OTHERS.items()]
    click.echo(looks.table(["model", "answers at", "key in", "key"], rows, left=4))
    click.echo("\nassay models check openai/gpt-4o-mini   asks whether it answers", err=True)


def _key_state(provider: dict[str, JSON]) -> str:
    if provider["key_set"]:
        return click.style("set", fg="green")
    if provider["needs_key"]:
        return click.style(f"missing: export {provider['key_variable']}=...", fg="yellow")
    return "not needed"


@command.command("check")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--base-url", metavar="URL", help="Where the models' server answers (ends in /v1).")
@click.option("--key-variable", metavar="NAME", help="The variable with the key for --base-url.")
@json_option
def check_command(
    names: tuple[str, ...], *, base_url: str | None, key_variable: str | None, as_json: bool
) -> None:
    """Ask each model's server whether it is there and knows the model. No tokens are spent."""
    from assay.cli import looks
    from assay.cli.main import USAGE, complain
    from assay.plan import ModelChoice

    choices = [ModelChoice(name, base_url=base_url, key_variable=key_variable) for name in names]
    found = asyncio.run(_checked(choices))
    if as_json:
        click.echo(looks.json_text(found))
    for each in found:
        if as_json:
            continue
        if each["problem"] is not None:
            complain(each["problem"], each["fix"])
            continue
        warning = f"   {click.style(each['warning'], fg='yellow')}" if each["warning"] else ""
        click.echo(f"{looks.model(each['model'])}   {click.style('answers', fg='green')}{warning}")
    sys.exit(USAGE if any(each["problem"] is not None for each in found) else 0)


async def _checked(choices: list[ModelChoice]) -> list[dict[str, JSON]]:
    from assay.errors import UsageError
    from assay.loading.checking import check_model
    from assay.loading.environment import read_environment
    from assay.loading.models import qualified

    found: list[dict[str, JSON]] = []
    for choice in choices:
        row: dict[str, JSON] = {
            "model": qualified(choice.name),
            "warning": None,
            "problem": None,
            "fix": None,
        }
        try:
            row["warning"] = await check_model(choice, read_environment())
        except UsageError as problem:
            row |= {"problem": problem.problem, "fix": problem.fix}
        found.append(row)
    return found

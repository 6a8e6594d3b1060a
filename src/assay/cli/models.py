"""`assay models`: the providers that a model can be named by, and whether models answer."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option

if TYPE_CHECKING:  # --help needs no model
    from assay.keys import JSON
    from assay.loading.catalogue import Catalogue
    from assay.loading.environment import Environment
    from assay.plan import ModelChoice


@click.group("models")
def command() -> None:
    """List providers and check that models answer."""


models_file_option = click.option(
    "--models-file", metavar="FILE", help="Names of models.  [default: models.yaml]"
)


@command.command("list")
@models_file_option
@json_option
def list_command(*, models_file: str | None, as_json: bool) -> None:
    """List the models of models.yaml and the providers: where each answers, whether its key is set."""
    from assay.cli import looks
    from assay.loading.catalogue import find_catalogue
    from assay.loading.environment import read_environment

    environment = read_environment()
    catalogue = find_catalogue(models_file)
    named, providers = _named(catalogue, environment), _providers(environment)
    if as_json:
        click.echo(looks.json_text({"file": catalogue.path, "models": named, "providers": providers}))
        return
    if named:
        rows = [
            [
                each["name"],
                each["model"],
                each["address"] or "-",
                each["key_variable"] or "-",
                _key_state(each),
            ]
            for each in named
        ]
        click.echo(looks.table([str(catalogue.path), "model", "answers at", "key in", "key"], rows, left=5))
        click.echo()
    _show_providers(providers)
    click.echo("\nassay models check openai/gpt-4o-mini   asks whether it answers", err=True)


def _named(catalogue: Catalogue, environment: Environment) -> list[dict[str, JSON]]:
    """The models of a models.yaml; a key is never shown."""
    from assay.loading.catalogue import resolved_choice
    from assay.loading.models import PROVIDERS
    from assay.plan import ModelChoice

    found: list[dict[str, JSON]] = []
    for name in catalogue.models:
        choice = resolved_choice(ModelChoice(name), catalogue, catalogue.endpoints)
        provider = PROVIDERS.get(choice.asked.partition("/")[0])
        own = provider if choice.base_url is None else None
        variable = choice.key_variable or (own.key if own is not None else None)
        found.append(
            {
                "name": name,
                "model": choice.asked,
                "endpoint": choice.endpoint,
                "address": choice.base_url or (own.base_url if own is not None else None),
                "key_variable": variable,
                "key_set": variable is not None and environment.get(variable) is not None,
                "needs_key": choice.key_variable is not None or (own is not None and own.needs_key),
                "adapter": choice.adapter,
                "price": choice.price,
            }
        )
    return found


def _providers(environment: Environment) -> list[dict[str, JSON]]:
    from assay.loading.models import PROVIDERS

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
    return found


def _show_providers(found: list[dict[str, JSON]]) -> None:
    from assay.cli import looks
    from assay.loading.models import OTHERS

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
    click.echo(looks.table(["provider", "answers at", "key in", "key"], rows, left=4))


def _key_state(provider: dict[str, JSON]) -> str:
    if provider["key_set"]:
        return click.style("set", fg="green")
    if provider["needs_key"]:
        return click.style(f"missing: export {provider['key_variable']}=...", fg="yellow")
    return "not needed"


@command.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@models_file_option
@click.option("--base-url", metavar="URL", help="Where the models' server answers (ends in /v1).")
@click.option("--key-variable", metavar="NAME", help="The variable with the key for --base-url.")
@json_option
def check_command(
    names: tuple[str, ...],
    *,
    models_file: str | None,
    base_url: str | None,
    key_variable: str | None,
    as_json: bool,
) -> None:
    """Ask each model's server whether it is there and knows the model; without a NAME, all of models.yaml.

    No tokens are spent. Local weights are loaded.
    """
    from assay.cli import looks
    from assay.cli.main import USAGE, complain
    from assay.errors import UsageError
    from assay.loading.catalogue import find_catalogue
    from assay.plan import ModelChoice

    catalogue = find_catalogue(models_file)
    names = names or tuple(catalogue.models)
    if not names:
        raise UsageError("no model to check", fix="name one, or write a models.yaml (see docs/models.md)")
    choices = [ModelChoice(name, base_url=base_url, key_variable=key_variable) for name in names]
    found = asyncio.run(_checked(choices, catalogue))
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


async def _checked(choices: list[ModelChoice], catalogue: Catalogue) -> list[dict[str, JSON]]:
    from assay.errors import UsageError
    from assay.loading.checking import check_model
    from assay.loading.environment import read_environment

    found: list[dict[str, JSON]] = []
    for choice in choices:
        row: dict[str, JSON] = {
            "model": choice.name if choice.name in catalogue.models else choice.asked,
            "warning": None,
            "problem": None,
            "fix": None,
        }
        try:
            row["warning"] = await check_model(choice, read_environment(), catalogue)
        except UsageError as problem:
            row |= {"problem": problem.problem, "fix": problem.fix}
        found.append(row)
    return found

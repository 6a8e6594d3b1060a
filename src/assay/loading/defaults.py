"""What a scenario file says of all its scenarios, put under what a plan or a flag says."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs, to_builtins

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading.scenario_form import ClientRole, Defaults, ModelRole
from assay.loading.scenarios import read_defaults
from assay.loading.tasks import BUILT_IN
from assay.plan import ModelChoice, Plan

JUDGE = "judge"
"""The seat of the evaluator."""


def with_defaults(plan: Plan, path: Path) -> Plan:
    """The plan with a scenario file's `defaults` under it: what the plan says stays.

    The file's own paths are relative to it. Raises UsageError for a file that is not there.
    """
    defaults = read_defaults(path, allow_unknown=plan.allow_unknown)
    roles, folder = defaults.roles, path.parent
    exchange = {**_settings(defaults, folder), **plan.exchange}
    for key in ("prompts", "limits"):
        given = plan.exchange.get(key)
        if isinstance(given, dict):
            exchange[key] = {**_settings(defaults, folder).get(key, {}), **given}
    cast = dict(plan.cast)
    for name, role in (("client", roles.client), (JUDGE, roles.evaluator)):
        choice = filled(cast.get(name), role)
        if choice is not None and not (name == "client" and exchange.get("client", "llm") != "llm"):
            cast[name] = choice
    models = tuple(filled(model, roles.agent) or model for model in plan.models)
    own = filled(None, roles.agent)
    return structs.replace(
        plan,
        models=models or ((own,) if own is not None else ()),
        cast=cast,
        exchange=exchange,
        world=plan.world or _world(defaults.world, folder),
    )


def filled(choice: ModelChoice | None, role: ModelRole) -> ModelChoice | None:
    """A role's model: that of the choice, else the file's; what the choice leaves out the file says."""
    if choice is None:
        if role.model is None:
            return None
        choice = ModelChoice(role.model, base_url=role.base_url)
    limits = choice.limits if choice.limits != type(choice.limits)() else role.limits
    return structs.replace(choice, sampling=choice.sampling.over(role.sampling), limits=limits)


def _settings(defaults: Defaults, folder: Path) -> dict[str, JSON]:
    """The settings of the conversation that the defaults give."""
    found: dict[str, JSON] = {}
    for key in ("language", "first_speaker", "greeting"):
        if getattr(defaults, key) is not None:
            found[key] = getattr(defaults, key)
    limits = to_builtins(defaults.limits)
    if limits:
        found["limits"] = limits
    client: ClientRole = defaults.roles.client
    if client.kind is not None:
        found["client"] = client.kind
    roles = {"agent": defaults.roles.agent, "client": client, "evaluator": defaults.roles.evaluator}
    prompts = {name: _file(role.prompt, folder) for name, role in roles.items() if role.prompt is not None}
    if prompts:
        found["prompts"] = prompts
    return found


def _file(name: str, folder: Path) -> str:
    path = (folder / name).absolute()
    if not path.is_file():
        raise UsageError(f"{folder / name}: no such file", fix="name a prompt beside the scenario file")
    return str(path)


def _world(name: str | None, folder: Path) -> str | None:
    """A world.yaml beside the file, else the world of a built-in task of that name."""
    if name is None:
        return None
    built_in = BUILT_IN / name / "world.yaml"
    if "/" not in name and built_in.is_file():
        return str(built_in)
    return _file(name, folder)

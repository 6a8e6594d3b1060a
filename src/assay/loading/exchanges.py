"""Exchanges by name: from a task's and a plan's settings to an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from assay.case import Case
from assay.errors import UsageError
from assay.exchanges.prompt import Prompt
from assay.exchanges.single import Single
from assay.exchanges.tool_loop import ToolLoop
from assay.keys import JSON
from assay.loading.environment import Environment
from assay.loading.files import did_you_mean
from assay.loading.tasks import TaskFolder
from assay.loading.worlds import read_world
from assay.plan import Plan
from assay.plugins import PREFIX, made
from assay.ports import Exchange
from assay.world.world import World

T = TypeVar("T", bound=Struct)

Build = Callable[[TaskFolder, Plan, dict[str, JSON], World | None, Environment], Exchange]


def build_exchange(
    folder: TaskFolder, plan: Plan, environment: Environment
) -> tuple[Exchange, Callable[[Case], Case]]:
    """The task's exchange with the plan's settings over its own, and what completes its cases."""
    name, settings = folder.exchange()
    settings = {**settings, **plan.exchange}
    world = read_world(folder.file(folder.form.world)) if folder.form.world is not None else None
    if name.startswith(PREFIX):
        exchange: Exchange = made(name, "exchange", settings)
    elif name in _BUILDERS:
        exchange = _BUILDERS[name](folder, plan, settings, world, environment)
    else:
        raise UsageError(f"unknown exchange {name!r}", fix=did_you_mean(name, _BUILDERS))
    return exchange, _completing(world)


def _completing(world: World | None) -> Callable[[Case], Case]:
    """A world fills the variables that a case leaves out, so that prompt and state agree."""
    if world is None:
        return lambda case: case
    return lambda case: msgspec.structs.replace(case, facts=world.facts(case.facts))


class _SingleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A single exchange has no settings of its own: prompt and response are the task's."""


class _ToolLoopSettings(Struct, frozen=True, forbid_unknown_fields=True):
    language: str = "en"
    max_steps: int = 8


def settled(settings: dict[str, JSON], into: type[T], name: str) -> T:
    """The settings of an exchange as its struct; an unknown one names what was meant."""
    try:
        return msgspec.convert(settings, into)
    except msgspec.ValidationError as bad:
        unknown = str(bad).partition("unknown field `")[2].partition("`")[0]
        fix = "see its settings in docs/tasks.md"
        if unknown:
            fix = did_you_mean(unknown, into.__struct_fields__)
        raise UsageError(f"exchange {name}: {bad}", fix=fix) from None


def _prompt(folder: TaskFolder) -> Prompt:
    form = folder.form.prompt
    return Prompt(folder.text(form.system), folder.text(form.user))


def _single(
    folder: TaskFolder, plan: Plan, settings: dict[str, JSON], world: World | None, environment: Environment
) -> Exchange:
    del plan, world, environment
    settled(settings, _SingleSettings, "single")
    return Single(_prompt(folder), folder.form.response.format, folder.schema())


def _tool_loop(
    folder: TaskFolder, plan: Plan, settings: dict[str, JSON], world: World | None, environment: Environment
) -> Exchange:
    del plan, environment
    chosen = settled(settings, _ToolLoopSettings, "tool_loop")
    return ToolLoop(_prompt(folder), world, chosen.language, chosen.max_steps)


_BUILDERS: dict[str, Build] = {"single": _single, "tool_loop": _tool_loop}

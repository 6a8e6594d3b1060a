"""Exchanges by name: from a task's and a plan's settings to an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, structs

from assay.errors import UsageError
from assay.exchanges.conversation.exchange import Conversation
from assay.exchanges.conversation.recorded import RecordedRun
from assay.exchanges.conversation.settings import Replay, Settings, WebhookSettings
from assay.exchanges.given import Given
from assay.exchanges.prompt import Prompt
from assay.exchanges.single import Single
from assay.exchanges.tool_loop import ToolLoop
from assay.keys import JSON
from assay.loading.environment import Environment
from assay.loading.files import did_you_mean
from assay.loading.misfits import dotted, misfit
from assay.loading.prompts import PromptSet, prompt_set
from assay.loading.tasks import TaskFolder
from assay.loading.worlds import read_world
from assay.plan import Plan
from assay.plugins import PREFIX, made
from assay.ports import Exchange, Fetch, Where
from assay.transport.guarded import GuardedFetch
from assay.world.world import World

T = TypeVar("T", bound=Struct)

Build = Callable[["Draft"], Exchange]


@dataclass(frozen=True, slots=True)
class Draft:
    """What an exchange is made from: the task, its settings with the plan's over them, its world."""

    folder: TaskFolder
    settings: dict[str, JSON]
    world: World | None
    environment: Environment
    fetch: Fetch
    prompts: PromptSet | None = None


def guarded_fetch(environment: Environment) -> GuardedFetch:
    """The client for webhooks, with what the environment lets it reach."""
    return GuardedFetch(
        allow_hosts=(environment.get("WEBHOOK_ALLOW_HOSTS") or "").replace(",", " ").split(),
        allow_private=environment.get("WEBHOOK_ALLOW_PRIVATE") == "1",
        allow_http=environment.get("WEBHOOK_ALLOW_HTTP") == "1",
    )


def build_exchange(
    folder: TaskFolder,
    plan: Plan,
    environment: Environment,
    fetch: Fetch,
    prompts: PromptSet | None,
) -> tuple[Exchange, World | None]:
    """The task's exchange with the plan's settings over its own, and the task's world."""
    name, settings = folder.exchange()
    world = world_of(folder, plan)
    draft = Draft(folder, _over(plan.exchange, settings), world, environment, fetch, prompts)
    if name.startswith(PREFIX):
        exchange: Exchange = made(name, "exchange", draft.settings)
    elif name in _BUILDERS:
        exchange = _BUILDERS[name](draft)
    else:
        raise UsageError(f"unknown exchange {name!r}", fix=did_you_mean(name, _BUILDERS))
    return exchange, world


def world_of(folder: TaskFolder, plan: Plan) -> World | None:
    """The world that the plan names, else the task's own."""
    if plan.world is not None:
        return read_world(Path(plan.world))
    return read_world(folder.file(folder.form.world)) if folder.form.world is not None else None


def _over(changes: dict[str, JSON], settings: dict[str, JSON]) -> dict[str, JSON]:
    """The settings with the changes over them, object by object: one limit leaves the others."""
    merged = dict(settings)
    for key, value in changes.items():
        held = merged.get(key)
        both = isinstance(value, dict) and isinstance(held, dict)
        merged[key] = _over(value, merged[key]) if both else value
    return merged


class _SingleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    likelihood: bool = False


class _GivenSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set where nothing is asked."""


class _ToolLoopSettings(Struct, frozen=True, forbid_unknown_fields=True):
    language: str = "en"
    max_steps: int = 8


def settled(settings: dict[str, JSON], into: type[T], name: str) -> T:
    """The settings of an exchange as its struct; an unknown one names what was meant."""
    try:
        return msgspec.convert(settings, into)
    except msgspec.ValidationError as bad:
        wrong = misfit(bad, into)
        place = f", {dotted(wrong.keys)}" if wrong.keys else ""
        fix = wrong.fix or "see its settings in docs/tasks.md"
        raise UsageError(f"exchange {name}{place}: {wrong.problem}", fix=fix) from None


def _prompt(folder: TaskFolder) -> Prompt:
    form = folder.form.prompt
    return Prompt(folder.text(form.system), folder.text(form.user))


def _single(draft: Draft) -> Exchange:
    likelihood = settled(draft.settings, _SingleSettings, "single").likelihood
    folder = draft.folder
    return Single(_prompt(folder), folder.form.response.format, folder.schema(), likelihood)


def _given(draft: Draft) -> Exchange:
    settled(draft.settings, _GivenSettings, "given")
    return Given()


def _tool_loop(draft: Draft) -> Exchange:
    chosen = settled(draft.settings, _ToolLoopSettings, "tool_loop")
    return ToolLoop(_prompt(draft.folder), draft.world, chosen.language, chosen.max_steps)


def prompts_of(folder: TaskFolder, plan: Plan, environment: Environment) -> PromptSet | None:
    """The prompts of a conversation, with its settings; None for another exchange."""
    name, own = folder.exchange()
    if name != "conversation":
        return None
    settings = settled(_over(plan.exchange, own), Settings, name)
    url = environment.get("WEBHOOK_URL")
    if settings.webhook is None and url is not None:
        settings = structs.replace(settings, webhook=WebhookSettings(url))
    return prompt_set(folder, settings, plan.prompt_version)


def _conversation(draft: Draft) -> Exchange:
    prompts = draft.prompts
    if prompts is None:
        raise UsageError("a conversation needs a prompt for the agent", fix="name it under prompts")
    settings = prompts.settings
    return Conversation(
        settings,
        prompts.agent,
        prompts.client,
        world=draft.world,
        recorded=_recorded(settings.replay) if settings.replay is not None else None,
        fetch=draft.fetch,
        secret=draft.environment.get("WEBHOOK_SECRET") or "",
        prompt_version=prompts.version,
    )


def _recorded(replay: Replay) -> RecordedRun:
    """The conversations of a recorded run. Raises UsageError for one that is not there."""
    from assay.store.sqlite import SqliteStore

    store = SqliteStore.open(Path(replay.store), create=False)
    run = next((run for run in store.runs() if run.id == replay.run), None)
    if run is None:
        raise UsageError(f"replay: {replay.store} holds no run {replay.run!r}", fix="see `assay runs list`")
    if replay.model is None and len(run.models) > 1 and replay.trial is None:
        raise UsageError(
            f"replay: {run.id} played {len(run.models)} models", fix=f"name one: {', '.join(run.models)}"
        )
    trials = [
        trial
        for trial in store.trials(Where(run=run.id, model=replay.model, calls=False))
        if replay.trial is None or trial.key.startswith(replay.trial)
    ]
    if not trials:
        raise UsageError(f"replay: {run.id} holds no such trial", fix=f"see `assay show {run.id}`")
    return RecordedRun(trials, f"replay: run {run.id}", single=replay.trial is not None)


_BUILDERS: dict[str, Build] = {
    "single": _single,
    "given": _given,
    "tool_loop": _tool_loop,
    "conversation": _conversation,
}

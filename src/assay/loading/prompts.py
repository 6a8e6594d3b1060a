"""The prompts of a conversation: which files they are, their version, and whether the scenarios fit them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from assay.case import Case
from assay.errors import UsageError
from assay.exchanges.conversation.exchange import GOAL_NAMES
from assay.exchanges.conversation.settings import Settings
from assay.keys import JSON, digest
from assay.loading import files
from assay.loading.tasks import TaskFolder
from assay.templates import SYSTEM_NAMES, Template

NAMES = {"agent": "agent_system.txt", "client": "client_system.txt", "evaluator": "evaluator_system.txt"}
"""The files of a folder of prompts, by role."""
HASHED = "sha256:"
"""How a version begins that nobody gave: it is counted from the texts."""
CLASSIC = frozenset(
    {
        "PERSONALITY",
        "AMB_LEVEL",
        "PATIENCE",
        "ORDER_GOAL",
        "CURRENT_DATE",
        "LOCATIONS",
        "DELIVERY_DAYS",
        "PURCHASE_HISTORY",
    }
)
"""Variables that a prompt may rely on: without a value the scenario is at fault."""
WITH_MEANING = frozenset(
    {*CLASSIC, "SEED", "LANGUAGE", "CITY", "CUSTOMER_PHONE", "CUSTOMER_NAME", "CLIENT", "START", "FAULTS"}
)
"""Variables that count even where no prompt shows them."""


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The three prompts of a conversation as files or texts; `version` is the label of the whole."""

    agent: Template
    client: Template | None
    evaluator: Template | None
    version: str
    settings: Settings

    @property
    def spoken(self) -> dict[str, Template]:
        """The prompts that a model of the conversation is given, by role."""
        given = {"agent": self.agent, "client": self.client if self.settings.client == "llm" else None}
        return {role: template for role, template in given.items() if template is not None}

    @property
    def every(self) -> tuple[Template, ...]:
        given = (self.agent, self.client, self.evaluator)
        return tuple(template for template in given if template is not None)


def prompt_set(folder: TaskFolder, settings: Settings, label: str | None) -> PromptSet:
    """The prompts that settings and label name.

    Of a file `DIR/NAME` the label's own is taken where there is one, `DIR/LABEL/NAME`. A folder of
    prompts goes before files that are named one by one. Raises UsageError for a folder with none.
    """
    label = None if label is not None and label.startswith(HASHED) else label
    chosen = settings.prompts
    named = {"agent": chosen.agent, "client": chosen.client, "evaluator": chosen.evaluator}
    named["evaluator"] = named["evaluator"] or _judges(folder)
    if chosen.folder is not None:
        own = {role: str(Path(chosen.folder) / name) for role, name in NAMES.items()}
        held = {role: path for role, path in own.items() if _labelled(folder, path, label) is not None}
        if not held:
            raise UsageError(
                f"{chosen.folder}: holds no prompts", fix=f"put {', '.join(NAMES.values())} there"
            )
        named |= held
    texts = {role: _template(folder, value, label) for role, value in named.items()}
    agent = texts["agent"]
    if agent is None:
        raise UsageError("a conversation needs a prompt for the agent", fix="name it under prompts")
    sources = [template.text if template is not None else "" for template in texts.values()]
    version = label or HASHED + digest(sources, 12)
    return PromptSet(agent, texts["client"], texts["evaluator"], version, settings)


def _judges(folder: TaskFolder) -> str | None:
    """The prompt that the task gives its judge."""
    for each in folder.form.scorers:
        settings = each.get("judge") if isinstance(each, dict) else None
        if isinstance(settings, Mapping) and isinstance(settings.get("prompt"), str):
            return str(settings["prompt"])
    return None


def _labelled(folder: TaskFolder, name: str, label: str | None) -> Path | None:
    """The file of that name, the label's own first; None where there is neither."""
    path = folder.file(name)
    candidates = ([path.parent / label / path.name] if label is not None else []) + [path]
    return next((each for each in candidates if each.is_file()), None)


def _template(folder: TaskFolder, value: str | None, label: str | None) -> Template | None:
    if value is None:
        return None
    if "\n" in value or len(value) >= 200:
        return folder.text(value)
    path = _labelled(folder, value, label)
    if path is None:
        return folder.text(value)
    return Template(files.read_text(path).rstrip("\n"), _short(path))


def _short(path: Path) -> str:
    """A file's name for messages, with the folder that tells versions apart."""
    return f"{path.parent.name}/{path.name}"


def fitted(cases: Sequence[Case], prompts: PromptSet) -> tuple[list[Case], tuple[str, ...]]:
    """The cases with what their prompts need, and what is odd about the two.

    Raises UsageError, with file and line of every place, where a prompt uses a variable that a case
    lacks (unless the settings say that it is empty then, or a webhook may give it).
    """
    known = _known(cases)
    warnings = [*_leaks(prompts), *_misspelt(prompts, known), *_unused(cases, prompts)]
    wanted = _wanted(known, prompts)
    if prompts.settings.prompts.on_missing == "empty":
        blank = dict.fromkeys(sorted(wanted), "")
        return [structs.replace(case, facts={**blank, **case.facts}) for case in cases], tuple(warnings)
    missing = [(case, wanted - set(case.facts)) for case in cases if wanted - set(case.facts)]
    if not missing:
        return list(cases), tuple(warnings)
    problem, fix = _told(missing, prompts)
    if prompts.settings.webhook is not None:
        return list(cases), (*warnings, f"{problem}: the webhook must give it")
    raise UsageError(problem, fix=fix)


def lacking(cases: Sequence[Case], prompts: PromptSet) -> dict[int, UsageError]:
    """For each case, by its place, that `fitted` would refuse: what is missing."""
    if prompts.settings.prompts.on_missing == "empty" or prompts.settings.webhook is not None:
        return {}
    wanted = _wanted(_known(cases), prompts)
    found = {}
    for place, case in enumerate(cases):
        names = wanted - set(case.facts)
        if names:
            problem, fix = _told([(case, names)], prompts)
            found[place] = UsageError(problem, fix=fix)
    return found


def _known(cases: Iterable[Case]) -> frozenset[str]:
    """The names that a prompt may rely on: those of the classic form, and any that a case gives."""
    return frozenset().union(CLASSIC, *(case.facts for case in cases)) - SYSTEM_NAMES


def _wanted(known: frozenset[str], prompts: PromptSet) -> frozenset[str]:
    """Those of them that the prompts use. A client may know the goal, an agent may not."""
    hidden = {"agent": GOAL_NAMES, "client": frozenset[str]()}
    used = (set(template.names) - hidden[role] for role, template in prompts.spoken.items())
    return known & frozenset().union(*used)


def _told(missing: Sequence[tuple[Case, frozenset[str]]], prompts: PromptSet) -> tuple[str, str]:
    names = frozenset().union(*(each for _, each in missing))
    places = [
        f"{template.origin}:{slot.line} {slot.raw}"
        for template in prompts.spoken.values()
        for slot in template.slots
        if slot.name in names
    ]
    first, others = missing[0][0].name, len(missing) - 1
    whose = f'scenario "{first}"' + (f" and {others} more" if others else "")
    listed = ", ".join(sorted(names))
    return (
        f"{whose}: no value for {', '.join(places)}",
        f"give {listed} in the variables, or set prompts: {{on_missing: empty}}",
    )


def _leaks(prompts: PromptSet) -> Iterator[str]:
    """What would tell the agent the goal; those names stay as they are written."""
    for slot in prompts.agent.slots:
        if slot.name in GOAL_NAMES:
            yield (
                f"{prompts.agent.origin}:{slot.line}: goal leak: {slot.name} would tell the agent the goal; "
                "it stays as it is written"
            )


def _misspelt(prompts: PromptSet, known: Iterable[str]) -> Iterator[str]:
    """Names in double braces that nothing gives a value."""
    whole = {*known, *SYSTEM_NAMES, *GOAL_NAMES, "BRIEF"}
    for template in prompts.spoken.values():
        for slot in template.unknown(whole):
            if slot.raw.startswith("{{"):
                near = files.meant(slot.name, whole)
                hint = f" (did you mean {near}?)" if near else ""
                yield f"{template.origin}:{slot.line}: nothing is called {slot.name}{hint}, so it stays"


def _unused(cases: Iterable[Case], prompts: PromptSet) -> Iterator[str]:
    """Variables of scenarios that no prompt shows and that have no meaning of their own."""
    used = set(WITH_MEANING).union(*(template.names for template in prompts.every))
    counts: dict[str, int] = {}
    for case in cases:
        for name in set(case.facts) - used:
            counts[name] = counts.get(name, 0) + 1
    for name, count in sorted(counts.items()):
        yield f"{name} of {count} scenario{'s' * (count != 1)} is used in no prompt"


def with_evaluator(scorers: Iterable[JSON], prompts: PromptSet | None) -> tuple[JSON, ...]:
    """The scorers of a task, the judge with the prompt of the set where the task gives it one."""
    if prompts is None or prompts.evaluator is None:
        return tuple(scorers)
    text = prompts.evaluator.text
    return tuple(
        {"judge": {**(each["judge"] or {}), "prompt": text}}
        if isinstance(each, dict) and "judge" in each
        else each
        for each in scorers
    )

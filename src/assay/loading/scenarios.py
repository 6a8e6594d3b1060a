"""Scenario files (JSON, JSON Lines, YAML) as the cases of a conversation task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, structs

from assay.case import Case, case_id
from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.loading.documents import Item, json_line_items, yaml_lines
from assay.loading.matrix import cells
from assay.loading.misfits import dotted, misfit, pointer
from assay.loading.prompts import PromptSet, fitted
from assay.loading.scenario_case import Warn, case_of
from assay.loading.scenario_form import MAX_SCENARIOS, MOST_REPEATS, Defaults, Scenario, ScenarioDocument
from assay.loading.tasks import LoadedTask
from assay.ports import Task
from assay.world.world import World

T = TypeVar("T", bound=Struct)
Held = TypeVar("Held")

YAML_FILES = frozenset({".yaml", ".yml"})
FORM = "see the form of a scenario in docs/tasks.md"
FIXES = {
    "repeats": f"give a whole number from 1 to {MOST_REPEATS}",
    "weight": "give a number above 0, 1000 at most",
    "id": "begin with a letter; letters, digits, _ and - may follow, 40 in all",
}
"""Remedies of what is wrong at the end of a place."""


class Played(Struct, frozen=True):
    """A case, and how often one pass over the file plays it."""

    case: Case
    repeats: int


class ScenarioFile:
    """The scenarios of one file, each checked, expanded and completed when it is opened; their
    variables fit the prompts that they are played with.

    `repeats` says how often each case is played; None where each is once. `warnings` are what is
    odd but no error. With `allow_unknown` unknown keys are warnings too.
    """

    def __init__(
        self,
        path: Path,
        world: World | None,
        *,
        prompts: PromptSet | None = None,
        offset: int = 0,
        limit: int | None = None,
        keep: Callable[[Case], bool] = lambda _: True,
        allow_unknown: bool = False,
    ) -> None:
        self.path = path
        noted = Warnings()
        made: list[Played] = []
        for item in items(path, noted.add if allow_unknown else None):
            if isinstance(item, UsageError):
                raise item
            made += scenario_cases(item, world, noted.add, allow_unknown=allow_unknown)
            if len(made) > MAX_SCENARIOS:
                raise UsageError(f"{path}: more than {MAX_SCENARIOS} scenarios", fix="split the file")
        if prompts is not None:
            cases, told = fitted([each.case for each in made], prompts)
            made = [Played(case, each.repeats) for case, each in zip(cases, made, strict=True)]
            noted.whole += told
        kept = [each for each in identified_cases(made) if keep(each.case)][offset:][:limit]
        self._cases = [each.case for each in kept]
        every = tuple(each.repeats for each in kept)
        self.repeats = every if set(every) - {1} else None
        self.warnings = noted.texts
        let_go(made)

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases)

    def case(self, index: int) -> Case:
        return self._cases[index]

    def let_go(self) -> None:
        """Frees the cases, when nobody plays them any more."""
        let_go(self._cases)


def let_go(each: list[Held]) -> None:
    """Empties a list, an item at a time: a hundred thousand that are freed at once stop every thread."""
    while each:
        each.pop()


def let_cases_go(task: Task) -> None:
    """Frees the cases of a task that nobody plays any more, where all of them are held."""
    if isinstance(task, LoadedTask) and isinstance(task.cases, ScenarioFile):
        task.cases.let_go()


class Warnings:
    """What is odd in a file: each kind of it once, with the number of places."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._more: dict[str, int] = {}
        self.whole: tuple[str, ...] = ()

    def add(self, place: str, text: str) -> None:
        if text in self._first:
            self._more[text] += 1
        else:
            self._first[text], self._more[text] = place, 0

    @property
    def texts(self) -> tuple[str, ...]:
        placed = (
            f"{place}: {text}" + (f" (and in {self._more[text]} more)" if self._more[text] else "")
            for text, place in self._first.items()
        )
        return (*placed, *self.whole)


def items(path: Path, warn: Warn | None = None) -> Iterator[Item | UsageError]:
    """Each scenario of a file with its place; a line that cannot be read is its error.

    Raises UsageError for a file that is no scenario file. `warn` takes unknown keys of the document
    that are else an error.
    """
    if path.suffix.lower() == ".jsonl":
        yield from json_line_items(path)
        return
    document, lines = _document(path)
    yield from document_items(document, str(path), lines, warn)
    let_go(document if isinstance(document, list) else document["scenarios"])


def document_items(
    document: JSON, origin: str, lines: dict[str, int] | None = None, warn: Warn | None = None
) -> Iterator[Item]:
    """The scenarios of a document: a list, or an object with a list under `scenarios`."""
    lines = lines or {}
    if isinstance(document, list):
        yield from (Item(each, n, origin, (n,), lines) for n, each in enumerate(document))
        return
    if not isinstance(document, dict) or not isinstance(document.get("scenarios"), list):
        raise UsageError(
            f"{origin} holds no list of scenarios",
            fix='write a list of {"name", "variables"}, or {"scenarios": [...]}',
        )
    form = _formed(document, ScenarioDocument, origin, lines, warn)
    for n, each in enumerate(form.scenarios):
        yield Item(each, n, origin, ("scenarios", n), lines)


def read_defaults(path: Path, *, allow_unknown: bool = False) -> Defaults:
    """What a scenario file says of all its scenarios; empty for a list and for JSON Lines. Unknown
    keys that are allowed are warned of where the scenarios are read.
    """
    if path.suffix.lower() == ".jsonl":
        return Defaults()
    document, lines = _document(path)
    if not isinstance(document, dict) or "defaults" not in document:
        return Defaults()
    warn = _unheard if allow_unknown else None
    return _formed({"scenarios": [], **document}, ScenarioDocument, str(path), lines, warn).defaults


def _document(path: Path) -> tuple[JSON, dict[str, int]]:
    if path.suffix.lower() not in YAML_FILES:
        return files.read_json(path), {}
    document, text = files.read_yaml(path)
    return document, yaml_lines(text, str(path))


def _unheard(place: str, text: str) -> None:
    """Nobody is told."""


def scenario_cases(
    item: Item, world: World | None, warn: Warn = _unheard, *, allow_unknown: bool = False
) -> list[Played]:
    """The cases of one scenario: one, or one a cell of its matrix. Raises UsageError with its place."""
    if not isinstance(item.value, dict):
        raise item.error((), "is no object", 'write {"name": ..., "variables": {...}}')
    scenario = converted(item, item.value, Scenario, (), warn if allow_unknown else None)
    return [
        Played(case_of(item, cell, factors, world, warn), scenario.repeats)
        for cell, factors in cells(item, scenario)
    ]


def scenario_case(value: JSON, world: World | None = None) -> Case:
    """The first case of one scenario, without its identity."""
    return scenario_cases(Item(value), world)[0].case


def converted(item: Item, value: JSON, into: type[T], keys: tuple[str | int, ...], warn: Warn | None) -> T:
    """A part of an item as `into`. Unknown keys are warnings where there is a `warn`."""
    while True:
        try:
            return msgspec.convert(value, into)
        except msgspec.ValidationError as bad:
            wrong = misfit(bad, into)
            if wrong.unknown is None or warn is None:
                remedy = FIXES.get(str(wrong.keys[-1]) if wrong.keys else "", FORM)
                raise item.error((*keys, *wrong.keys), wrong.problem, wrong.fix or remedy) from None
            warn(item.place((*keys, *wrong.keys)), f"{wrong.problem} is passed over: {wrong.fix}")
            value = _without(value, wrong.keys)


def _formed(document: JSON, into: type[T], origin: str, lines: dict[str, int], warn: Warn | None) -> T:
    """As `converted`, for what stands around the scenarios."""
    while True:
        try:
            return msgspec.convert(document, into)
        except msgspec.ValidationError as bad:
            wrong = misfit(bad, into)
            line = lines.get(pointer(wrong.keys))
            place = (
                f"{origin}, line {line}, {dotted(wrong.keys)}" if line else f"{origin}, {dotted(wrong.keys)}"
            )
            if wrong.unknown is None or warn is None:
                whole = pointer(wrong.keys)
                raise UsageError(f"{place}: {wrong.problem}", fix=wrong.fix or FORM, pointer=whole) from None
            warn(place, f"{wrong.problem} is passed over: {wrong.fix}")
            document = _without(document, wrong.keys)


def _without(value: JSON, keys: tuple[str | int, ...]) -> JSON:
    """The value without what stands at `keys`."""
    first, *rest = keys
    if not rest:
        return {key: each for key, each in value.items() if key != first}
    copy = value.copy()
    copy[first] = _without(value[first], tuple(rest))
    return copy


def identified_cases(made: Iterable[Played]) -> Iterator[Played]:
    """The cases with their identities; equal ones differ by occurrence index."""
    seen: dict[str, int] = {}
    for each in made:
        first = case_id(each.case)
        occurrence = seen.get(first, 0)
        seen[first] = occurrence + 1
        identity = first if not occurrence else case_id(each.case, occurrence)
        yield Played(structs.replace(each.case, id=identity), each.repeats)

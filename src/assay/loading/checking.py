"""Checks a task, plan, case or scenario file as a whole: every problem in it, not the first alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from assay.case import Case
from assay.emulator.server import Emulator
from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.loading.bind import load_task
from assay.loading.cases import native
from assay.loading.catalogue import Catalogue, find_catalogue, resolved_choice
from assay.loading.defaults import with_defaults
from assay.loading.environment import Environment
from assay.loading.exchanges import world_of
from assay.loading.models import ModelShelf, check
from assay.loading.plans import is_plan, read_plan
from assay.loading.scenarios import YAML_FILES, Warnings, items, scenario_cases
from assay.loading.tasks import find_task
from assay.plan import ModelChoice, Plan

MOST_PROBLEMS = 20
"""Problems that a check collects before it gives up on the rest of the file."""

SCENARIO_TASK = "phone_orders"
"""Whose world scenarios are checked against where no task is named."""

Prepare = Callable[[JSON, str], Case]


class Checked(Struct, frozen=True):
    """What a file is, how many good cases it holds (by split, for a task), and what is wrong in it."""

    kind: Literal["task", "plan", "cases", "scenarios"]
    counts: dict[str, int]
    problems: tuple[UsageError, ...] = ()
    warnings: tuple[str, ...] = ()


def check_file(
    path: Path, task: str | None, environment: Environment, *, allow_unknown: bool = False
) -> Checked:
    """Checks a file by what it is. `task` names the task whose columns or world it is for; with
    `allow_unknown` unknown keys of scenarios are warnings.

    Raises UsageError for a file that cannot be read at all.
    """
    if is_plan(str(path)):
        return _check_plan(path, environment)
    if path.is_dir() or (path.suffix in YAML_FILES and not is_scenario_file(path)):
        return _check_task(path, environment)
    reader = find_task(task).reader if task is not None else None
    rows: list[tuple[str, JSON]] = list(
        _rows(path) if reader is None or reader.rows is None else reader.rows(path)
    )
    whose = task
    if whose is None and (path.suffix in YAML_FILES or any(_is_scenario(row) for _, row in rows)):
        whose = SCENARIO_TASK
    folder = find_task(whose) if whose is not None else None
    if folder is None or folder.exchange()[0] != "conversation":
        return _checked("cases", rows, native if folder is None else folder.prepare())
    return _check_scenarios(path, whose or SCENARIO_TASK, environment, allow_unknown=allow_unknown)


def _is_scenario(row: JSON) -> bool:
    return isinstance(row, dict) and "variables" in row


def is_scenario_file(path: Path) -> bool:
    """Whether a YAML file holds scenarios rather than a task."""
    document, _ = files.read_yaml(path)
    return isinstance(document, list) or (isinstance(document, dict) and "scenarios" in document)


def _check_scenarios(path: Path, task: str, environment: Environment, *, allow_unknown: bool) -> Checked:
    """Every scenario of a file, and whether the prompts that it is played with fit it."""
    plan = with_defaults(Plan(task=task, models=(), data=str(path)), path)
    folder = find_task(plan.task)
    world = world_of(folder, plan)
    noted, count = Warnings(), 0
    problems: list[UsageError] = []
    for item in items(path, noted.add if allow_unknown else None):
        if len(problems) == MOST_PROBLEMS:
            break
        try:
            if isinstance(item, UsageError):
                raise item
            count += len(scenario_cases(item, world, noted.add, allow_unknown=allow_unknown))
        except UsageError as problem:
            problems.append(problem)
    if not problems:
        try:
            loaded, _ = load_task(structs.replace(plan, allow_unknown=allow_unknown), environment)
            return Checked("scenarios", {"": len(loaded)}, warnings=loaded.warnings)
        except UsageError as problem:
            problems.append(problem)
    return Checked("scenarios", {"": count}, tuple(problems), noted.texts)


def _rows(path: Path) -> Iterator[tuple[str, JSON]]:
    """Each row or scenario with its place; one that cannot be read is its UsageError."""
    if path.suffix.lower() == ".csv":
        for number, _, row in files.read_rows(path):
            yield f"{path}, line {number}", row
        return
    for item in items(path):
        if isinstance(item, UsageError):
            yield "", item
        elif path.suffix.lower() == ".json":
            yield item.place(), item.value
        else:
            yield f"{path}, line {item.lines.get('', 0)}", item.value


def _checked(kind: Literal["cases"], rows: Iterable[tuple[str, JSON]], prepare: Prepare) -> Checked:
    problems: list[UsageError] = []
    names: dict[str, str] = {}
    count = 0
    for where, row in rows:
        if len(problems) == MOST_PROBLEMS:
            break
        problem = row if isinstance(row, UsageError) else _problem(row, where, prepare, names)
        if problem is None:
            count += 1
        else:
            problems.append(problem)
    return Checked(kind, {"": count}, tuple(problems))


def _problem(row: JSON, where: str, prepare: Prepare, names: dict[str, str]) -> UsageError | None:
    try:
        case = prepare(row, where)
    except UsageError as problem:
        return problem
    first = names.setdefault(case.name, where) if case.name else where
    if first != where:
        return UsageError(
            f"{where}: the id {case.name!r} stands there already: {first}",
            fix="give every case an id of its own",
        )
    return None


def _check_task(path: Path, environment: Environment) -> Checked:
    """Each split of a task, its prompts, exchange and scorers."""
    folder = find_task(str(path))
    cases = folder.form.cases
    if cases is None:
        return Checked("task", {})
    splits = list(cases) if isinstance(cases, dict) else ["test"]
    counts: dict[str, int] = {}
    problems: list[UsageError] = []
    warnings: dict[str, None] = {}
    for split in splits:
        plan = Plan(task=str(path), models=(), split=split)
        try:
            task, _ = load_task(plan, environment)
            counts[split if isinstance(cases, dict) else ""] = len(task)
            warnings |= dict.fromkeys(task.warnings)
        except UsageError as problem:
            problems.append(problem)
    return Checked("task", counts, tuple(problems), tuple(warnings))


def _check_plan(path: Path, environment: Environment) -> Checked:
    """A plan with the cases that it would play; no model is made."""
    plan = read_plan(path)
    try:
        task, _ = load_task(structs.replace(plan, models=()), environment)
    except UsageError as problem:
        return Checked("plan", {}, (problem,))
    return Checked("plan", {"": len(task)}, warnings=task.warnings)


async def check_model(
    choice: ModelChoice, environment: Environment, catalogue: Catalogue | None = None
) -> str | None:
    """Asks the server of a model whether it is there; a warning where its answer is odd.

    Recorded answers are read as a whole. Raises UsageError as a run of the model would.
    """
    found = find_catalogue(None) if catalogue is None else catalogue
    choice = resolved_choice(choice, found, found.endpoints)
    provider, _, rest = choice.asked.partition("/")
    if provider == "recorded":
        file, _, field = rest.partition("#")
        for number, _, row in files.read_rows(Path(file)):
            if (field or "reply") not in row:
                raise UsageError(
                    f"{file}, line {number}: no field {field or 'reply'!r}",
                    fix=files.did_you_mean(field or "reply", row),
                )
        return None
    async with AsyncExitStack() as stack:
        url = None
        if provider == "emulated" and choice.base_url is None:
            url = (await stack.enter_async_context(Emulator())).url
        model = ModelShelf(environment, stack, {}, url).make(choice, ())
        return await check(model, choice.asked)

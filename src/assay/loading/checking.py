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
from assay.exchanges.conversation.scenario import scenario_case, scenarios
from assay.keys import JSON
from assay.loading import files
from assay.loading.bind import load_task
from assay.loading.cases import native
from assay.loading.catalogue import Catalogue, find_catalogue, resolved_choice
from assay.loading.environment import Environment
from assay.loading.models import ModelShelf, check
from assay.loading.plans import is_plan, read_plan
from assay.loading.tasks import find_task
from assay.loading.worlds import read_world
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


def check_file(path: Path, task: str | None, environment: Environment) -> Checked:
    """Checks a file by what it is. `task` names the task whose columns or world it is for.

    Raises UsageError for a file that cannot be read at all.
    """
    if is_plan(str(path)):
        return _check_plan(path, environment)
    if path.is_dir() or path.suffix in {".yaml", ".yml"}:
        return _check_task(path, environment)
    reader = find_task(task).reader if task is not None else None
    rows: list[tuple[str, JSON]] = list(
        _rows(path) if reader is None or reader.rows is None else reader.rows(path)
    )
    whose = task
    if whose is None and any("variables" in row for _, row in rows if isinstance(row, dict)):
        whose = SCENARIO_TASK
    folder = find_task(whose) if whose is not None else None
    if folder is None or folder.exchange()[0] != "conversation":
        return _checked("cases", rows, native if folder is None else folder.prepare())
    named = folder.form.world
    world = read_world(folder.file(named)) if named is not None else None
    return _checked("scenarios", rows, lambda row, where: scenario_case(row, world, where))


def _rows(path: Path) -> Iterator[tuple[str, JSON]]:
    """Each row or scenario with its place; one that cannot be read is its UsageError."""
    if path.suffix.lower() == ".json":
        for index, item in enumerate(scenarios(files.read_json(path), str(path))):
            yield f"{path}, scenario {index}", item
    elif path.suffix.lower() == ".csv":
        for number, _, row in files.read_rows(path):
            yield f"{path}, line {number}", row
    else:
        yield from _json_lines(path)


def _json_lines(path: Path) -> Iterator[tuple[str, JSON]]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                where = f"{path}, line {number}"
                if not raw.strip():
                    continue
                try:
                    yield where, files.parse_row(raw, where)
                except UsageError as problem:
                    yield where, problem
    except OSError as failure:
        raise files.unreadable(path, failure) from None


def _checked(
    kind: Literal["cases", "scenarios"], rows: Iterable[tuple[str, JSON]], prepare: Prepare
) -> Checked:
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
    for split in splits:
        plan = Plan(task=str(path), models=(), split=split)
        try:
            counts[split if isinstance(cases, dict) else ""] = len(load_task(plan, environment)[0])
        except UsageError as problem:
            problems.append(problem)
    return Checked("task", counts, tuple(problems))


def _check_plan(path: Path, environment: Environment) -> Checked:
    """A plan with the cases that it would play; no model is made."""
    plan = read_plan(path)
    try:
        task, _ = load_task(structs.replace(plan, models=()), environment)
    except UsageError as problem:
        return Checked("plan", {}, (problem,))
    return Checked("plan", {"": len(task)})


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

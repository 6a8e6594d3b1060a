"""Where a run's cases come from: a file in the task's own form, a public set's, scenarios, a data set."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from assay.errors import UsageError
from assay.loading.cases import CaseFile, Cases, ListedCases
from assay.loading.datasets_hub import PREFIX, numbered, open_dataset
from assay.loading.prompts import PromptSet
from assay.loading.scenarios import ScenarioFile
from assay.loading.tasks import TaskFolder, slice_filter
from assay.plan import Plan
from assay.world.world import World


def open_cases(
    plan: Plan, folder: TaskFolder, path: Path, world: World | None, prompts: PromptSet | None
) -> Cases:
    """The cases of a file: scenarios for a conversation, cases in the task's own form else; or those of a
    data set.
    """
    keep = slice_filter(plan.slice)
    prepare, reader = folder.prepare(), folder.reader
    if plan.data is not None and plan.data.startswith(PREFIX):
        rows = numbered(open_dataset(plan.data, plan.split), plan.data)
        return ListedCases(rows, prepare, offset=plan.offset, limit=plan.limit, keep=keep)
    if reader is not None and reader.rows is not None:
        return ListedCases(reader.rows(path), prepare, offset=plan.offset, limit=plan.limit, keep=keep)
    if folder.exchange()[0] == "conversation":
        return ScenarioFile(
            path,
            world,
            prompts=prompts,
            offset=plan.offset,
            limit=plan.limit,
            keep=keep,
            allow_unknown=plan.allow_unknown,
        )
    return CaseFile(path, prepare, offset=plan.offset, limit=plan.limit, keep=keep)


def no_cases(plan: Plan, path: Path, opened: Callable[[Plan], Cases]) -> UsageError:
    """Why there is nothing to play; for a slice, what the tags of all cases are."""
    if not plan.slice and plan.offset:
        total = len(opened(structs.replace(plan, offset=0, limit=None)))
        return UsageError(
            f"{path}: no case {plan.offset}, counted from 0: it holds {total}",
            fix=f"ask for 0 to {total - 1}" if total else "check the file",
        )
    if not plan.slice:
        return UsageError(f"{path}: no cases", fix="check the file, --limit and offset")
    slices = ", ".join(f"{tag}={value}" for tag, value in plan.slice.items())
    tags: dict[str, set[str]] = {}
    for case in itertools.islice(opened(structs.replace(plan, slice={})), 1000):
        for tag, value in case.tags.items():
            tags.setdefault(tag, set()).add(value)
    known = "; ".join(f"{tag}={' or '.join(sorted(values)[:6])}" for tag, values in tags.items())
    return UsageError(
        f"{path}: no cases with {slices}",
        fix=f"give --slice one of {known}" if known else "leave out --slice: no case has a tag",
    )

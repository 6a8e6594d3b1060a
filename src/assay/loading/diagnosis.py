"""What is there and what is missing: packages, configuration, models, tasks, store, servers."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from assay import __version__
from assay.errors import StoreError, UsageError
from assay.loading.catalogue import FILE, Catalogue, find_catalogue, resolved_choice
from assay.loading.checking import check_file, check_model
from assay.loading.environment import Environment, read_environment
from assay.loading.files import meant
from assay.loading.models import PROVIDERS
from assay.loading.plans import is_plan, read_plan
from assay.loading.tasks import built_in_tasks, find_task
from assay.plan import ModelChoice
from assay.store.sqlite import SqliteStore

EXTRAS = {
    "datasets": "data sets of Hugging Face",
    "frames": "data frames and Parquet",
    "hf": "weights on this machine",
    "otel": "OpenTelemetry traces",
    "serve": "the REST service",
    "text": "BLEU and chrF",
}
"""What each extra is for."""

SETTINGS = (
    *("OPENAI_MODEL", "CONCURRENCY", "MAX_TURNS", "TIMEOUT_SEC", "HOST", "PORT", "CORS_ORIGINS", "DEBUG"),
    *("WEBHOOK_URL", "WEBHOOK_SECRET", "WEBHOOK_ALLOW_HOSTS", "WEBHOOK_ALLOW_PRIVATE", "WEBHOOK_ALLOW_HTTP"),
)
"""Variables that are read beside those of the providers."""

EMULATED = "emulated/skill-1"

LEAST_ROOM = 1 << 28
"""Bytes of free disk below which a store is warned of."""

_MODULES = {"google-re2": "re2", "python-dotenv": "dotenv", "ruamel-yaml": "ruamel.yaml"}
_REQUIREMENT = re.compile(r"""([A-Za-z0-9_.-]+)[^;]*(?:;.*extra == ['"](\w+)['"])?""")


class Finding(Struct, frozen=True):
    """One thing that was looked at; `fix` says what to do where it is not OK."""

    what: str
    status: Literal["OK", "WARN", "FAIL"]
    detail: str
    fix: str = ""


async def diagnose(folder: Path, store: Path, models_file: str | None, *, ask: bool) -> list[Finding]:
    """Everything that a run from `folder` would need, in the order in which it would need it.

    `ask` False leaves the servers alone. No finding holds a key.
    """
    found = [*_packages(), *_configuration(folder)]
    environment = read_environment(folder)
    found += _keys(environment)
    catalogue = Catalogue()
    try:
        catalogue = find_catalogue(models_file)
        named = f"{len(catalogue.models)} models, {len(catalogue.endpoints)} endpoints"
        detail = named if catalogue.path is not None else "none here; names are provider/name"
        found.append(Finding(FILE, "OK", detail))
    except UsageError as problem:
        found.append(_failed(FILE, problem))
    found += _tasks(folder, environment)
    found += _store(store)
    if ask:
        used, others = _choices(folder, catalogue)
        checks = [_asked(choice, environment, catalogue) for choice in (*used, *others)]
        told = await asyncio.gather(*checks)
        found += told[: len(used)]
        found += [_unused(each) for each in told[len(used) :]]
    return found


def _failed(what: str, problem: UsageError) -> Finding:
    return Finding(what, "FAIL", problem.problem, problem.fix)


def _packages() -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding(
        "assay", "OK", f"{__version__} on Python {python}, {platform.system()} {platform.machine()}"
    )
    missing: dict[str, list[str]] = {}
    for requirement in metadata.requires("assay") or ():
        match = _REQUIREMENT.match(requirement)
        if match is not None:
            name, extra = match[1], match[2] or ""
            missing.setdefault(extra, [])
            module = _MODULES.get(name.lower(), name.lower().replace("-", "_"))
            if not _there(module):
                missing[extra].append(name)
    lost = ", ".join(missing.pop("", []))
    if lost:
        yield Finding("packages", "FAIL", f"missing: {lost}", "install assay anew: pip install assay")
    else:
        yield Finding("packages", "OK", "all that assay needs can be imported")
    for extra, names in sorted(missing.items()):
        lacks = f"not installed ({', '.join(names)}); if you need it: pip install 'assay[{extra}]'"
        detail = f"{EXTRAS.get(extra, extra)}: {lacks if names else 'installed'}"
        yield Finding(f"extra {extra}", "OK", detail)


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _configuration(folder: Path) -> Iterator[Finding]:
    """The .env file: whether it can be read, by whom, and names in it that are nearly right."""
    path = folder / ".env"
    if not path.is_file():
        yield Finding(".env", "OK", "none here; variables of the process are read")
        return
    from dotenv import dotenv_values

    try:
        names = list(dotenv_values(path, interpolate=False))
    except (OSError, UnicodeDecodeError) as failure:
        yield Finding(
            ".env", "FAIL", f"cannot be read: {failure}", "save it as UTF-8 text of NAME=value lines"
        )
        return
    known = {*SETTINGS, *(name for each in PROVIDERS.values() for name in (each.key, each.address) if name)}
    yield Finding(".env", "OK", f"{len(names)} variables")
    for name in names:
        near = None if name in known else meant(name, known)
        if near is not None:
            yield Finding(".env", "WARN", f"{name} is read by nobody", f"did you mean {near}?")
    if path.stat().st_mode & 0o044 and any(name.endswith(("KEY", "SECRET")) for name in names):
        yield Finding(".env", "WARN", "others on this machine can read its keys", "chmod 600 .env")


def _keys(environment: Environment) -> Iterator[Finding]:
    variables = [provider.key for provider in PROVIDERS.values() if provider.key is not None]
    given = [name for name in variables if environment.get(name) is not None]
    detail = f"set: {', '.join(given)}" if given else "none set; emulated and local models need none"
    yield Finding("keys", "OK", detail)


def _tasks(folder: Path, environment: Environment) -> Iterator[Finding]:
    """The built-in tasks with their prompts and cases, and the tasks and plans that lie here."""
    broken = [found for name in built_in_tasks() if (found := _task(name, environment)) is not None]
    yield from broken
    if not broken:
        yield Finding("built-in tasks", "OK", f"{len(built_in_tasks())}, with prompts, cases and scorers")
    for path in sorted(folder.glob("*.y*ml")):
        if path.name != FILE and (path.name == "task.yaml" or is_plan(str(path))):
            try:
                checked = check_file(path, None, environment)
                problem = next(iter(checked.problems), None)
            except UsageError as fault:
                problem = fault
            if problem is not None:
                yield _failed(path.name, problem)
            else:
                yield Finding(
                    path.name, "OK", f"a sound {checked.kind}, {sum(checked.counts.values())} cases"
                )


def _task(name: str, environment: Environment) -> Finding | None:
    try:
        checked = check_file(find_task(name).folder / "task.yaml", None, environment)
    except UsageError as problem:
        return _failed(f"task {name}", problem)
    return _failed(f"task {name}", checked.problems[0]) if checked.problems else None


def _store(path: Path) -> Iterator[Finding]:
    """Whether the record can be read and written, and whether there is room for more."""
    place = path.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK):
        yield Finding("store", "FAIL", f"{place} cannot be written", "name another file with --store FILE")
        return
    if path.is_file():
        yield _opened(path)
    else:
        yield Finding("store", "OK", f"{path} is made by the first run")
    free = shutil.disk_usage(place).free
    if free < LEAST_ROOM:
        yield Finding("disk", "WARN", f"{free >> 20} MiB free; a run waits on a full disk", "free some space")


def _opened(path: Path) -> Finding:
    try:
        store = SqliteStore.open(path, create=False)
        runs = list(store.runs())
    except UsageError as problem:
        return _failed("store", problem)
    except (StoreError, sqlite3.Error) as failure:
        return Finding("store", "FAIL", f"{path}: {failure}", "see it with: assay runs verify")
    size = path.stat().st_size
    unfinished = sum(run.state != "completed" for run in runs)
    detail = f"{path}: {len(runs)} runs, {size / 1e6:.1f} MB"
    if unfinished:
        detail += f", {unfinished} not completed (assay run --resume)"
    return Finding("store", "OK", detail)


def _choices(folder: Path, catalogue: Catalogue) -> tuple[list[ModelChoice], list[ModelChoice]]:
    """The models to ask: those of the plans that lie here and one emulated, and the others of models.yaml."""
    used = {EMULATED: ModelChoice(EMULATED)}
    for path in sorted(folder.glob("*.y*ml")):
        with suppress(UsageError):  # told where the plan itself is looked at
            if is_plan(str(path)):
                plan = read_plan(path)
                used |= {
                    each.name: each for each in (*plan.models, *plan.cast.values()) if not _emulated(each)
                }
    return list(used.values()), [ModelChoice(name) for name in catalogue.models if name not in used]


def _emulated(choice: ModelChoice) -> bool:
    return choice.asked.startswith("emulated/") and choice.base_url is None


def _unused(finding: Finding) -> Finding:
    """What is said of a model that no plan here names: it stops no run."""
    return structs.replace(finding, status="WARN") if finding.status == "FAIL" else finding


async def _asked(choice: ModelChoice, environment: Environment, catalogue: Catalogue) -> Finding:
    what = choice.name if choice.name != EMULATED else "the emulator"
    try:
        warning = await check_model(choice, environment, catalogue)
        where = resolved_choice(choice, catalogue, catalogue.endpoints).base_url
    except UsageError as problem:
        return _failed(what, problem)
    if warning is not None:
        return Finding(what, "WARN", warning, "a run may still work: try it with --limit 1")
    return Finding(what, "OK", "answers" + (f" at {where}" if where else ""))

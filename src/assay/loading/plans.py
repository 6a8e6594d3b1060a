"""Plan files: a plan.yaml with a run's whole configuration; paths in it are relative to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import convert, structs, to_builtins

from assay.errors import UsageError
from assay.keys import JSON, SEED_MASK
from assay.loading import files
from assay.loading.catalogue import FILE, check_headers, file_beside
from assay.loading.datasets_hub import PREFIX
from assay.loading.defaults import with_defaults
from assay.loading.tasks import find_task, named
from assay.plan import ModelChoice, Plan
from assay.plugins import PREFIX as OWN_PREFIX
from assay.schedule import Closed


def is_plan(name: str) -> bool:
    """Whether a YAML file is a plan rather than a task: it names a task."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} or not path.is_file():
        return False
    value, _ = files.read_yaml(path)
    return isinstance(value, dict) and "task" in value


def read_plan(path: Path) -> Plan:
    """Reads a plan.yaml. Models may be plain names; file names become relative to the plan."""
    value, text = files.read_yaml(path)
    if not isinstance(value, dict):
        raise UsageError(f"{path}: not a plan", fix="begin with task: NAME and models: [NAME]")
    plan = files.convert(_shorthand(value), Plan, path, text)
    check_plan(plan)
    plan = _beside(plan, path.parent)
    if plan.data is not None and Path(plan.data).suffix in {".yaml", ".yml"}:
        return with_defaults(plan, Path(plan.data))
    return plan


def _shorthand(value: dict[str, JSON]) -> dict[str, JSON]:
    """A model or a role's model may be a plain name."""
    value = dict(value)
    if isinstance(value.get("models"), list):
        value["models"] = [{"name": m} if isinstance(m, str) else m for m in value["models"]]
    if isinstance(value.get("cast"), dict):
        value["cast"] = {r: {"name": m} if isinstance(m, str) else m for r, m in value["cast"].items()}
    return value


MOST = SEED_MASK
"""The largest count or seed: JSON's numbers are exact up to it, and so is every store."""


def check_plan(plan: Plan) -> None:
    """Refuses values that types let pass: counts, rates and durations must be positive."""
    positive: dict[str, float | None] = {
        "limit": plan.limit,
        "requests": plan.requests,
        "repeats": plan.repeats,
        "concurrency (schedule.slots)": plan.schedule.slots,
        "rate": None if isinstance(plan.schedule, Closed) else plan.schedule.rate,
        "window.seconds": plan.window.seconds if plan.window is not None else None,
        "budget": float(plan.budget) if plan.budget is not None else None,
        "max_tokens": plan.sampling.max_tokens,
        "code_limit": plan.code_limit,
    }
    not_negative: dict[str, float | None] = {
        "offset": plan.offset,
        "window.warm_up": plan.window.warm_up if plan.window is not None else None,
        "temperature": plan.sampling.temperature,
        "retries": plan.retry.retries if plan.retry is not None else None,
        "max_failed": plan.max_failed,
        "workers": plan.workers,
    }
    for name, given in positive.items():
        if given is not None and given <= 0:
            raise UsageError(f"{name} is {given:g}", fix=f"give a {name} above 0")
    for name, given in not_negative.items():
        if given is not None and given < 0:
            raise UsageError(f"{name} is {given:g}", fix=f"give a {name} of 0 or more")
    for name in ("limit", "requests", "repeats", "offset", "seed"):
        _check_size(name, getattr(plan, name))
    for model in (*plan.models, *plan.cast.values()):
        check_headers(model.headers, model.name)
    for name, endpoint in plan.endpoints.items():
        check_headers(endpoint.headers, name)
    if not plan.models:
        raise UsageError("the plan names no model", fix="add --model PROVIDER/NAME, or models: in the plan")
    names = [model.name for model in plan.models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"the model {twice} is named twice", fix="name each model once")


def _check_size(name: str, number: int | None) -> None:
    if number is not None and abs(number) > MOST:
        raise UsageError(f"{name} is {str(number)[:40]}", fix=f"give a {name} up to 2^53 - 1")


def _beside(plan: Plan, folder: Path) -> Plan:
    """The plan with its own relative file names made relative to the working folder."""
    task = plan.task
    if Path(task).suffix in {".yaml", ".yml"} or "/" in task:
        task = str(folder / task)
    return structs.replace(
        plan,
        task=task,
        data=_data_beside(plan.data, folder),
        models_file=_models_file(plan.models_file, folder),
        world=str(folder / plan.world) if plan.world is not None else None,
        exchange=_prompts_beside(plan.exchange, folder),
        models=tuple(_model_beside(model, folder) for model in plan.models),
        cast={role: _model_beside(model, folder) for role, model in plan.cast.items()},
    )


def _data_beside(data: str | None, folder: Path) -> str | None:
    """A file beside the plan; of a data set's name only a folder that is there."""
    if data is None:
        return None
    if not data.startswith(PREFIX):
        return str(folder / data)
    on_disk = folder / data.removeprefix(PREFIX)
    return f"{PREFIX}{on_disk}" if on_disk.is_dir() else data


def _models_file(named: str | None, folder: Path) -> str | None:
    """The plan's models.yaml: the one that it names, else the one beside it, if there is one."""
    if named is not None:
        return str(folder / named)
    return str(folder / FILE) if (folder / FILE).is_file() else None


def _prompts_beside(exchange: dict[str, JSON], folder: Path) -> dict[str, JSON]:
    """A folder of prompts that a plan names lies beside it; single prompts lie beside the task."""
    prompts = exchange.get("prompts")
    if not isinstance(prompts, dict) or not isinstance(prompts.get("folder"), str):
        return exchange
    return {**exchange, "prompts": {**prompts, "folder": str((folder / prompts["folder"]).absolute())}}


def _model_beside(model: ModelChoice, folder: Path) -> ModelChoice:
    if model.adapter is not None:
        model = structs.replace(model, adapter=str(folder / model.adapter))
    if model.model is not None:
        return structs.replace(model, model=file_beside(model.model, folder))
    return structs.replace(model, name=file_beside(model.name, folder))


def plan_json(plan: Plan) -> JSON:
    """The plan as JSON, as a run keeps it."""
    return to_builtins(plan)


def stored_plan(value: JSON) -> Plan:
    """The plan of a stored run."""
    return convert(value, Plan, strict=False)


JUDGING = ("judge", "pairwise")
"""Scorers that take the judge's seat."""


def with_judge(plan: Plan) -> Plan:
    """The plan with the scorer `judge` behind its own, unless one of them takes that seat (a scorer of
    one's own may): a judge who is named is meant to judge.
    """
    scorers = plan.scorers if plan.scorers is not None else find_task(plan.task).form.scorers
    names = [named(each, "scorer")[0] for each in scorers]
    if any(name in JUDGING or name.startswith(OWN_PREFIX) for name in names):
        return plan
    return structs.replace(plan, scorers=(*scorers, "judge"))


def plan_to_score(plan: Plan, scorers: Sequence[JSON], judge: ModelChoice | None) -> Plan:
    """The plan with other scorers, or another judge. A scorer's bare name has the settings that the
    plan or its task gives it.
    """
    if scorers:
        known = [*(plan.scorers or ()), *find_task(plan.task).form.scorers]
        settled = {name: each for each in reversed(known) if isinstance(each, dict) for name in each}
        chosen = tuple(settled.get(s, s) if isinstance(s, str) else s for s in scorers)
        plan = structs.replace(plan, scorers=chosen)
    if judge is not None:
        plan = structs.replace(plan, cast={**plan.cast, "judge": judge})
    return plan

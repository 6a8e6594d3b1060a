"""Options that several verbs share, and the plan that they make."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import structs

from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Sampling
from assay.plan import ModelChoice, Plan
from assay.schedule import Closed, Constant, Poisson
from assay.seat.retry import Retry

F = TypeVar("F", bound=Callable[..., Any])

STORE = ".assay/assay.db"

POSITIVE = click.FloatRange(min=0, min_open=True)


def _stack(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


store_option = click.option(
    "--store", default=STORE, show_default=True, metavar="FILE", help="The record: an SQLite file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
prompts_option = click.option(
    "--prompts", metavar="DIR", help="Where agent_system.txt, client_system.txt, ... lie."
)
prompt_version_option = click.option(
    "--prompt-version", metavar="LABEL", help="DIR/LABEL before DIR; the label is kept."
)
workers_option = click.option(
    "--workers", type=click.IntRange(min=0), metavar="N", help="Play in N processes; 0: in this one."
)
log_content_option = click.option(
    "--log-content",
    type=click.Choice(["full", "hash", "none"]),
    default="full",
    show_default=True,
    help="What was said, in the log files: the text, its hash, nothing.",
)
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but the result and errors.")


def plan_options(function: F) -> F:
    """The options that fill a plan; each wins over the plan file."""
    return _stack(
        task_options,
        click.option("--concurrency", type=int, metavar="N", help="Trials in play at once.  [default: 64]"),
        click.option("--rate", type=float, metavar="R", help="Arrivals a second instead of a closed loop."),
    )(function)


def task_options(function: F) -> F:
    """The options of a plan but for its schedule."""
    return _stack(
        click.option("--model", "models", multiple=True, metavar="M", help="provider/name; repeat for more."),
        click.option("--models", "model_list", metavar="M,N", help="Several models, by commas."),
        click.option("--base-url", metavar="URL", help="Where the models' server answers (ends in /v1)."),
        click.option("--key-variable", metavar="NAME", help="The variable with the key for --base-url."),
        click.option("--models-file", metavar="FILE", help="Names of models.  [default: models.yaml]"),
        click.option("--cast", "casts", multiple=True, metavar="ROLE=M", help="The model in another seat."),
        click.option("--judge-model", metavar="M", help="A model that judges, beside the task's scorers."),
        click.option(
            "--data", metavar="FILE", help="Cases: JSON Lines or CSV (scenarios for a conversation)."
        ),
        click.option("--split", metavar="NAME", help="train, validation or test."),
        click.option("--limit", type=int, metavar="N", help="Only the first N cases."),
        click.option(
            "--slice", "slices", multiple=True, metavar="TAG=VALUE", help="Only cases with this tag."
        ),
        click.option("--repeats", type=int, metavar="K", help="Play every case K times."),
        click.option(
            "--scorer", "scorers", multiple=True, metavar="NAME", help="Replace the task's scorers."
        ),
        click.option("--seed", type=int, metavar="N", help="The seed of everything that is drawn."),
        click.option("--temperature", type=float, metavar="T"),
        click.option("--max-tokens", type=int, metavar="N"),
        click.option("--retries", type=int, metavar="N", help="Further attempts at a failed call."),
        click.option("--requests-per-minute", type=POSITIVE, metavar="N", help="To one endpoint, at most."),
        click.option("--tokens-per-minute", type=POSITIVE, metavar="N", help="To one endpoint, at most."),
        workers_option,
        click.option("--budget", metavar="USD", help="Stop before this many dollars are passed."),
        click.option(
            "--cache", type=click.Choice(["read", "off"]), help="Take recorded replies of other runs."
        ),
        click.option("--replay", type=click.Choice(["live", "strict"]), help="strict: no live call at all."),
        click.option("--max-failed", type=float, metavar="SHARE", help="Exit 4 above it.  [default: 0.05]"),
    )(function)


def model_choices(given: dict[str, JSON]) -> tuple[ModelChoice, ...]:
    """The models that flags name."""
    names = [*given["models"], *(n.strip() for n in (given["model_list"] or "").split(",") if n.strip())]
    return tuple(model_choice(name, given) for name in names)


def model_choice(name: str, given: dict[str, JSON]) -> ModelChoice:
    return ModelChoice(name, base_url=given["base_url"], key_variable=given["key_variable"])


DIRECT = (
    *("models_file", "data", "split", "limit", "repeats", "seed", "cache", "replay", "max_failed"),
    "workers",
)
"""Flags that fill the plan's field of the same name."""


def flags_over(plan: Plan, given: dict[str, JSON]) -> Plan:
    """The plan with every flag that was given; the rest stays."""
    changes: dict[str, JSON] = {name: given[name] for name in DIRECT if given[name] is not None}
    if given["slices"]:
        changes["slice"] = dict(_pair(text, "--slice", "difficulty=hard") for text in given["slices"])
    if given["scorers"]:
        changes["scorers"] = tuple(given["scorers"])
    if given["retries"] is not None:
        changes["retry"] = structs.replace(plan.retry or Retry(), retries=given["retries"])
    limits = {name: given[name] for name in ("requests_per_minute", "tokens_per_minute")}
    changes["limits"] = structs.replace(
        plan.limits, **{name: limit for name, limit in limits.items() if limit is not None}
    )
    if given["budget"] is not None:
        changes["budget"] = _dollars(given["budget"])
    plan = structs.replace(plan, **changes, cast=_cast(plan, given), models=_models(plan, given))
    sampling = Sampling(temperature=given["temperature"], max_tokens=given["max_tokens"])
    sampled = tuple(structs.replace(each, sampling=sampling.over(each.sampling)) for each in plan.models)
    plan = structs.replace(plan, models=sampled, sampling=sampling.over(plan.sampling))
    return _scheduled(plan, given["concurrency"], given["rate"])


def _models(plan: Plan, given: dict[str, JSON]) -> tuple[ModelChoice, ...]:
    """The models that flags name, else the plan's own, at the address that flags name."""
    if models := model_choices(given):
        return models
    if given["base_url"] is None:
        return plan.models
    # the key of another address must not go to this one
    there = {"base_url": given["base_url"], "key_variable": given["key_variable"], "headers": {}}
    return tuple(structs.replace(model, **there) for model in plan.models)


def _cast(plan: Plan, given: dict[str, JSON]) -> dict[str, ModelChoice]:
    cast = dict(_pair(text, "--cast", "client=emulated/client") for text in given["casts"])
    if given["judge_model"] is not None:
        cast["judge"] = given["judge_model"]
    return {**plan.cast, **{role: model_choice(name, given) for role, name in cast.items()}}


def _scheduled(plan: Plan, slots: int | None, rate: float | None) -> Plan:
    schedule = plan.schedule
    if rate is not None:
        seed = plan.seed
        schedule = Poisson(rate, seed=seed) if isinstance(schedule, Poisson) else Constant(rate)
    if slots is not None:
        schedule = Closed(slots) if isinstance(schedule, Closed) else structs.replace(schedule, slots=slots)
    return structs.replace(plan, schedule=schedule)


def _pair(text: str, flag: str, example: str) -> tuple[str, str]:
    """NAME=VALUE of a flag."""
    name, mark, value = text.partition("=")
    if not mark or not name or not value:
        raise UsageError(f"{flag} {text}: not NAME=VALUE", fix=f"write {flag} {example}")
    return name, value


def _dollars(text: str) -> Decimal:
    try:
        return msgspec.convert(text.lstrip("$"), Decimal, strict=False)
    except msgspec.ValidationError:
        raise UsageError(f"--budget {text}: not an amount", fix="write --budget 1.50") from None


def plan_of(target: str, given: dict[str, JSON]) -> Plan:
    """The plan of what a verb was given: a plan file, or a task's name or path; flags win."""
    from assay.loading.plans import check_plan, is_plan, read_plan, with_judge

    plan = read_plan(Path(target)) if is_plan(target) else Plan(task=target, models=())
    plan = flags_over(plan, given)
    if given["judge_model"] is not None:
        plan = with_judge(plan)
    check_plan(plan)
    return plan

"""`assay simulate`: plays simulated customers against an agent."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from msgspec import structs

from assay.cli.options import (
    json_option,
    log_content_option,
    prompt_version_option,
    prompts_option,
    quiet_option,
    store_option,
    workers_option,
)
from assay.errors import UsageError
from assay.keys import JSON
from assay.loading.environment import Environment
from assay.plan import ModelChoice, Plan
from assay.ports import Run, Where
from assay.schedule import Closed
from assay.seat.retry import Retry

JUDGE = "judge"
RULES_ALONE = ("state", "policy", "says")
"""The scorers that need no model."""
SETTINGS = {"MAX_TURNS": "max_turns", "TIMEOUT_SEC": "timeout_s"}
"""Environment variables that set a limit of the conversation."""
IN_SECONDS = frozenset({"TIMEOUT_SEC"})


@click.command("simulate")
@click.argument("file", required=False)
@click.option("--task", default="phone_orders", show_default=True, help="The task whose world is played in.")
@click.option("--agent", "agents", multiple=True, metavar="M", help="The agent under test; repeat for more.")
@click.option("--client", metavar="M|rules", help="The customer: a model, or rules (needs no model).")
@click.option("--evaluator", metavar="M", help="The model that judges; none to judge by the state alone.")
@prompts_option
@prompt_version_option
@click.option("--allow-unknown", is_flag=True, help="Unknown keys of scenarios are warnings.")
@click.option("--base-url", metavar="URL", help="Where the models' server answers (ends in /v1).")
@click.option("--output-dir", metavar="DIR", help="Write results there as NDJSON, CSV and JSON.")
@click.option("--single", type=int, metavar="INDEX", help="Play one scenario and show it as it is spoken.")
@click.option("--no-stream", is_flag=True, help="With --single: show nothing until it has ended.")
@click.option("--repeats", type=int, default=1, show_default=True, metavar="K")
@click.option("--concurrency", type=int, metavar="N", help="Conversations at once.  [default: 64]")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N")
@click.option("--retries", type=int, metavar="N", help="Further attempts at a failed call.")
@workers_option
@click.option("--log-dir", metavar="DIR", help="Write log files there.")
@log_content_option
@store_option
@json_option
@quiet_option
def command(file: str | None, **given: JSON) -> None:
    r"""Play the scenarios of FILE (default: the task's own) against an agent.

    \b
    assay simulate --agent emulated/agent --client rules --evaluator none
    assay simulate scenarios.json --agent openai/gpt-4o-mini --output-dir results
    assay simulate scenarios.json --single 0
    """
    from assay.cli.playing import play
    from assay.loading.environment import read_environment

    plan = plan_of_speakers(file, given, read_environment())
    if given["output_dir"] is not None:
        from assay.store.forms import made_folder

        made_folder(Path(given["output_dir"]))  # before anything is paid for
    single = given["single"]
    watchers = []
    if single is not None:
        plan = structs.replace(plan, limit=1, offset=_index(single), requests=len(plan.models))
        if not given["as_json"]:
            from assay.cli.speech import Speech

            watchers.append(Speech(live=not given["no_stream"]))
    result, code = play(
        plan,
        store=given["store"],
        as_json=given["as_json"],
        quiet=given["quiet"],
        shown=single is None,
        log_folder=given["log_dir"],
        log_content=given["log_content"],
        watchers=watchers,
    )
    if given["output_dir"] is not None:
        _write(result.run, result.store, Path(given["output_dir"]), quiet=given["quiet"])
    sys.exit(code)


def _index(single: int) -> int:
    if single < 0:
        raise UsageError(f"--single {single}: no such scenario", fix="the first one is --single 0")
    return single


def plan_of_speakers(file: str | None, given: dict[str, JSON], environment: Environment) -> Plan:
    """The plan of the flags and, where they are silent, of the environment."""
    limits = {key: _number(environment.get(name), name) for name, key in SETTINGS.items()}
    model = f"openai/{environment.get('OPENAI_MODEL', 'gpt-4o-mini')}"
    slots = given["concurrency"]
    if slots is None:
        slots = int(_number(environment.get("CONCURRENCY"), "CONCURRENCY") or 64)
    return _plan(file, given, model, slots, {k: v for k, v in limits.items() if v is not None})


def _number(text: str | None, name: str) -> float | None:
    """A variable's value as a number above 0: of seconds any, else a whole one."""
    if text is None:
        return None
    whole = name not in IN_SECONDS
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf") or (whole and not number.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"{name}={text}: not {kind} above 0", fix=f"set {name} to one, or leave it out")
    return number


def _plan(file: str | None, given: dict[str, JSON], model: str, slots: int, limits: dict[str, float]) -> Plan:
    """The plan of the flags, over the file's defaults; `model` stands where neither names another."""
    from assay.loading.defaults import with_defaults

    def choice(name: str) -> ModelChoice:
        return ModelChoice(name, base_url=given["base_url"])

    evaluator, client = given["evaluator"], given["client"]
    judged = evaluator != "none"
    exchange: dict[str, JSON] = {}
    if client is not None:
        exchange["client"] = "rules" if client == "rules" else "llm"
    if given["prompts"] is not None:
        exchange["prompts"] = {"folder": str(Path(given["prompts"]).absolute())}
    named = {"client": client if client != "rules" else None, JUDGE: evaluator if judged else None}
    plan = Plan(
        task=given["task"],
        data=file,
        models=tuple(choice(name) for name in given["agents"]),
        cast={role: choice(name) for role, name in named.items() if name is not None},
        exchange=exchange,
        prompt_version=given["prompt_version"],
        allow_unknown=given.get("allow_unknown", False),
        scorers=None if judged else RULES_ALONE,
        repeats=given["repeats"],
        seed=given["seed"],
        schedule=Closed(slots),
        retry=Retry(retries=given["retries"]) if given["retries"] is not None else None,
        workers=given["workers"] or 0,
    )
    if file is not None:
        plan = with_defaults(plan, Path(file))
    return _seated(plan, choice(model), limits, judged=judged)


def _seated(plan: Plan, model: ModelChoice, limits: dict[str, float], *, judged: bool) -> Plan:
    """The plan with `model` in every seat that is still empty, and the environment's limits under its own."""
    cast = dict(plan.cast)
    if plan.exchange.get("client", "llm") == "llm":
        cast.setdefault("client", model)
    if judged:
        cast.setdefault(JUDGE, model)
    whole = {key: int(value) if key == "max_turns" else value for key, value in limits.items()}
    exchange = dict(plan.exchange)
    if whole:
        exchange["limits"] = {**whole, **exchange.get("limits", {})}
    return structs.replace(plan, models=plan.models or (model,), cast=cast, exchange=exchange)


def _write(run: Run, store: Path, folder: Path, *, quiet: bool) -> None:
    """The results and what they come to, in files named as the classic command names them."""
    from assay.reports.result_files import ResultFiles, conversation_figures
    from assay.store.figures import ended
    from assay.store.results import stamp_of
    from assay.store.sqlite import SqliteStore

    record = SqliteStore.open(store, create=False)
    files = ResultFiles(folder, run.id, stamp_of(time.time_ns()))
    files.write(lambda: record.trials(Where(run=run.id)), run.plan.get("prompt_version"))
    scenarios = len({each.case for each in ended(store, run.id)})
    files.summarise(conversation_figures(store, run.id, run.id, scenarios))
    if not quiet:
        for path in (*files.paths, files.summary):
            click.echo(f"wrote {path}")

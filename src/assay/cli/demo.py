"""`assay demo`: a first run of each kind on emulated models; it needs no key and no network."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from assay.cli.options import STORE as DEFAULT_STORE
from assay.cli.options import store_option

if TYPE_CHECKING:  # --help needs no plan
    from assay.plan import Plan
    from assay.ports import Run

BETTER, WORSE = "emulated/skill-0.95", "emulated/skill-0.8"
"""Two models whose truth is known: the share that each answers right."""

STEPS = (
    "1 of 3   which model extracts JSON better? Two emulated models, 95 % and 80 % right by design",
    "2 of 3   can an agent sell by telephone? Simulated customers, tools, and a judge",
    "3 of 3   what does an endpoint still answer correctly at 40 requests a second? Three seconds of it",
)


@click.command("demo")
@store_option
def command(*, store: str) -> None:
    """Play an evaluation, simulated conversations and a load run: no key, no network, under 20 s."""
    from assay.cli import bench

    evaluated = _played(STEPS[0], evaluation(), store)
    talked = _played(STEPS[1], simulation(), store)
    _show_one(store, talked)
    _heading(STEPS[2])
    points, code = bench.run_points([load()], store=store, quiet=False)
    bench.show_points(points)
    if code:
        sys.exit(code)
    click.echo(ending(evaluated, talked, store))


def _played(title: str, plan: Plan, store: str) -> Run:
    """Plays a plan and shows its figures; whatever goes wrong ends the demo with its exit code."""
    from assay.cli import outcome
    from assay.cli.playing import comparisons, play
    from assay.watchers.progress import PlainProgress

    _heading(title)
    result, code = play(plan, store=store, shown=False, watchers=(PlainProgress(sys.stderr),))
    outcome.show(result.run, result.summary, comparisons(result))
    if code:
        sys.exit(code)
    return result.run


def _heading(title: str) -> None:
    click.echo("\n" + click.style(title, bold=True))


def evaluation() -> Plan:
    """Two models on the test cases of a built-in task."""
    from assay.plan import Emulation, ModelChoice, Plan
    from assay.schedule import Closed

    return Plan(
        task="json_extraction",
        models=(ModelChoice(WORSE), ModelChoice(BETTER)),
        schedule=Closed(16),
        stream=True,
        emulator=Emulation(ttft_ms=40, itl_ms=2, spread=0.4),
    )


def simulation() -> Plan:
    """An agent that fails at times, rule-following customers and a judge."""
    from assay.plan import Emulation, ModelChoice, Plan
    from assay.schedule import Closed

    return Plan(
        task="phone_orders",
        models=(ModelChoice("emulated/agent-0.8"),),
        cast={"client": ModelChoice("emulated/client"), "judge": ModelChoice("emulated/judge")},
        seed=7,
        schedule=Closed(8),
        emulator=Emulation(ttft_ms=10, spread=0.4),
    )


def load() -> Plan:
    """A few seconds of independent arrivals."""
    from assay.plan import Emulation, ModelChoice, Plan, Window
    from assay.schedule import Poisson

    return Plan(
        task="arithmetic",
        models=(ModelChoice("emulated/skill-0.9"),),
        schedule=Poisson(40.0, seed=1),
        window=Window(3.0, 0.5),
        stream=True,
        emulator=Emulation(ttft_ms=50, itl_ms=4, spread=0.3),
    )


def _show_one(store: str, run: Run) -> None:
    """The shortest of the conversations, as `assay show` shows it, without the prompts."""
    from msgspec import structs

    from assay.cli.stored import opened
    from assay.cli.transcript import end_line, event_lines, score_lines, state_lines
    from assay.ports import Where
    from assay.trial import EventKind

    trials = opened(store).trials(Where(run=run.id))
    trial = min(trials, key=lambda each: (len(each.transcript.events), each.key))
    events = tuple(e for e in trial.transcript.events if e.kind is not EventKind.PROMPT)
    spoken = structs.replace(trial, transcript=structs.replace(trial.transcript, events=events))
    click.echo(f"\none of them: assay show {run.id}/{trial.key[:8]}")
    for line in (*event_lines(spoken), end_line(trial), *state_lines(trial), *score_lines(trial.scores)):
        click.echo(line)


def ending(evaluated: Run, talked: Run, store: str) -> str:
    """Where the results lie, and what to type next for a real model."""
    flag = "" if store == DEFAULT_STORE else f" --store {shlex.quote(store)}"
    return f"""
everything is in {store}
  assay runs list{flag}
  assay compare {evaluated.id}{flag}
  assay show {talked.id}/1{flag}

the same with a real model:
  OpenAI       export OPENAI_API_KEY=...
               assay run json_extraction --model openai/gpt-4o-mini --limit 20
  Ollama       ollama pull llama3.2:1b
               assay run json_extraction --model ollama/llama3.2:1b --limit 20
  any server   assay run json_extraction --model openai-compatible/MODEL --limit 20 \\
                 --base-url http://HOST:PORT/v1"""

"""Conversations as a person reads them: what a run's came to, and the figures of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from assay.cli import looks
from assay.ports import Run, Where
from assay.reports.conversations import Conversations, conversations
from assay.reports.summary import Summary
from assay.reports.talks import RoleUse, Talk
from assay.stats.repeats import Passes

if TYPE_CHECKING:
    from assay.store.sqlite import SqliteStore

LEVELS = {
    "D1": "D1, the same results again",
    "D2": "D2, the recorded replies",
    "D3": "D3, live models promise no repetition",
}


def talked(record: SqliteStore, run: Run, summary: Summary) -> tuple[Conversations, ...]:
    """The conversations of a run; its trials are read for them only where an agent was called."""
    if not any("agent" in model.roles for model in summary.models):
        return ()
    return conversations(record.trials(Where(run=run.id)), run)


def talk_lines(groups: Sequence[Conversations]) -> list[str]:
    """The section of a run: a block a model."""
    lines = []
    for group in groups:
        head = f"conversations of {looks.model(group.model)}"
        lines += ["", click.style(head, bold=True) + f"   {LEVELS[group.level]}"]
        lines += [f"  {name:<12} {text}" for name, text in _facts(group) if text]
    return [*lines, ""] if lines else []


def _facts(group: Conversations) -> list[tuple[str, str]]:
    judged = "; ".join(f"state {row}: {_counted(grades, 'grade ')}" for row, grades in group.judge.items())
    seconds = [
        f"{name} {looks.p50_p95(times)}"
        for name, times in (("all", group.turn_latency), ("dead air", group.dead_air))
        if times is not None
    ]
    return [
        ("success", f"{looks.figure(group.success)} of {group.success.trials}" + _valid_only(group)),
        ("pass^k", _passes(group.pass_hat)),
        ("pass@k", _passes(group.pass_at)),
        ("judge", judged + (f"; {group.unjudged} without a grade" if group.judge and group.unjudged else "")),
        ("validity", _counted(group.validity)),
        ("client", _counted(group.faults) + (f"; {group.reruns} reruns" if group.reruns else "")),
        ("policy", _counted(group.breaches)),
        ("ends", _counted(group.ends)),
        ("a call", _sizes(group)),
        ("agent turn", ", ".join(seconds) + (" (p50 / p95)" if seconds else "")),
        *((f"{role}", used(use)) for role, use in group.roles.items()),
        ("effects", _effects(group)),
        ("replayed", f"{group.diverged} diverged from the record" if group.diverged else ""),
    ]


def _valid_only(group: Conversations) -> str:
    if group.valid_only.trials == group.success.trials:
        return ""
    return f"; valid only {looks.figure(group.valid_only)} of {group.valid_only.trials}"


def _passes(passes: Sequence[Passes]) -> str:
    if len(passes) < 2:
        return ""
    known = [(each.k, each.estimate) for each in passes if each.estimate is not None]
    return ", ".join(f"{k}: {estimate.value:.3f}" for k, estimate in known)


def _counted(counts: Mapping[str, int], before: str = "") -> str:
    return ", ".join(f"{before}{looks.short(name, 40)} {number}" for name, number in counts.items())


def _sizes(group: Conversations) -> str:
    if group.turns is None:
        return ""
    per = group.trials or 1
    parts = [f"{group.turns:.1f} lines", f"{group.tool_calls / per:.1f} tool calls"]
    parts += [f"{group.tool_errors} tool errors"] if group.tool_errors else []
    parts += injected(group)
    parts += [f"{group.redundant_reads} reads again"] if group.redundant_reads else []
    return ", ".join(parts)


def injected(figures: Talk | Conversations) -> list[str]:
    """The faults that were injected into tools, and how many answers that they kept away were got over."""
    if not figures.tool_faults:
        return []
    over = (
        f", {figures.recovered} of {figures.lost_answers} lost answers got over"
        if figures.lost_answers
        else ""
    )
    return [f"{figures.tool_faults} tool faults injected{over}"]


def used(use: RoleUse) -> str:
    """What a role used: calls, tokens, cost."""
    parts = [f"{use.calls} calls", f"{looks.count(use.input)} / {looks.count(use.output)} tokens"]
    parts += [f"{use.retries} retries"] if use.retries else []
    parts.append(looks.dollars(use.cost_usd))
    parts += ["takes no seed"] if use.seed_supported is False else []
    return ", ".join(parts)


def _effects(group: Conversations) -> str:
    shown = [
        f"{looks.short(each.factor, 20)}={looks.short(each.value, 20)} {each.difference:+.2f}"
        for each in group.effects
        if each.difference
    ]
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return " · ".join(shown[:8]) + more


def talk_line(talk: Talk) -> str:
    """One conversation's figures, below its end."""
    parts: list[str] = [talk.validity]
    parts += [f"client: {_counted(talk.faults)}"] if talk.faults else []
    parts += [f"{talk.tool_calls} tool calls"] if talk.tool_calls else []
    parts += [f"{talk.tool_errors} tool errors"] if talk.tool_errors else []
    parts += injected(talk)
    parts += [f"{talk.redundant_reads} reads again"] if talk.redundant_reads else []
    parts += [f"attempt {talk.attempt}"] if talk.attempt > 1 else []
    parts += [f"diverged at line {talk.diverged}"] if talk.diverged is not None else []
    air = [turn.dead_air for turn in talk.agent_turns]
    parts += [f"longest silence {looks.seconds(max(air))}"] if air else []
    return click.style("talk: ", bold=True) + ", ".join(parts)

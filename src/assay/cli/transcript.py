"""A trial as a person reads it in the terminal: what was said, called, discarded and scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import click
import msgspec

from assay.cli import looks
from assay.keys import JSON
from assay.message import Message, ToolCall
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Trial

ROLE_ROOM = 10
MOST_LINES = 12
MOST_ROOM = 110
FULL = 1_000_000

COLOURS = {
    "agent": "cyan",
    "candidate": "cyan",
    "client": "magenta",
    "system": "bright_black",
    "user": "magenta",
    "tool": "blue",
    "judge": "yellow",
}
"""A role has its word and its colour; the word alone is enough."""


def rendered(trial: Trial, *, full: bool = False) -> str:
    """The whole trial; long texts are cut unless `full`. Nothing in it can steer the terminal."""
    parts = [head(trial), *event_lines(trial, full=full), "", end_line(trial), *talk_of_lines(trial)]
    parts += state_lines(trial)
    parts += wanted_lines(trial, full=full)
    parts += ["", *score_lines(trial.scores, full=full)] if trial.scores else []
    parts += ["", *call_lines(trial)] if trial.calls else []
    return "\n".join(parts)


def head(trial: Trial) -> str:
    """Which trial it is and how it ended."""
    colour = {Status.SCORED: "green", Status.FAILED: "red", Status.INVALID: "red"}.get(trial.status, "yellow")
    status = click.style(trial.status.value, fg=colour, bold=True)
    detail = f" ({looks.short(trial.detail)})" if trial.detail else ""
    tags = " · ".join(looks.short(f"{k}={v}", 40) for k, v in list(trial.case.tags.items())[:8])
    phase = "" if trial.phase == "window" else f" · {trial.phase}"
    played = " · ".join(
        [looks.model(trial.model), f"repeat {trial.repeat}", f"seed {trial.seed}", looks.when(trial.wall)]
    )
    lines = [
        f"{trial.run} / {trial.key[:12]}   {status}{detail}{phase}",
        f"case {looks.short(trial.case.name, 60)} ({trial.case.id}) · {played}",
    ]
    return "\n".join([*lines, tags, ""] if tags else [*lines, ""])


def event_lines(trial: Trial, *, full: bool = False) -> Iterator[str]:
    """Every event; a tool call and its result are one line."""
    calls = {call.id: call for call in trial.calls}
    results = _results(trial)
    written = _written(trial)
    shown: set[str] = set()
    for event in trial.transcript.events:
        message = event.message
        if event.kind is EventKind.TOOL_RESULT:
            name = message.tool_call_id if message is not None else None
            if name in shown:
                continue
        yield from _event(event, calls, results, written, full=full)
        if message is not None:
            shown.update(call.id for call in message.tool_calls if call.id in results)


def _event(
    event: Event,
    calls: Mapping[str, Call],
    results: Mapping[str, Message],
    written: Mapping[str, str],
    *,
    full: bool,
) -> Iterator[str]:
    message = event.message
    if event.kind is EventKind.EFFECT:
        yield from spoken("effect", looks.short(_json(event.data), 400), full=full, dim=True)
        return
    if message is None:
        return
    if event.kind is EventKind.DISCARDED or not event.delivered:
        yield from spoken(event.role, discarded_text(event), full=full, dim=True)
        return
    if event.kind is EventKind.TOOL_RESULT:
        yield from spoken("tool", message.text, full=full)
        return
    role = message.role if event.kind is EventKind.PROMPT else event.role
    if message.text or not message.tool_calls:
        pace = took(calls.get(event.call or ""))
        yield from spoken(role, message.text or "(nothing)", full=full, right=pace, dim=role == "system")
    for call in message.tool_calls:
        result = results.get(call.id)
        yield from tool_line(
            call, result.text if result is not None else None, written.get(call.id), full=full
        )


def discarded_text(event: Event) -> str:
    """A line that never reached the other side, with the reason why."""
    fault = event.data.get("fault") if isinstance(event.data, dict) else None
    note = f"discarded ({looks.short(str(fault), 40)})" if fault else "discarded"
    return f"{note}: {event.message.text if event.message is not None else ''}"


def tool_line(call: ToolCall, came: str | None, wrote: str | None, *, full: bool = False) -> list[str]:
    """A tool call on one line: what went in, what came, which tables it wrote."""
    effect = f"   {wrote}" if wrote else ""
    room = FULL if full else _room() - looks.width(effect)
    text = f"{call.name}({call.arguments})" + ("" if came is None else f" -> {came}")
    return spoken("  tool", looks.short(text, room) + effect, full=full)


def wrote_tables(tables: Iterable[str]) -> str:
    """Which tables a tool call wrote, in words."""
    return "wrote " + looks.short(", ".join(tables), 60)


def spoken(role: str, text: str, *, full: bool = False, right: str = "", dim: bool = False) -> list[str]:
    """A role in its column, the text folded beside it, a time at the right of its first line."""
    room = _room()
    lines = looks.folded(text, room, FULL if full else MOST_LINES)
    shown = []
    for number, line in enumerate(lines):
        word = f"{role if not number else '':<{ROLE_ROOM}}"
        gap = " " * (room - looks.width(line))
        if number and not line:
            shown.append("")
            continue
        end = f"{gap} {right:>8}" if right and not number else ""
        if dim:
            shown.append(click.style((word + line + end).rstrip(), dim=True))
        else:
            shown.append((click.style(word, fg=COLOURS.get(role.strip())) + line + end).rstrip())
    return shown


def _room() -> int:
    """Columns for what is said, beside its role and its time."""
    return max(30, min(looks.columns(), MOST_ROOM) - ROLE_ROOM - 9)


def _results(trial: Trial) -> dict[str, Message]:
    """Tool results by the call that they answer."""
    messages = (e.message for e in trial.transcript.events if e.kind is EventKind.TOOL_RESULT)
    return {m.tool_call_id: m for m in messages if m is not None and m.tool_call_id is not None}


def _written(trial: Trial) -> dict[str, str]:
    """The tables that each tool call wrote, and the fault that struck it, by its id."""
    state = trial.transcript.state
    journal = state.get("journal") if isinstance(state, dict) else None
    tables: dict[str, dict[str, None]] = {}
    for write in journal if isinstance(journal, list) else ():
        if isinstance(write, dict):
            tables.setdefault(str(write.get("tool_call_id")), {})[str(write.get("table"))] = None
    found = {call: wrote_tables(names) for call, names in tables.items()}
    for event in trial.transcript.events:
        struck = injected(event)
        if struck is not None and event.message is not None and event.message.tool_call_id is not None:
            call = event.message.tool_call_id
            found[call] = f"{found[call]}, {struck}" if call in found else struck
    return found


def injected(event: Event) -> str | None:
    """The fault that was made to strike a tool call, in words."""
    kind = event.data.get("injected") if isinstance(event.data, dict) else None
    return f"injected: {looks.short(str(kind), 40)}" if kind else None


def end_line(trial: Trial) -> str:
    """How the play ended, how long it was and what it cost."""
    outcome: Outcome = trial.transcript.outcome
    lines = sum(e.kind is EventKind.SAID and e.delivered for e in trial.transcript.events)
    costs = [call.cost for call in trial.calls if call.origin == "live" and call.cost is not None]
    parts = [
        outcome.reason + (f" ({outcome.error})" if outcome.error is not None else ""),
        f"{lines} line{'s' * (lines != 1)}",
        looks.seconds(trial.ended - trial.started),
    ]
    if costs:
        parts.append(looks.dollars(sum(costs, costs[0] * 0)))
    detail = f"\n     {looks.short(outcome.detail, 300)}" if outcome.detail else ""
    return click.style("end: ", bold=True) + ", ".join(parts) + detail


def talk_of_lines(trial: Trial) -> list[str]:
    """A conversation's own figures; nothing for any other trial."""
    from assay.cli.talks import talk_line
    from assay.reports.talks import talk_of

    talk = talk_of(trial)
    return [] if talk is None else [talk_line(talk)]


def state_lines(trial: Trial) -> list[str]:
    """What a world looks like after the play, a line a changed record."""
    state = trial.transcript.state
    if not isinstance(state, dict):
        return []
    readable = state.get("readable")
    changes = [str(line) for line in readable] if isinstance(readable, list) else []
    if not changes and not state.get("difference"):
        return ["state: nothing changed"]
    shown = changes or [_json(state.get("difference"))]
    lines = [f"state: {looks.short(line, 200)}" for line in shown[:20]]
    return [*lines, f"state: {len(shown) - 20} more"] if len(shown) > 20 else lines


def wanted_lines(trial: Trial, *, full: bool = False) -> list[str]:
    """What the case says a good answer is."""
    target = trial.case.target
    if target is None:
        return []
    text = target if isinstance(target, str) else _json(target)
    return [click.style("wanted: ", bold=True) + line for line in _first(text, full=full)]


def _first(text: str, *, full: bool) -> list[str]:
    first, *rest = looks.folded(text, 92, FULL if full else 4)
    return [first + "".join(f"\n        {line}" for line in rest)]


def score_lines(scores: tuple[Score, ...], *, full: bool = False) -> list[str]:
    """Each score with its reason, or why there is none."""
    lines = []
    names = [looks.short(score.name, 24) for score in scores]
    room = max(map(len, names), default=0)
    for name, score in zip(names, scores, strict=True):
        value = _value(score)
        reason = looks.folded(score.reason, 90, FULL if full else 4) if score.reason else [""]
        lines.append(
            f"{click.style(name, bold=True)}{' ' * (room - len(name))}  {value:<6}  {reason[0]}".rstrip()
        )
        lines += [" " * (room + 10) + line for line in reason[1:]]
    return lines


def _value(score: Score) -> str:
    if score.unscored is not None:
        return f"unscored ({looks.short(score.unscored, 40)})"
    if isinstance(score.value, bool):
        return "1" if score.value else "0"
    return looks.short(f"{score.value:.4g}" if isinstance(score.value, float) else str(score.value), 40)


def call_lines(trial: Trial) -> list[str]:
    """The attempts with their times, tokens and cost."""
    rows = [_call_row(call) for call in trial.calls[:200]]
    head = ["call", "model", "state", "TTFT", "latency", "tokens in/out", "cost"]
    lines = [looks.fitted(head, rows, left=1)]
    if len(trial.calls) > 200:
        lines.append(f"{len(trial.calls) - 200} more calls")
    return lines


def _call_row(call: Call) -> list[str]:
    usage = call.reply.usage
    if call.state is CallState.FAILED:
        detail = looks.short(call.detail, 40)
        state = f"failed: {call.error}" + (f" ({detail})" if detail else "")
    else:
        state = "in flight at a kill" if call.state is CallState.RESERVED else call.origin
    streamed = call.request.stream
    return [
        call.id,
        looks.model(call.model),
        state,
        looks.seconds(call.ttft) if streamed else "-",
        looks.seconds(call.latency),
        f"{usage.input} / {usage.output}" if usage is not None else "-",
        looks.dollars(call.cost),
    ]


def took(call: Call | None) -> str:
    """How long a call took, for the margin."""
    return looks.seconds(call.latency) if call is not None and call.latency is not None else ""


def _json(value: JSON) -> str:
    return msgspec.json.encode(value).decode()

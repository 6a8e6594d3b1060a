"""What a judge is shown of a trial: brief, lines, tool calls and results in place, state, end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from msgspec import to_builtins

from assay.keys import JSON
from assay.trial import Event, EventKind, Trial

MAX_TEXT = 20_000
"""Characters of one line, fact or tool result that are shown; the middle of a longer one is cut."""
MAX_ENTRIES = 400
"""Entries of a transcript that are shown; the middle of a longer one is left out."""


class Room:
    """The room that a judge is given: cuts what is too long, and remembers whether it did."""

    def __init__(self) -> None:
        self.cut = False

    def text(self, text: str) -> str:
        if len(text) <= MAX_TEXT:
            return text
        self.cut = True
        half = MAX_TEXT // 2
        return f"{text[:half]} [{len(text) - 2 * half} characters cut] {text[-half:]}"

    def value(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return self.text(value)
        whole = json.dumps(value, ensure_ascii=False)
        return value if len(whole) <= MAX_TEXT else self.text(whole)

    def entries(self, entries: list[JSON]) -> list[JSON]:
        if len(entries) <= MAX_ENTRIES:
            return entries
        self.cut = True
        half = MAX_ENTRIES // 2
        return [*entries[:half], {"left_out": len(entries) - 2 * half}, *entries[-half:]]


def has_line(trial: Trial) -> bool:
    """Whether the seat under test said or did anything: a final reply, or a delivered line."""
    final = trial.transcript.final
    if final is not None and (final.text.strip() or final.tool_calls):
        return True
    tested = _tested(trial)
    return any(
        event.role == tested and event.message is not None and bool(event.message.text.strip())
        for event in _said(trial)
    )


def evidence(trial: Trial, *, reference: bool = False) -> tuple[dict[str, JSON], bool]:
    """The data for the judge, and whether anything in it was cut.

    Keys: `prompt` (what a single reply answers) or `brief` (the case's facts) with `input`,
    `reference` (the target) where wanted, `transcript`, `state`, `end_reason`. Spoken lines are
    numbered by `turn`, from 1.
    """
    bound, case = Room(), trial.case
    data: dict[str, JSON] = {}
    if case.facts:
        data["brief"] = {name: bound.value(value) for name, value in case.facts.items()}
    alone = len({event.role for event in _said(trial)}) <= 1
    prompt = [e.message for e in trial.transcript.events if e.kind is EventKind.PROMPT and e.message]
    if alone and prompt:
        data["prompt"] = [{"role": m.role, "text": bound.text(m.text)} for m in prompt]
    elif case.input:
        data["input"] = bound.value(to_builtins(case.input))
    if reference:
        data["reference"] = bound.value(case.target)
    data["transcript"] = bound.entries(list(_entries(trial, bound)))
    if trial.transcript.state is not None:
        data["state"] = bound.value(_differences(trial.transcript.state))
    data["end_reason"] = trial.transcript.outcome.reason
    return data, bound.cut


def _tested(trial: Trial) -> str | None:
    """The role under test: whose call the final reply is, else the first that said anything."""
    final = trial.transcript.final
    if final is not None and final.call is not None:
        return final.call.partition(".")[0]
    roles = [event.role for event in _said(trial)]
    return "agent" if "agent" in roles else next(iter(roles), None)


def _said(trial: Trial) -> Iterator[Event]:
    return (e for e in trial.transcript.events if e.kind is EventKind.SAID and e.delivered)


def _entries(trial: Trial, bound: Room) -> Iterator[JSON]:
    turn = 0
    events = [e for e in trial.transcript.events if e.delivered and e.kind is not EventKind.PROMPT]
    told_apart = any(event.kind is EventKind.TOOL_CALL for event in events)
    for event in events:
        message = event.message
        if event.kind is EventKind.SAID and message is not None:
            if message.text:
                turn += 1
                yield {"turn": turn, "role": event.role, "text": bound.text(message.text)}
            if not told_apart:
                yield from _calls(event, bound)
        elif event.kind is EventKind.TOOL_CALL:
            yield from _calls(event, bound)
        elif event.kind is EventKind.TOOL_RESULT:
            result = event.data if event.data is not None else message.text if message else None
            yield {"role": event.role, "tool_result": bound.value(result)}
    final = trial.transcript.final
    if not turn and final is not None and final.text:
        yield {"turn": 1, "role": "assistant", "text": bound.text(final.text)}


def _calls(event: Event, bound: Room) -> Iterator[JSON]:
    if event.message is None or not event.message.tool_calls:
        if event.data is not None:
            yield {"role": event.role, "tool_call": bound.value(event.data)}
        return
    for call in event.message.tool_calls:
        asked = {"name": bound.text(call.name), "arguments": bound.text(call.arguments)}
        yield {"role": event.role, "tool_call": asked}


def _differences(state: JSON) -> JSON:
    """The difference of a world's state, without the journal that led to it."""
    return state["difference"] if isinstance(state, dict) and "difference" in state else state


_SUSPICIOUS = {
    "verdict-like JSON": re.compile(r"[\"'](?:score|scores|grade|verdict)[\"']\s*:", re.IGNORECASE),
    "a grade": re.compile(r"(?<!\w)(?:score|grade|оценк[ау]|балл\w?)\W{0,5}\d", re.IGNORECASE),
    "an instruction": re.compile(
        r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:rubric|instructions?|above|previous|rules)\b"
        r"|(?:игнорируй|забудь).{0,40}(?:инструкц|правил|рубрик)",
        re.IGNORECASE | re.DOTALL,
    ),
    "a closing mark": re.compile(r"[<＜‹][/／∕]\s*\w|</?data", re.IGNORECASE),
    "a judge addressed": re.compile(r"\b(?:judge|evaluator|grader)\b|судь[яюе]\b|оценщик", re.IGNORECASE),
}


def suspicions(trial: Trial) -> list[str]:
    """What in a trial's lines looks like an attempt on the judge: to be looked at by a person."""
    texts = [event.message.text for event in trial.transcript.events if _by_a_party(event) and event.message]
    if trial.transcript.final is not None:
        texts.append(trial.transcript.final.text)
    parts = [part for text in texts for part in (text[:MAX_TEXT], text[MAX_TEXT:][-MAX_TEXT:])]
    return [name for name, pattern in _SUSPICIOUS.items() if any(map(pattern.search, parts))]


def _by_a_party(event: Event) -> bool:
    return event.delivered and event.kind is not EventKind.PROMPT

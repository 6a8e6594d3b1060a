"""Trials on a page: what was said, called, discarded and scored. Every text is bounded and escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from assay.keys import JSON
from assay.message import Message
from assay.reports import wording
from assay.reports.charts import colour
from assay.reports.html_elements import Child, Html, joined, tag
from assay.reports.page import Entry, Page, Shown
from assay.trial import Call, CallState, Event, EventKind, Score, Status, Trial

TEXT_ROOM = 2_000
"""Characters of one text."""

SYSTEM_ROOM = 600
LINE_ROOM = 300
MOST_EVENTS = 80
MOST_SCORES = 20
MOST_CALLS = 10

KINDS = frozenset({"agent", "assistant", "candidate", "client", "user", "tool", "system", "gone", "quiet"})
"""Lines that have a look of their own; any other role has the plain one."""

ROOM = 1_200_000
"""Bytes that all trials of a page may take; those beyond are named, with the command that shows them."""


def trials_section(page: Page) -> Html | None:
    """Every trial that the tables above link to, folded."""
    if not page.trials:
        return None
    used, parts = 0, []
    for place, shown in enumerate(page.trials):
        entry = page.entries[shown.entry]
        made = _article(place, shown, entry) if used < ROOM else None
        if made is not None and used + len(made.encode()) > ROOM:
            made = None
        used += len(made.encode()) if made is not None else 0
        parts.append(made or _named_only(place, shown, entry))
    return tag("section", tag("h2", "Transcripts"), *parts, id="transcripts")


def anchor(place: int) -> str:
    """The id of a trial's part of the page."""
    return f"t{place}"


def title(shown: Shown, entry: Entry) -> str:
    """What the command line calls this trial."""
    return f"{entry.run.id}/{shown.place}"


def _article(place: int, shown: Shown, entry: Entry) -> Html:
    trial = shown.trial
    body = joined(
        _facts(trial),
        tag("ol", *_talk(trial), class_="talk"),
        _ending(trial),
        _target(trial),
        _scores(trial.scores),
        _calls(trial.calls),
        tag("p", "whole: ", tag("code", f"assay show {title(shown, entry)} --full"), class_="quiet"),
    )
    return tag("details", _summary_line(shown, entry), body, id=anchor(place), class_="trial")


def _named_only(place: int, shown: Shown, entry: Entry) -> Html:
    body = tag("p", "no room on this page: ", tag("code", f"assay show {title(shown, entry)}"))
    return tag("details", _summary_line(shown, entry), body, id=anchor(place), class_="trial")


def _summary_line(shown: Shown, entry: Entry) -> Html:
    trial = shown.trial
    name = wording.short(trial.case.name, 60)
    model = tag("span", wording.model(entry.label), class_=f"{colour(shown.entry)} chip")
    return tag("summary", tag("b", name), " ", model, " ", status_word(trial))


def status_word(trial: Trial) -> Html:
    """How the trial ended, in the word of the record; red only where something failed."""
    detail = (
        f" ({wording.short(trial.detail, 60)})" if trial.detail and trial.status is not Status.SCORED else ""
    )
    kind = {Status.FAILED: "bad", Status.INVALID: "bad", Status.UNSCORED: "warn"}.get(trial.status, "quiet")
    return tag("span", f"{trial.status.value}{detail}", class_=kind)


def _facts(trial: Trial) -> Html:
    tags = [f"{wording.short(k, 30)} {wording.short(v, 40)}" for k, v in list(trial.case.tags.items())[:8]]
    parts = [*tags, f"repeat {trial.repeat}", f"seed {trial.seed}", wording.when(trial.wall)]
    return tag("p", " · ".join(parts), class_="quiet")


def _talk(trial: Trial) -> Iterator[Html]:
    """The events as lines; a tool call and its result are one."""
    calls = {call.id: call for call in trial.calls}
    results = _results(trial)
    told: set[str] = set()
    events = trial.transcript.events
    for event in events[:MOST_EVENTS]:
        message = event.message
        if event.kind is EventKind.TOOL_RESULT and message is not None and message.tool_call_id in told:
            continue
        yield from _event(event, calls, results)
        if message is not None:
            told.update(call.id for call in message.tool_calls if call.id in results)
    if len(events) > MOST_EVENTS:
        yield _line("", tag("p", f"… {len(events) - MOST_EVENTS} more events"), "quiet")


def _event(event: Event, calls: Mapping[str, Call], results: Mapping[str, Message]) -> Iterator[Html]:
    message = event.message
    if message is None:
        if event.kind is EventKind.EFFECT:
            yield _line("effect", tag("code", wording.short(_json(event.data), LINE_ROOM)), "tool")
        return
    if event.kind is EventKind.DISCARDED or not event.delivered:
        fault = event.data.get("fault") if isinstance(event.data, dict) else None
        why = f"discarded ({wording.short(str(fault), 40)})" if fault else "discarded"
        yield _line(event.role, joined(tag("i", why, class_="warn"), _text(message.text)), "gone")
        return
    if event.kind is EventKind.TOOL_RESULT:
        yield _line("tool", _text(message.text), "tool")
        return
    role = message.role if event.kind is EventKind.PROMPT else event.role
    if role == "system":
        folded = tag(
            "details", tag("summary", f"{len(message.text)} characters"), _text(message.text, SYSTEM_ROOM)
        )
        yield _line(role, folded, "system")
    elif message.text or not message.tool_calls:
        yield _line(role, _text(message.text or "(nothing)"), role, _took(calls.get(event.call or "")))
    for call in message.tool_calls:
        result = results.get(call.id)
        came = f" → {wording.short(result.text, LINE_ROOM)}" if result is not None else ""
        asked = f"{wording.short(call.name, 60)}({wording.short(call.arguments, LINE_ROOM)})"
        yield _line("tool", tag("p", tag("code", asked), tag("span", came, class_="quiet")), "tool")


def _line(role: str, content: Child, kind: str, right: str = "") -> Html:
    """A line of the talk: who, what, how long it took."""
    time = tag("span", right, class_="took") if right else None
    return tag(
        "li",
        tag("b", wording.short(role, 20)),
        tag("div", content),
        time,
        class_=kind if kind in KINDS else None,
    )


def _text(text: str, room: int = TEXT_ROOM) -> Html:
    """A text as it was said, cut with a word on how long it is."""
    cut = None
    if len(text) > room:
        cut = tag("span", f" … {len(text):,} characters in all".replace(",", " "), class_="quiet")
    return tag("p", text[:room], cut, class_="said", dir="auto")


def _results(trial: Trial) -> dict[str, Message]:
    """Tool results by the call that they answer."""
    found = (e.message for e in trial.transcript.events if e.kind is EventKind.TOOL_RESULT)
    return {m.tool_call_id: m for m in found if m is not None and m.tool_call_id is not None}


def _ending(trial: Trial) -> Html:
    outcome = trial.transcript.outcome
    error = f" ({outcome.error.value})" if outcome.error is not None else ""
    detail = f": {wording.short(outcome.detail, LINE_ROOM)}" if outcome.detail else ""
    spent = [call.cost for call in trial.calls if call.origin == "live" and call.cost is not None]
    cost = f", {wording.dollars(sum(spent, spent[0] * 0))}" if spent else ""
    lasted = wording.seconds(max(0.0, trial.ended - trial.started))
    state = trial.transcript.state
    readable = state.get("readable") if isinstance(state, dict) else None
    changes = readable if isinstance(readable, list) else []
    return joined(
        tag("p", tag("b", "end "), f"{wording.short(outcome.reason, 60)}{error}{detail}, {lasted}{cost}"),
        [tag("p", tag("b", "state "), wording.short(str(line), LINE_ROOM)) for line in changes[:20]],
    )


def _target(trial: Trial) -> Html | None:
    target = trial.case.target
    if target is None:
        return None
    text = target if isinstance(target, str) else _json(target)
    return tag("div", tag("b", "wanted"), _text(text), class_="wanted")


def _scores(scores: Sequence[Score]) -> Html | None:
    if not scores:
        return None
    rows = [
        tag(
            "tr",
            tag("th", wording.short(score.name, 40), scope="row"),
            tag("td", _value(score), class_="n"),
            tag("td", score.reason[:TEXT_ROOM]),
        )
        for score in scores[:MOST_SCORES]
    ]
    return tag("table", tag("caption", "scores"), tag("tbody", *rows), class_="small")


def _value(score: Score) -> Html | str:
    if score.unscored is not None:
        return tag("span", f"unscored ({wording.short(score.unscored, 40)})", class_="warn")
    if isinstance(score.value, bool):
        return "1" if score.value else "0"
    return wording.short(f"{score.value:.4g}" if isinstance(score.value, float) else str(score.value), 40)


def _calls(calls: Sequence[Call]) -> Html | None:
    """The attempts that failed, and how many there were."""
    failed = [call for call in calls if call.state is not CallState.DONE]
    if not failed:
        return None
    rows = [
        tag("li", tag("code", call.id), f" {_failure(call)} ", tag("span", wording.short(call.detail, 200)))
        for call in failed[:MOST_CALLS]
    ]
    more = tag("li", f"{len(failed) - MOST_CALLS} more") if len(failed) > MOST_CALLS else None
    return joined(tag("p", f"{len(failed)} of {len(calls)} attempts failed"), tag("ul", *rows, more))


def _failure(call: Call) -> str:
    return call.error.value if call.error is not None else "in flight at a kill"


def _took(call: Call | None) -> str:
    return wording.seconds(call.latency) if call is not None and call.latency is not None else ""


def _json(value: JSON) -> str:
    """JSON text for people; what JSON cannot hold, as Python shows it."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return repr(value)[: 10 * TEXT_ROOM]

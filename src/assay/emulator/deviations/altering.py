"""Faults within right JSON: odd usage, finish and reasoning, keys twice, tool calls in odd pieces."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

import msgspec
from msgspec import structs

from assay.emulator.delivery import Delivery, Mark, Ready, Send, plain, right_reply, streamed
from assay.emulator.deviations.pieces import (
    Params,
    changed_answer,
    each,
    edited,
    in_object,
    in_text,
)
from assay.keys import JSON
from assay.message import Finish

REASONING = "The user wants a short answer."


def surrogate(ready: Ready, params: Params) -> Delivery:
    """Half a surrogate pair in the text, as a JSON escape."""
    del params
    return changed_answer(ready, lambda data: in_text(data, rb"\ud83d"))


def not_a_number(ready: Ready, params: Params) -> Delivery:
    """NaN as a value, which JSON does not have."""
    del params
    return changed_answer(ready, lambda data: in_object(data, b'"score":NaN'))


def deep(ready: Ready, params: Params) -> Delivery:
    """Lists within lists, `n` deep, beside the answer."""
    depth = max(1, int(params["n"]))
    member = b'"trace":' + b"[" * depth + b"]" * depth
    return changed_answer(ready, lambda data: in_object(data, member))


def twice(ready: Ready, params: Params) -> Delivery:
    """The key of the text twice; the last one holds, as in nearly every reader of JSON."""
    del params
    key = {"/messages": b'"text":', "/api/generate": b'"response":'}.get(ready.wire.path, b'"content":')
    return changed_answer(ready, lambda data: data.replace(key, key + b'"an older text",' + key, 1))


def marked(ready: Ready, params: Params) -> Delivery:
    """A byte order mark before the reply."""
    del params
    if not ready.heard.stream:
        return plain(200, b"\xef\xbb\xbf" + ready.body(), at=ready.due_whole, mark=Mark.TOKEN)
    line = ready.timeline()
    line[0] = structs.replace(line[0], data=b"\xef\xbb\xbf" + line[0].data)
    return streamed(ready, line)


def usage(ready: Ready, params: Params) -> Delivery:
    """Counts of tokens of that `kind`: negative, float, text or tenfold."""
    kind = params["kind"]

    def wrong(value: int) -> JSON:
        return {"negative": -value - 1, "float": value + 0.5, "text": str(value), "tenfold": value * 10}[kind]

    def change(payload: JSON) -> None:
        held = payload.get("usage")
        if isinstance(held, dict):
            payload["usage"] = {k: wrong(v) if isinstance(v, int) else v for k, v in held.items()}

    if ready.heard.stream:
        return streamed(ready, each(ready, lambda data: edited(data, change)))
    return plain(200, edited(ready.body(), change), at=ready.due_whole, mark=Mark.TOKEN)


def usage_twice(ready: Ready, params: Params) -> Delivery:
    """A usage so far, and at the end the whole one: the last one counts, nothing is summed."""
    del params

    def half(payload: JSON) -> None:
        held = payload["usage"]
        payload["usage"] = {k: v // 2 if isinstance(v, int) else v for k, v in held.items()}

    line: list[Send] = []
    for send in ready.timeline():
        if send.mark is Mark.USAGE:
            line.append(structs.replace(send, data=edited(send.data, half)))
        line.append(send)
    return streamed(ready, line)


def no_durations(ready: Ready, params: Params) -> Delivery:
    """The durations of the last object are all 0."""
    del params
    names = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")

    def change(payload: JSON) -> None:
        payload |= dict.fromkeys(names, 0)

    if not ready.heard.stream:
        return plain(200, edited(ready.body(), change), at=ready.due_whole, mark=Mark.TOKEN)
    *line, last = ready.timeline()
    return streamed(ready, [*line, structs.replace(last, data=edited(last.data, change))])


def finish(ready: Ready, params: Params) -> Delivery:
    """The right answer, said to have ended for that `reason`."""
    answer = structs.replace(ready.answer, finish=Finish(params["reason"]))
    return right_reply(ready.altered(answer, ready.tokens))


def reasoning(ready: Ready, params: Params) -> Delivery:
    """Reasoning before the content, in a field of its own."""
    del params

    def in_body(payload: JSON) -> None:
        payload["choices"][0]["message"]["reasoning_content"] = REASONING

    def in_chunk(payload: JSON) -> None:
        payload["choices"][0] |= {"delta": {"reasoning_content": REASONING}, "finish_reason": None}

    if not ready.heard.stream:
        return plain(200, edited(ready.body(), in_body), at=ready.due_whole, mark=Mark.TOKEN)
    line = ready.timeline()
    place = next(n for n, send in enumerate(line) if send.mark & (Mark.TOKEN | Mark.FINISH))
    thought = Send(line[place].at, edited(line[place].data, in_chunk), Mark.TOKEN)
    return streamed(ready, [*line[:place], thought, *line[place:]])


def other_id(ready: Ready, params: Params) -> Delivery:
    """The first token's event bears the id of another reply."""
    del params

    def change(payload: JSON) -> None:
        payload["id"] = "chatcmpl-of-another-reply"

    return changed_answer(ready, lambda data: edited(data, change))


def null_answer(ready: Ready, params: Params) -> Delivery:
    """A choice without content, and without a reason for that."""
    del params

    def change(payload: JSON) -> None:
        for choice in payload["choices"]:
            choice |= {"message": {"role": "assistant", "content": None}, "finish_reason": None}

    return plain(200, edited(ready.body(), change), at=ready.due_whole)


def bad_arguments(ready: Ready, params: Params) -> Delivery:
    """The arguments of every call lack their last character."""
    del params
    calls = tuple(structs.replace(call, arguments=call.arguments[:-1]) for call in ready.answer.tool_calls)
    return right_reply(ready.altered(structs.replace(ready.answer, tool_calls=calls), ready.tokens))


def by_character(ready: Ready, params: Params) -> Delivery:
    """The arguments of tool calls come one character an event."""
    del params
    line: list[Send] = []
    for send in ready.timeline():
        line += [structs.replace(send, data=data) for data in _characters(send)]
    return streamed(ready, line)


def _characters(send: Send) -> list[bytes]:
    piece = _piece(send)
    if piece is None:
        return [send.data]
    return [edited(send.data, _says(character)) for character in piece[1]] or [send.data]


def _says(text: str) -> Callable[[JSON], None]:
    def change(payload: JSON) -> None:
        payload["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] = text

    return change


def _piece(send: Send) -> tuple[int, str] | None:
    """The index of the tool call that an event goes on with, and the piece; None for another event."""
    if send.mark is not Mark.TOKEN or b'"tool_calls"' not in send.data:
        return None
    payload: JSON = msgspec.json.decode(send.data[send.data.index(b"{") :])
    piece = payload["choices"][0]["delta"]["tool_calls"][0]
    return piece["index"], piece["function"]["arguments"]


def interleaved(ready: Ready, params: Params) -> Delivery:
    """The pieces of several tool calls come in turns."""
    del params
    line = ready.timeline()
    calls: dict[int, list[bytes]] = {}
    places = []
    for place, send in enumerate(line):
        piece = _piece(send)
        if piece is not None:
            calls.setdefault(piece[0], []).append(send.data)
            places.append(place)
    turns = [data for turn in zip_longest(*calls.values()) for data in turn if data is not None]
    for place, data in zip(places, turns, strict=True):
        line[place] = structs.replace(line[place], data=data)
    return streamed(ready, line)

"""A judge that grades by a simple known rule what stands in the fence, and obeys the schema it is given."""

from __future__ import annotations

import re

import msgspec

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.wrong import plain
from assay.keys import JSON

REACHED_ENDS = ("goal_done", "goal_reached", "answered")
"""End reasons that say that a goal was reached."""

DEFAULT_SCHEMA: JSON = {
    "properties": {"score": {"type": "integer", "enum": [1, 2, 3]}, "comment": {"type": "string"}}
}
"""The verdict that is given where no schema is asked for."""

_FENCE = re.compile(r"<([A-Za-z]+-[0-9A-Za-z]{8,64})>\n(.*?)\n</\1>", re.DOTALL)
_MAX_DEPTH = 12

_COMMENTS = {
    True: ("The goal was reached.", "Цель достигнута, всё сделано верно."),
    False: ("The goal was not reached.", "Цель не достигнута."),
    None: ("Neither is better.", "Ни один не лучше."),
}


class Judge:
    """Gives the highest grade to what is good by this rule, and the lowest to everything else.

    It reads the JSON in the last fence `<NAME-NONCE>` ... `</NAME-NONCE>` of the last user message,
    and nothing outside of it. The names at the top of that JSON decide:
    1. a boolean `goal_reached` (or `reached`) decides;
    2. else, with a `reference` (or `target`, `expected`): good where the `reply` (or `answer`,
       or the transcript's last assistant text) is or holds it, case and punctuation aside;
    3. else the `end_reason` (or `end`, `outcome`): good where it is one of REACHED_ENDS, and
       where a `state` stands beside it, only if that is not empty.
    Of two replies, `first` and `second`, it gives the highest grade where the second alone is good,
    the lowest where the first alone is, and what lies in the middle where both or neither are.
    Its truth is {"verdict": good or not}. Comments are Russian where the prompt asks for Russian.
    """

    def answer(self, asked: Asked) -> Answer:
        users = [message.text for message in asked.messages if message.role == "user"]
        fences = _FENCE.findall(users[-1]) if users else []
        good = _verdict(_decoded(fences[-1][1])) if fences else False
        words = " ".join(message.text for message in asked.messages if message.role == "system")
        comment = _COMMENTS[good][1 if "Russian" in words or "по-русски" in words else 0]
        schema = asked.schema if isinstance(asked.schema, dict) else _schema_in(words)
        verdict = _filled(schema, good, comment, 0)
        return Answer(msgspec.json.encode(verdict).decode(), truth={"verdict": good})


def _decoded(text: str) -> JSON:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _schema_in(words: str) -> JSON:
    """The schema that the prompt shows on a line of its own; else the default."""
    for line in words.splitlines():
        if line.startswith("{"):
            schema = _decoded(line)
            if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
                return schema
    return DEFAULT_SCHEMA


def _verdict(data: JSON) -> bool | None:
    """Whether it is good; of two replies whether the second is better, None where neither is."""
    if isinstance(data, dict) and {"first", "second"} <= data.keys():
        first, second = (_is_good({**data, "reply": data[place]}) for place in ("first", "second"))
        return None if first == second else second
    return _is_good(data)


def _is_good(data: JSON) -> bool:
    reached = _named(data, "goal_reached", "reached")
    if isinstance(reached, bool):
        return reached
    reference = _named(data, "reference", "target", "expected")
    if reference is not None:
        return _holds(_reply(data), reference)
    end = _named(data, "end_reason", "end", "outcome")
    end = end.get("reason") if isinstance(end, dict) else end
    state = _named(data, "state", "state_difference")
    return isinstance(end, str) and end in REACHED_ENDS and (state is None or not _is_empty(state))


def _is_empty(value: JSON) -> bool:
    """Whether nothing stands in the value: empty lists and objects all the way down."""
    if isinstance(value, dict):
        return all(_is_empty(each) for each in value.values())
    return value in (None, [], "")


def _named(data: JSON, *names: str) -> JSON:
    """The value of the first of these names at the top of the data: deeper ones are the parties' words."""
    if not isinstance(data, dict):
        return None
    return next((data[name] for name in names if data.get(name) is not None), None)


def _reply(data: JSON) -> str:
    reply = _named(data, "reply", "answer", "final")
    if isinstance(reply, str):
        return reply
    lines = _named(data, "transcript")
    for line in reversed(lines if isinstance(lines, list) else []):
        if isinstance(line, dict) and line.get("role") in ("assistant", "agent", "candidate"):
            text = next((line[key] for key in ("text", "content", "said", "line") if key in line), "")
            return text if isinstance(text, str) else ""
    return ""


def _holds(reply: str, reference: JSON) -> bool:
    """Whether the reply is one of the references, or its words hold one."""
    if isinstance(reference, dict) and isinstance(reference.get("any_of"), list):
        return any(_holds(reply, each) for each in reference["any_of"])
    if not isinstance(reference, str):
        return bool(_decoded(reply) == reference)
    wanted, said = plain(reference), plain(reply)
    return bool(wanted) and f" {wanted} " in f" {said} "


def _filled(schema: JSON, good: bool | None, comment: str, depth: int) -> JSON:
    """A value of that schema: the top of every scale where good, else the bottom; texts comment."""
    part = schema if isinstance(schema, dict) else {}
    if isinstance(part.get("enum"), list) and part["enum"]:
        return _end_of(part["enum"], good)
    kinds = part.get("type")
    kind = str(kinds[0] if isinstance(kinds, list) and kinds else kinds)
    if kind == "array":
        return _items(part.get("items"), good, comment, depth)
    properties = part.get("properties")
    if isinstance(properties, dict) and depth < _MAX_DEPTH:
        return {name: _filled(inner, good, comment, depth + 1) for name, inner in properties.items()}
    low, high = part.get("minimum", 0), part.get("maximum", 1)
    number = high if good else low
    if good is None and isinstance(low, int) and isinstance(high, int):
        number = (low + high) // 2
    leaves: dict[JSON, JSON] = {"boolean": bool(good), "integer": number, "number": number, "string": comment}
    return leaves.get(kind)


def _end_of(options: JSON, good: bool | None) -> JSON:
    """The largest or smallest number, or the last or first word; what is in the middle for None."""
    if good is None:
        return options[len(options) // 2]
    if all(isinstance(each, (int, float)) for each in options):
        return max(options) if good else min(options)
    return options[-1 if good else 0]


def _items(schema: JSON, good: bool | None, comment: str, depth: int) -> list[JSON]:
    """One item; one for each name where the items carry an `id` out of a list of names."""
    if not isinstance(schema, dict) or depth >= _MAX_DEPTH:
        return []
    properties = schema.get("properties")
    name = properties.get("id") if isinstance(properties, dict) else None
    ids = name.get("enum") if isinstance(name, dict) else None
    item = _filled(schema, good, comment, depth + 1)
    if not isinstance(ids, list) or not isinstance(item, dict):
        return [item]
    return [{**item, "id": each} for each in ids]

"""What the emulator knows: from the rendered first prompt of a case to its right and a wrong answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct, field

from assay.emulator.wrong import wrong_value
from assay.errors import UsageError
from assay.keys import JSON, digest
from assay.message import Message, ToolCall

ABSTAINED = "No tool is needed for that."
"""The right answer where a target asks for no tool call at all."""


class Said(Struct, frozen=True, omit_defaults=True):
    """An answer as an index holds it: a text, or calls as (name, JSON text of the arguments)."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()

    def tool_calls(self, prompt: str) -> tuple[ToolCall, ...]:
        """The calls with ids that depend on the prompt's digest and their place alone."""
        return tuple(
            ToolCall(f"call_{prompt[:12]}_{place}", name, arguments)
            for place, (name, arguments) in enumerate(self.calls)
        )

    @property
    def value(self) -> JSON:
        """The form that an index file keeps: a text, or {"calls": [{"name", "arguments"}]}."""
        if not self.calls:
            return self.text
        return {"calls": [{"name": n, "arguments": msgspec.json.decode(a)} for n, a in self.calls]}


class Entry(Struct, frozen=True):
    """One case as the emulator knows it: the digest of its first prompt, a right and a wrong answer."""

    digest: str
    right: Said
    wrong: Said


def digest_of(messages: Sequence[Message]) -> str:
    """32 hex digits over the rendered first prompt: system text and first user message."""
    system, user = "", ""
    for message in messages:
        if message.role == "system":
            system += message.text
        elif message.role == "user":
            user = message.text
            break
    return digest([system, user])


def entry(messages: Sequence[Message], target: JSON, schema: JSON = None) -> Entry | None:
    """The entry of a case: its first prompt, and answers rendered from its target.

    A text is itself; a number, a list or an object is its JSON; of {"any_of": [...]} the first;
    {"calls": [{"name", "arguments"}]} are tool calls. The wrong answer differs so that no exact,
    numeric or JSON scorer takes it for right, and obeys `schema` where one change can.
    None for a case without a target: there is nothing to know.
    """
    if target is None:
        return None
    accepted = target["any_of"] if _is(target, "any_of") and target["any_of"] else [target]
    first = accepted[0]
    if _is(first, "calls"):
        return Entry(digest_of(messages), _calls(first["calls"]), _wrong_calls(first["calls"]))
    wrong = wrong_value(first, accepted, schema)
    return Entry(digest_of(messages), Said(_text(first)), Said(_text(wrong)))


def _is(target: JSON, key: str) -> bool:
    return isinstance(target, dict) and list(target) == [key] and isinstance(target[key], list)


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _calls(calls: JSON) -> Said:
    if not calls:
        return Said(ABSTAINED)
    return Said(calls=tuple((call["name"], _text(_first(call.get("arguments", {})))) for call in calls))


def _first(arguments: JSON) -> JSON:
    """The arguments with one value each: of several allowed ones the first; none of none."""
    found = {}
    for name, value in arguments.items():
        several = isinstance(value, dict) and "any_of" in value and value.keys() <= {"any_of", "optional"}
        if not several:
            found[name] = value
        elif value["any_of"]:
            found[name] = value["any_of"][0]
    return found


def _wrong_calls(calls: JSON) -> Said:
    """The first call with one argument changed; no call where it has none; a call where none is due."""
    if not calls:
        return Said(calls=(("unknown_tool", "{}"),))
    first = calls[0]
    arguments = first.get("arguments", {})
    if not arguments:
        return Said("I cannot do that.")
    chosen = _first(arguments)
    changed = {**first, "arguments": wrong_value(chosen, [chosen], None)}
    return _calls([changed, *calls[1:]])


class _Line(Struct, forbid_unknown_fields=True):
    digest: str
    right: JSON
    wrong: JSON = field(default=None)


class Index:
    """Entries by the digest of their first prompt; of equal prompts the first stays."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        for each in entries:
            self.add(each)

    def add(self, known: Entry | None) -> None:
        """Adds an entry; None (a case without a target) adds nothing."""
        if known is not None:
            self._entries.setdefault(known.digest, known)

    def find(self, prompt: str) -> Entry | None:
        """The entry of a prompt's digest."""
        return self._entries.get(prompt)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def lines(self) -> Iterator[bytes]:
        """The index as JSON Lines of {"digest", "right", "wrong"}, each with its line end."""
        for known in self:
            row = {"digest": known.digest, "right": known.right.value, "wrong": known.wrong.value}
            yield msgspec.json.encode(row) + b"\n"

    @classmethod
    def from_lines(cls, lines: Iterable[bytes], name: str = "index") -> Index:
        """Reads what `lines` wrote. Raises UsageError naming `name` and the line."""
        self = cls()
        for number, line in enumerate(lines, 1):
            if line.strip():
                self.add(_entry_of(line, f"{name}, line {number}"))
        return self


def _entry_of(line: bytes, place: str) -> Entry:
    try:
        row = msgspec.json.decode(line, type=_Line)
        return Entry(row.digest, _said(row.right), _said(row.wrong))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError(
            f"{place}: not an entry of an index: {problem}",
            fix='write one {"digest": ..., "right": ..., "wrong": ...} a line, as Index.lines does',
        ) from problem


def _said(value: JSON) -> Said:
    if isinstance(value, Mapping) and _is(value, "calls"):
        return _calls(value["calls"])
    return Said("" if value is None else _text(value))

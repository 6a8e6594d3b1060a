"""The emulated agent's view of a call: what the customer asked for, what the tools answered."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from assay.agenda import Phrases, phrases_of
from assay.keys import JSON
from assay.message import Message

MAX_READ = 4000
"""Characters of a line that are read."""
MAX_TRIES = 3
"""Calls of one tool with the same arguments before its failure is taken for an answer."""
_TRANSIENT = frozenset({"TIMEOUT", "UNAVAILABLE"})
_LIST = re.compile(r":\s+(.+?)(?:\.(?:\s|$)|$)")
_ITEM = re.compile(r"(?P<name>.+?)(?: — (?P<qty>\d+(?:[.,]\d+)?)(?: \w+)?)?\Z")
_FREE = re.compile(
    r"(?P<qty>\d+(?:[.,]\d+)?)\s*(?:кг|шт|уп|л|kg|packs?)?\.?\s+(?P<name>[^\W\d]+(?: [^\W\d]+)?)"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_PHONE = re.compile(r"\+?\d[\d\s()-]{9,18}")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_QUOTED = re.compile(r"«(.+?)»")


CARTS = ("add_to_cart", "update_cart", "view_cart")
"""Tools that answer with the cart."""


class Mention(Struct, frozen=True):
    """A product as the customer named it."""

    name: str
    qty: float | int | None = None
    from_history: bool = False


class Called(Struct, frozen=True):
    """A tool call and its answer."""

    name: str
    arguments: dict[str, JSON]
    value: JSON

    @property
    def error(self) -> str | None:
        error = self.value.get("error") if isinstance(self.value, dict) else None
        return str(error.get("code")) if isinstance(error, dict) else None

    @property
    def lost(self) -> bool:
        """Whether no answer came that says anything: calling again may help."""
        return self.value in (None, {}) or self.error in _TRANSIENT

    def items(self, name: str) -> list[JSON]:
        """A list of the answer; empty where it holds none."""
        found = self.value.get(name) if isinstance(self.value, dict) else None
        return found if isinstance(found, list) else []


class Turn(Struct, frozen=True):
    """What the agent said last, and what the customer answered."""

    question: str
    reply: str


@dataclass(slots=True)
class Heard:
    """A dialogue as the agent knows it. `busy` counts the tool calls since the customer spoke."""

    words: Phrases
    system: str
    turns: list[Turn] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)
    busy: int = 0
    said: str = ""

    def phone(self) -> str | None:
        """The last telephone number that the customer gave."""
        for turn in reversed(self.turns):
            found = _PHONE.search(_DATE.sub("", turn.reply))
            if found is not None:
                return "+" + re.sub(r"\D", "", found[0])
        return None

    def answer(self, tool: str, **arguments: JSON) -> Called | None:
        """The last call of a tool with these arguments that was answered; after MAX_TRIES without an
        answer the last one of those.
        """
        lost: list[Called] = []
        for call in reversed(self.calls):
            if call.name == tool and all(call.arguments.get(k) == v for k, v in arguments.items()):
                if not call.lost:
                    return call
                lost.append(call)
        return lost[0] if len(lost) >= MAX_TRIES else None

    def tries(self, tool: str, **arguments: JSON) -> int:
        """How often a tool was called with these arguments."""
        same = (c for c in self.calls if c.name == tool)
        return sum(all(call.arguments.get(k) == v for k, v in arguments.items()) for call in same)

    def cart(self) -> dict[str, float]:
        """The cart by SKU, from the last answer that showed it."""
        for call in reversed(self.calls):
            if call.name in CARTS and call.error is None and not call.lost:
                return {item["sku"]: item["qty"] for item in call.items("items")}
        return {}


def heard(messages: Sequence[Message]) -> Heard:
    """The dialogue of a request's messages."""
    system = "\n".join(m.text for m in messages if m.role == "system")
    talk = Heard(phrases_of("ru" if re.search("[а-яё]", system, re.IGNORECASE) else "en"), system)
    asked: dict[str, tuple[str, str]] = {}
    for message in messages:
        if message.role == "user" and message.text != talk.words.call_started:
            talk.turns.append(Turn(talk.said[:MAX_READ], message.text[:MAX_READ]))
            talk.said, talk.busy = "", 0
        elif message.role == "assistant":
            talk.said = message.text or talk.said
            for call in message.tool_calls:
                asked[call.id] = (call.name, call.arguments)
        elif message.role == "tool" and message.tool_call_id in asked:
            name, arguments = asked[message.tool_call_id]
            talk.calls.append(Called(name, _json(arguments) or {}, _json(message.text)))
            talk.busy += 1
    return talk


def mentions(text: str, words: Phrases, *, free: bool = False) -> list[Mention]:
    """The products of a line in the form "...: name — quantity, name". With `free` also such as
    "2 кг филе": the best that rules can do with a customer who is no rule.
    """
    listed = _LIST.search(text)
    if listed is None:
        return [Mention(m["name"], _quantity(m["qty"])) for m in _FREE.finditer(text)] if free else []
    found = []
    for part in listed[1].split(", "):
        item = _ITEM.match(part.strip())
        if item is None:
            continue
        name = item["name"].strip()
        usual = name.endswith(words.usual)
        qty = _quantity(item["qty"]) if item["qty"] else None
        found.append(Mention(name.removesuffix(words.usual), qty, usual))
    return found


def number(text: str) -> float | int | None:
    """The first number of a line."""
    found = _NUMBER.search(text)
    return None if found is None else _quantity(found[0])


def wanted(talk: Heard) -> list[Mention]:
    """What the customer wants by now, in the order named: additions, quantities, replacements."""
    wants: dict[str, Mention] = {}
    for turn in talk.turns:
        about = _QUOTED.search(turn.question)
        old = wants.get(about[1]) if about is not None else None
        named = mentions(turn.reply, talk.words, free=not wants)
        if old is not None and talk.words.asks_quantity.search(turn.question):
            if not named:
                wants[old.name] = Mention(old.name, number(turn.reply), old.from_history)
                continue
        elif old is not None:
            wants = _replaced(wants, old, named[0] if named else None)
            named = named[1:]
        for new in named:
            held = wants.get(new.name)
            qty = new.qty if new.qty is not None or held is None else held.qty
            wants[new.name] = Mention(new.name, qty, new.from_history)
    return list(wants.values())


def _replaced(wants: dict[str, Mention], old: Mention, new: Mention | None) -> dict[str, Mention]:
    """The wants with one product in another's place, or without it."""
    out: dict[str, Mention] = {}
    for name, want in wants.items():
        if name != old.name:
            out[name] = want
        elif new is not None:
            qty = old.qty if new.qty is None else new.qty
            out[new.name] = Mention(new.name, qty, new.from_history)
    return out


def _quantity(text: str) -> float | int:
    value = float(text.replace(",", "."))
    return int(value) if value.is_integer() else value


def _json(text: str) -> JSON:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None


def compact(value: JSON) -> str:
    """The value as one line of JSON: a tool call's arguments."""
    return json.dumps(value, ensure_ascii=False)

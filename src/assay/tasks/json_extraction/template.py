"""A template: a text with slots beside the object that the text holds; the form of the template files.

    == order.e1 easy en                     name (its head is the type), slice, language
    target: {"buyer": "person", "lines": ["rows", {"what": "product", "qty": "qty"}]}
    rows 2-4: - {qty} x {product}           a list's rows: how many, and the text of one
    ---
    Hello, [please send|we need]:           [a|b] is one of these
    {rows}
    Thanks, {person}                        {slot:style}; slots of one kind end in a digit

A leaf of the target names a slot. `!kind` is null, for what the text does not say;
`#kind=value <- phrase` is a fixed value with the phrase that says it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON
from assay.tasks.json_extraction.facts import NUMBERED, Fact, draw, schema_of
from assay.tasks.json_extraction.spelling import spell

Pools = Mapping[str, tuple[str, ...]]

_SLOT = re.compile(r"\{([a-z_]+\d?)(?::([a-z]+))?\}")
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_ROWS = re.compile(r"([a-z]+) (\d)-(\d)(?: \"([^\"]*)\")?: (.*)")
_HEAD = re.compile(r"== (\S+) (\S+) (en|ru|de|es)")
_FIXED = re.compile(r"#(\w+)=(.+?) <- (.+)", re.DOTALL)


class Rows(NamedTuple):
    """The rows of a list: their least and greatest number, what joins them, the text of one."""

    least: int
    most: int
    joint: str
    text: str


class Template(Struct, frozen=True):
    """A text with slots, and what it holds. `extra` are the header's other lines by their name."""

    name: str
    difficulty: str
    lang: str
    text: str
    rows: dict[str, Rows]
    extra: dict[str, tuple[str, ...]]

    @property
    def type(self) -> str:
        return self.name.partition(".")[0]

    @property
    def target(self) -> JSON:
        return json.loads(self.extra["target"][0])


class Evidence(NamedTuple):
    """Why a leaf of the target is what it is: the phrase of the text, and the day it counts from."""

    kind: str
    phrase: str
    since: str | None = None


def read_pools(text: str) -> Pools:
    """The names of a split: `kind.language: name | name`, one line a kind."""
    lines = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
    return {kind: tuple(name.strip(" ") for name in names.split(" | ")) for kind, _, names in lines}


def read_templates(text: str, source: str) -> tuple[Template, ...]:
    """The templates of a file. Raises UsageError naming the file and the template that cannot be read."""
    return tuple(_read_one(part, source) for part in re.split(r"(?m)^(?===\s)", text) if part.strip())


def _read_one(part: str, source: str) -> Template:
    header, mark, text = part.partition("\n---\n")
    head, *lines = header.splitlines()
    found = _HEAD.fullmatch(head)
    if found is None or not mark:
        raise UsageError(f"{source}: no template begins with {head!r}", fix="write == NAME SLICE LANGUAGE")
    rows: dict[str, Rows] = {}
    extra: dict[str, tuple[str, ...]] = {}
    for line in lines:
        if match := _ROWS.fullmatch(line):
            name, least, most, joint, row = match.groups()
            rows[name] = Rows(
                int(least), int(most), "\n" if joint is None else joint, row.replace("\\n", "\n")
            )
        else:
            name, _, value = line.partition(": ")
            extra[name] = (*extra.get(name, ()), value)
    return Template(found[1], found[2], found[3], text.strip("\n"), rows, extra)


class Scene:
    """The values of one case while its text is written. `used` are the names it took from the pools."""

    def __init__(self, rng: Random, lang: str, pools: Pools, used: set[str]) -> None:
        self.rng = rng
        self.lang = lang
        self.pools = pools
        self.used = used
        self.slots: dict[str, Fact] = {}
        self.lists: dict[str, list[Scene]] = {}
        self.phrases: dict[str, str] = {}

    def name(self, kind: str) -> str:
        pool = self.pools.get(f"{kind}.{self.lang}") or self.pools.get(kind) or self.pools[f"{kind}.en"]
        free = [name for name in pool if name not in self.used] or list(pool)
        chosen = self.rng.choice(free)
        if not kind.startswith(("prefix", "dial")):
            self.used.add(chosen)
        return chosen

    def has(self, slot: str) -> bool:
        return slot in self.slots

    def rows(self) -> list[Mapping[str, Fact]]:
        return [row.slots for rows in self.lists.values() for row in rows]

    def fact(self, slot: str) -> Fact:
        if slot in self.slots:
            return self.slots[slot]
        kind = slot.rstrip("0123456789")
        taken = {fact.value for name, fact in self.slots.items() if name.startswith(kind)}
        for _ in range(40):
            fact = draw(kind, slot.removeprefix(kind), self)
            if fact.value not in taken or isinstance(fact.value, bool):
                break
        self.slots[slot] = fact
        if fact.kind in NUMBERED:
            self.used.add(fact.value)
        return fact

    def write(self, text: str, blocks: Mapping[str, Rows]) -> str:
        """The text with alternatives chosen and slots spelt; values are never read again."""
        if "{sent" in text:
            self.fact("sent")
        chosen = _CHOICE.sub(lambda m: self.rng.choice(m[1].split("|")), text)
        lists = {name: self._write_rows(name, blocks) for name in blocks if f"{{{name}}}" in chosen}
        return _SLOT.sub(lambda m: lists[m[1]] if m[1] in lists else self._spell(m[1], m[2] or ""), chosen)

    def _write_rows(self, name: str, blocks: Mapping[str, Rows]) -> str:
        form = blocks[name]
        inner = {other: rows for other, rows in blocks.items() if other != name}
        texts = []
        for _ in range(self.rng.randint(form.least, form.most)):
            row = Scene(self.rng, self.lang, self.pools, self.used)
            if "sent" in self.slots:
                row.slots["sent"] = self.slots["sent"]
            texts.append(row.write(form.text, inner))
            self.lists.setdefault(name, []).append(row)
        return form.joint.replace("\\n", "\n").join(texts)

    def _spell(self, slot: str, style: str) -> str:
        phrase = spell(self.fact(slot), style)
        whole = style not in {"first", "last"}
        if whole or slot not in self.phrases:
            self.phrases[slot] = phrase
        return phrase


def fill(target: JSON, scene: Scene, at: str = "") -> Iterator[tuple[str, JSON, Evidence | None]]:
    """The leaves of a target: JSON pointer, value, evidence (None where the text says nothing)."""
    if isinstance(target, dict):
        for key, part in target.items():
            yield from fill(part, scene, f"{at}/{key}")
    elif isinstance(target, list):
        for index, row in enumerate(scene.lists[target[0]]):
            yield from fill(target[1], row, f"{at}/{index}")
    elif target.startswith("!"):
        yield at, None, None
    elif fixed := _FIXED.fullmatch(target):
        value = fixed[2] == "true" if fixed[1] == "bool" else fixed[2]
        yield at, value, Evidence(fixed[1], fixed[3])
    else:
        if target not in scene.phrases:
            raise UsageError(f"the text never spells {target!r}", fix="use the slot in the text")
        fact = scene.fact(target)
        yield at, fact.value, Evidence(fact.kind, scene.phrases[target], fact.since)


def value_of(target: JSON, scene: Scene) -> JSON:
    """The target's value: what a case's `target` holds."""
    if isinstance(target, dict):
        return {key: value_of(part, scene) for key, part in target.items()}
    if isinstance(target, list):
        return [value_of(target[1], row) for row in scene.lists[target[0]]]
    return next(fill(target, scene))[1]


def schema_for(target: JSON, *, nullable: bool) -> dict[str, JSON]:
    """The JSON Schema of a target: every key required, no other allowed, leaves nullable on request."""
    if isinstance(target, dict):
        return {
            "type": "object",
            "properties": {key: schema_for(part, nullable=nullable) for key, part in target.items()},
            "required": list(target),
            "additionalProperties": False,
        }
    if isinstance(target, list):
        return {"type": "array", "items": schema_for(target[1], nullable=nullable)}
    fixed = _FIXED.fullmatch(target)
    slot = fixed[1] if fixed else target.lstrip("!")
    schema = schema_of(slot.rstrip("0123456789"))
    if not (nullable or target.startswith("!")):
        return schema
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return {**schema, "type": [schema["type"], "null"]}

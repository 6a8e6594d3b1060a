"""A model of pure rules, led by the schema: labelled lines and patterns. What no model should lose to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from assay.keys import JSON
from assay.message import Finish, Reply, Request
from assay.ports import Capabilities, OnRead
from assay.tasks.json_extraction.words import MONTHS

LONGEST = 20_000
"""Characters of a text that are looked at; no case of the task is near it."""

_MONTHS = [name.lower() for name in MONTHS["en"]]
_LABELLED = re.compile(r"\W{0,4}([A-Za-z][A-Za-z ]{1,24}?) ?(?:\.{3}|[:=|#~>/-]{1,3})>? ?(\S.*)")
_ISO = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_LONG = re.compile(r"\b(\d{1,2}) ([A-Z][a-z]{2,8}) (\d{4})\b")
_US = re.compile(r"\b([A-Z][a-z]{2,8}) (\d{1,2}), (\d{4})\b")
_TIME = re.compile(r"\b(\d{1,2}):(\d\d)(?: ?([ap])m)?\b")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,63}\w")
_PHONE = re.compile(r"\+?\d[\d ()]{7,18}\d")
_CODE = re.compile(r"\b[A-Z]{1,5}[-#./]?\d{3,6}\b")
_AMOUNT = re.compile(r"\d[\d,]*\.\d\d\b|\b\d[\d,]*\b")
_INTEGER = re.compile(r"(?<![\w.,-])\d{1,4}(?![\w,-]|\.\d)")
_NAME = re.compile(r"\b[A-Z][a-z]+ [A-Z][a-z]+\b")
_ROW = re.compile(r"\W{0,3}(\d{1,4})(?: ?x| pcs)? ([^\d/,@]+?)(?: ?[/,@] ?([\d.,]+))?")


class Baseline:
    """Implements `ports.Model` without a model: a labelled line first, else the first fitting pattern."""

    @property
    def name(self) -> str:
        return "baseline"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(stream=False, tools=False, timed=False)

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """The object that the rules find in the last message, as JSON; `{}` without a schema."""
        said = request.messages[-1].text[:LONGEST] if request.messages else ""
        found = extract(said, request.schema)
        text = json.dumps(found, ensure_ascii=False)
        if on_read is not None:
            on_read(text)
        return Reply(text, finish=Finish.STOP)

    async def close(self) -> None:
        """There is nothing to close."""


def baseline() -> Baseline:
    """The rules as a model: `assay.tasks.json_extraction.baseline:baseline` in a plan."""
    return Baseline()


def extract(text: str, schema: JSON) -> dict[str, JSON]:
    """The object that the rules find in a text: a value for every property of the schema."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return {}
    labels = _labels(text)
    return {key: _find(key, part, text, labels) for key, part in schema["properties"].items()}


def _labels(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LABELLED.fullmatch(line.strip()):
            found.setdefault(match[1].lower().replace(" ", "_"), match[2].strip())
    return found


def _find(key: str, schema: JSON, text: str, labels: Mapping[str, str]) -> JSON:
    if schema.get("type") == "array":
        return _rows(schema.get("items", {}), text)
    labelled = labels.get(key) or labels.get(key.removesuffix("_m2"))
    value = _read(key, schema, labelled, labelled=True) if labelled else None
    if value is None:
        value = _read(key, schema, text, labelled=False)
    return _otherwise(schema) if value is None else value


def _rows(schema: JSON, text: str) -> list[JSON]:
    found: list[JSON] = []
    for line in text.splitlines():
        match = _ROW.fullmatch(line.strip())
        if match is None or not isinstance(schema.get("properties"), dict):
            continue
        given = {"integer": int(match[1]), "string": match[2].strip(), "number": _amount(match[3] or "")}
        found.append({key: given.get(_type(part)) for key, part in schema["properties"].items()})
    return found


def _type(schema: JSON) -> str:
    kinds = schema.get("type", "string")
    return str(kinds[0] if isinstance(kinds, list) else kinds)


def _otherwise(schema: JSON) -> JSON:
    if isinstance(schema.get("type"), list):
        return None
    return {"integer": 0, "number": 0, "boolean": False}.get(_type(schema), "")


def _read(key: str, schema: JSON, text: str, *, labelled: bool) -> JSON:
    """A value of the schema's kind in a labelled value or, without a label, anywhere in the text."""
    if "enum" in schema:
        found = (choice for choice in schema["enum"] if choice and choice.lower() in text.lower())
        return next(found, None)
    kind = schema.get("format") or ("time" if "pattern" in schema else _type(schema))
    if kind in _READERS:
        return _READERS[kind](text)
    if labelled:
        return text
    return _GUESSES[key](text) if key in _GUESSES else None


def _first(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def search(text: str) -> str | None:
        match = pattern.search(text)
        return match[0] if match else None

    return search


_GUESSES: dict[str, Callable[[str], str | None]] = {
    **dict.fromkeys(("order_id", "invoice_number", "ticket_id", "sku", "patient_id"), _first(_CODE)),
    **dict.fromkeys(("customer", "buyer", "name", "seller", "host", "contact"), _first(_NAME)),
    "phone": _first(_PHONE),
}


def _amount(text: str) -> float | int | None:
    match = _AMOUNT.search(text)
    if match is None:
        return None
    value = float(match[0].replace(",", ""))
    return int(value) if value.is_integer() else value


def _integer(text: str) -> int | None:
    match = _INTEGER.search(text)
    return int(match[0]) if match else None


def _boolean(text: str) -> bool:
    return "paid" in text or "yes" in text.lower()


def _date(text: str) -> str | None:
    if match := _ISO.search(text):
        return match[0]
    if match := _LONG.search(text):
        day, month, year = match.groups()
    elif match := _US.search(text):
        month, day, year = match.groups()
    else:
        return None
    numbers = [at for at, name in enumerate(_MONTHS, 1) if name.startswith(month.lower()[:3])]
    return f"{year}-{numbers[0]:02}-{int(day):02}" if numbers else None


def _time(text: str) -> str | None:
    match = _TIME.search(text)
    if match is None:
        return None
    hour = int(match[1]) % 12 + (12 if match[3] == "p" else 0) if match[3] else int(match[1])
    return f"{hour:02}:{match[2]}"


_READERS: dict[str, Callable[[str], JSON]] = {
    "number": _amount,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "email": _first(_EMAIL),
}

"""Plausible wrong answers: a number that is off, one field of an object changed, another word."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from assay.keys import JSON, canonical

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SWAPS = {"yes": "no", "no": "yes", "true": "false", "false": "true", "да": "нет", "нет": "да"}
_WORDS = ("not stated", "unknown", "none of these", "something else")


def wrong_value(value: JSON, accepted: Sequence[JSON], schema: JSON) -> JSON:
    """A value of the same kind that differs from every accepted one, the same at every call.

    Texts differ also when case, punctuation, articles and spaces are dropped, and in every number
    that they hold. Objects and lists differ in one leaf; where `schema` is given, the first change
    that it still allows is taken, else the first change.
    """
    if isinstance(value, str):
        return _wrong_text(value, [each for each in accepted if isinstance(each, str)])
    taken = {canonical(each) for each in accepted}
    changes = [c for c in itertools.islice(_changes(value, schema), 256) if canonical(c) not in taken]
    if not isinstance(schema, (dict, bool)):
        return changes[0]
    return next((change for change in changes if _allowed(change, schema)), changes[0])


def _allowed(value: JSON, schema: JSON) -> bool:
    import jsonschema_rs

    try:
        return jsonschema_rs.is_valid(schema, value)
    except (ValueError, jsonschema_rs.ReferencingError):
        return False


def _changes(value: JSON, schema: JSON) -> Iterator[JSON]:
    """Every value that differs from this one in one leaf."""
    part = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        properties = part.get("properties")
        for key, inner in value.items():
            under = properties.get(key) if isinstance(properties, dict) else None
            yield from ({**value, key: change} for change in _changes(inner, under))
        yield {**value, "unexpected": True}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            for change in _changes(inner, part.get("items")):
                yield [*value[:place], change, *value[place + 1 :]]
        yield [*value, value[-1] if value else 0]
    else:
        options = part.get("enum")
        yield from (each for each in options or [] if each != value)
        yield from _other_leaf(value)


def _other_leaf(value: JSON) -> Iterator[JSON]:
    if value is None:
        yield from ("unknown", 0)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        off = _off(abs(value))
        yield from (each for each in (value + off, value - off) if abs(each) != math.inf)
    else:
        yield _wrong_text(value, [value])


def _off(size: float) -> int:
    """How far a wrong number lies: a fifth, at least one, so that no tolerance forgives it."""
    return max(1, round(size / 5)) if size < 1e15 else 10 ** (len(str(int(size))) - 1)


def _wrong_text(value: str, accepted: Sequence[str]) -> str:
    taken = [plain(each).replace(" ", "") for each in (value, *accepted)]
    for candidate in _other_texts(value):
        bare = plain(candidate).replace(" ", "")
        if bare and not any(bare in each or (each and each in bare) for each in taken):
            return candidate
    return "not " + "stated " * (1 + max(map(len, taken)))


def _other_texts(value: str) -> Iterator[str]:
    """Candidates, the most plausible first."""
    bare = value.strip()
    if bare.casefold() in _SWAPS:
        other = _SWAPS[bare.casefold()]
        yield other.capitalize() if bare[:1].isupper() else other
    if len(bare) == 1 and "A" <= bare.upper() <= "Z":
        start = ord("A") if bare.isupper() else ord("a")
        yield from (chr(start + (ord(bare) - start + step) % 26) for step in range(1, 26))
    if _NUMBER.search(value):
        yield from (_NUMBER.sub(_shifter(n), value) for n in range(1, 5))
    yield from _WORDS


def _shifter(times: int) -> Callable[[re.Match[str]], str]:
    return lambda found: _shifted(found[0], times)


def _shifted(number: str, times: int) -> str:
    """The number with its whole part off: 18 is 22, 1,234.50 is 1,481.50."""
    whole, point, rest = number.rpartition(".") if "." in number else (number, "", "")
    digits = re.sub(r"\D", "", whole)[:300]
    moved = str(int(digits) + times * _off(int(digits)))
    grouped = f"{int(moved):,}" if "," in whole else moved.zfill(len(digits))
    return grouped + point + rest


def plain(text: str) -> str:
    """What a lenient scorer sees: NFKC, case folded, without articles and punctuation, single spaces."""
    words = re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).split()
    return " ".join(word for word in words if word not in ("a", "an", "the"))

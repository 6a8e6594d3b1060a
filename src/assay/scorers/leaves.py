"""Comparing JSON values: typed, objects in any order, leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from assay.keys import JSON

LISTED = 20
"""Pointers of each kind that a comparison lists."""
MAX_POINTER = 200


def equal(a: JSON, b: JSON) -> bool:
    """Equality of JSON values: 1 equals 1.0, true does not equal 1, object order does not matter."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return kind(a) == kind(b) and bool(a == b)


def kind(value: JSON) -> str:
    """The JSON type's name."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


def first_difference(wanted: JSON, found: JSON, pointer: str = "") -> str | None:
    """The first difference in words, by JSON pointer; None between equal values."""
    at = pointer[:MAX_POINTER] or "the root"
    if kind(wanted) != kind(found):
        return f"at {at}: {kind(wanted)} expected, {kind(found)} found"
    if isinstance(wanted, dict):
        for key in wanted.keys() | found.keys():
            if (key in wanted) != (key in found):
                lost = min(wanted.keys() ^ found.keys())
                word = "missing" if lost in wanted else "unexpected"
                return f"at {_step(pointer, lost)[:MAX_POINTER]}: {word}"
        pairs = ((_step(pointer, key), wanted[key], found[key]) for key in wanted)
    elif kind(wanted) == "array":
        if len(wanted) != len(found):
            return f"at {at}: {len(wanted)} elements expected, {len(found)} found"
        pairs = ((f"{pointer}/{n}", a, b) for n, (a, b) in enumerate(zip(wanted, found, strict=True)))
    else:
        return None if wanted == found else f"at {at}: {_brief(wanted)} expected, {_brief(found)} found"
    return next(filter(None, (first_difference(a, b, path) for path, a, b in pairs)), None)


class Differences:
    """Where two values differ: pointers, bounded."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.wrong: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.wrong)


class Comparison(Protocol):
    """What counts as equal at a path (a pointer with `*` for places in lists)."""

    def same(self, a: JSON, b: JSON, path: str) -> bool: ...

    def pairs(
        self, wanted: Sequence[JSON], found: Sequence[JSON], path: str
    ) -> Sequence[tuple[int, int]] | None:
        """Which elements of two lists belong together; None where their places say it."""
        ...


def compare(
    wanted: JSON, found: JSON, by: Comparison, into: Differences, pointer: str = "", *, path: str = ""
) -> int:
    """How many leaves of the two values match; the others go to `into` by their pointers: in the
    wanted value, or in the found one where they are unexpected.
    """
    if _inner(wanted) and _inner(found) and kind(wanted) == kind(found):
        matched = 0
        listed = kind(wanted) == "array"
        theirs = dict(_children(found))
        for key, value, place in _aligned(wanted, found, by, path):
            here = _step(pointer, key)
            if place is None:
                _note(into.missing, here)
                continue
            below = path + "/*" if listed else _step(path, key)
            matched += compare(value, theirs.pop(place), by, into, here, path=below)
        for key in theirs:
            _note(into.unexpected, _step(pointer, key))
        return matched
    if not _inner(wanted) and not _inner(found) and by.same(wanted, found, path):
        return 1
    _note(into.wrong, pointer)
    return 0


def _aligned(
    wanted: JSON, found: JSON, by: Comparison, path: str
) -> Iterator[tuple[str | int, JSON, str | int | None]]:
    """Each child of the wanted value with its key and the key of the found one's that it belongs to."""
    if isinstance(wanted, dict):
        yield from ((key, value, key if key in found else None) for key, value in wanted.items())
        return
    pairs = by.pairs(wanted, found, path)
    places = {n: n for n in range(len(found))} if pairs is None else dict(pairs)
    yield from ((n, value, places.get(n)) for n, value in enumerate(wanted))


def leaf_count(value: JSON) -> int:
    """How many leaves a value has; an empty object or array is one."""
    return sum(leaf_count(child) for _, child in _children(value)) if _inner(value) else 1


def _inner(value: JSON) -> bool:
    return isinstance(value, (dict, list, tuple)) and bool(value)


def _children(value: JSON) -> Iterator[tuple[str | int, JSON]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _step(pointer: str, key: str | int) -> str:
    return pointer + "/" + str(key).replace("~", "~0").replace("/", "~1")


def _note(where: list[str], pointer: str) -> None:
    if len(where) < LISTED:
        where.append(pointer[:MAX_POINTER] or "the root")


def _brief(value: JSON) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:80] + "…"

"""Strict JSON (RFC 8259): the value of a whole text, or the reason why it is none."""

from __future__ import annotations

import json
import math
import re
from typing import Literal, NoReturn

from assay.keys import JSON

MAX_DEPTH = 128
"""Arrays and objects within one another; a text that nests deeper is refused unread."""

Code = Literal[
    "empty",
    "length",
    "fenced",
    "prose_around",
    "trailing_comma",
    "single_quotes",
    "nan",
    "duplicate_key",
    "two_values",
    "refusal",
    "other",
]
"""Why a text is no JSON: load.md's JSON_PARSE_ERROR."""


class ParseError(ValueError):
    """A text is not strict JSON; `line` and `column` count from 1."""

    def __init__(self, code: Code, problem: str, text: str, at: int) -> None:
        self.code: Code = code
        self.line = text.count("\n", 0, at) + 1
        self.column = at - text.rfind("\n", 0, at)
        self.problem = problem
        super().__init__(f"{code} at {self.line}:{self.column}: {problem}")


class _DuplicateKey(ValueError):
    pass


class _NotFinite(ValueError):
    pass


_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_BRACKETS = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_TOKENS = re.compile(rf"(?P<string>{_STRING})(?P<key>\s*:)?|[\[\]{{}}]", re.DOTALL)
_NAMES = re.compile(rf"{_STRING}|-?Infinity|NaN", re.DOTALL)
_ESCAPES = re.compile(r"\\(?:u(?P<hex>[0-9a-fA-F]{4})|.)|[\ud800-\udfff]", re.DOTALL)
_BAD_NUMBER = re.compile(rf"{_STRING}|-?\d[\d.eE+-]*", re.DOTALL)


def parse(text: str) -> JSON:
    """The value of the whole text.

    Refused beside what RFC 8259 refuses: duplicate keys, lone surrogates, numbers without a finite
    double, more than MAX_DEPTH levels. Raises ParseError; nothing is ever repaired.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    try:
        value: JSON = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except _DuplicateKey as found:
        raise ParseError(
            "duplicate_key", f"the key {str(found)[:80]} comes twice", text, _duplicate(text)
        ) from None
    except _NotFinite as found:
        code: Code = "nan" if str(found) in ("NaN", "Infinity", "-Infinity") else "other"
        place = _first(_NAMES if code == "nan" else _BAD_NUMBER, text, str(found))
        raise ParseError(code, f"{str(found)[:40]} is no JSON number", text, place) from None
    except json.JSONDecodeError as error:
        raise ParseError(_code(text, error), error.msg, text, error.pos) from None
    except ValueError as error:  # Python's own limit on the digits of an integer
        raise ParseError("other", str(error)[:80], text, 0) from None
    at = _lone_surrogate(text)
    if at is not None:
        raise ParseError("other", "a lone surrogate", text, at)
    return value


def _object(pairs: list[tuple[str, JSON]]) -> JSON:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(repr(key))
            seen.add(key)
    return value


def _constant(name: str) -> NoReturn:
    raise _NotFinite(name)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NotFinite(digits)
    return number


def _check_depth(text: str) -> None:
    depth = 0
    for token in _BRACKETS.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise ParseError("other", f"more than {MAX_DEPTH} levels", text, token.start())
        elif token[0] in ("]", "}"):
            depth -= 1


def _first(pattern: re.Pattern[str], text: str, token: str) -> int:
    return next((found.start() for found in pattern.finditer(text) if found[0] == token), 0)


def _duplicate(text: str) -> int:
    """Where the first key stands that its object already has."""
    seen: list[set[str]] = []
    for token in _TOKENS.finditer(text):
        if token[0] in ("{", "["):
            seen.append(set())
        elif token[0] in ("}", "]"):
            if seen:
                seen.pop()
        elif token["key"] is not None and seen:
            key = json.loads(token["string"])
            if key in seen[-1]:
                return token.start()
            seen[-1].add(key)
    return 0


def _lone_surrogate(text: str) -> int | None:
    """Where a surrogate stands without its pair, raw or escaped; None where none does."""
    if "\\u" not in text and (text.isascii() or text.encode("utf-8", "replace").decode() == text):
        return None
    high: int | None = None
    end = -1
    for found in _ESCAPES.finditer(text):
        unit = int(found["hex"], 16) if found["hex"] else ord(found[0]) if len(found[0]) == 1 else 0
        paired = high is not None and found.start() == end and 0xDC00 <= unit <= 0xDFFF
        if high is not None and not paired:
            return high
        if not paired and 0xDC00 <= unit <= 0xDFFF:
            return found.start()
        high = found.start() if 0xD800 <= unit <= 0xDBFF else None
        end = found.end()
    return high


def _code(text: str, error: json.JSONDecodeError) -> Code:
    """The usual mistakes by name: what stands at the place of the error, and around it."""
    bare = text.strip()
    if not bare or bare.startswith("```"):
        return "fenced" if bare else "empty"
    here = text[error.pos : error.pos + 1]
    before = text[: error.pos].rstrip()[-1:]
    if error.msg.startswith("Extra data"):
        return "two_values" if here in ("{", "[", '"', "-") or here.isdigit() else "prose_around"
    if here == "'":
        return "single_quotes"
    if error.msg.startswith("Illegal trailing comma") or (here in ("}", "]") and before == ","):
        return "trailing_comma"
    if bare[0] not in '{["\ufeff' and ("{" in bare or "[" in bare):
        return "prose_around"
    return "other"

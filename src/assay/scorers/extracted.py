"""JSON inside a reply: taken from a fence or from prose, never repaired, with how it was found."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON
from assay.scorers.exact import LONGEST
from assay.scorers.leaves import kind
from assay.scorers.rule import Rule, alternatives, broken_case, ending, no_reply, not_applicable
from assay.scorers.schemas import SchemaCheck, schema_checker
from assay.scorers.strict_json import ParseError, parse
from assay.trial import Score, Trial

NAME, SCHEMA = "json_extracted", "json_extracted_schema"
MAX_VALUES = 1000
"""Balanced parts of a reply that are tried."""
MAX_WITHIN = 16
"""Balanced parts that are no JSON and are searched within."""
KEPT = 2000
"""Characters of an extracted value that the details keep."""

_OPENING = re.compile(r"[\[{]")
_TOKEN = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[\[\]{}]')


class Extracted(Struct, frozen=True):
    """A value, the step that found it (`strict`, `fenced` or `prose`), and where it stands."""

    value: JSON
    method: str
    start: int
    end: int


def extract(text: str, kinds: frozenset[str] = frozenset()) -> Extracted | None:
    """The value of the whole text; else of the first fence that holds one; else of the first balanced
    object or array. `kinds` are the JSON types that will do (all, where it is empty).
    """
    whole = _value(text, "strict", 0, len(text))
    if whole is not None:
        return whole
    found = filter(None, (_value(text, "fenced", start, end) for start, end in _fences(text)))
    return next((each for each in (*found, *_in_prose(text)) if not kinds or kind(each.value) in kinds), None)


def _value(text: str, method: str, start: int, end: int) -> Extracted | None:
    try:
        return Extracted(parse(text[start:end]), method, start, end)
    except ParseError:
        return None


def _fences(text: str) -> Iterator[tuple[int, int]]:
    """What stands between fences of three or more backticks or tildes, each on a line of its own."""
    at, opened, start = 0, "", 0
    for line in text.splitlines(keepends=True):
        mark = line.strip()
        if not opened and mark.startswith(("```", "~~~")):
            opened = mark[: len(mark) - len(mark.lstrip(mark[0]))]
            start = at + len(line)
        elif opened and mark.startswith(opened) and not mark.strip(opened[0]):
            yield start, at
            opened = ""
        at += len(line)


def _in_prose(text: str) -> Iterator[Extracted]:
    """The values of the balanced parts; within one that is no JSON its own parts are tried."""
    parts, within = deque(_balanced(text, 0, len(text))), 0
    for _ in range(MAX_VALUES):
        if not parts:
            return
        start, end = parts.popleft()
        found = _value(text, "prose", start, end)
        if found is not None:
            yield found
        elif within < MAX_WITHIN:
            within += 1
            parts.extendleft(reversed(list(_balanced(text, start + 1, end - 1))))


def _balanced(text: str, at: int, stop: int) -> list[tuple[int, int]]:
    """The outermost parts between brackets, of either kind, in order; in linear time."""
    found: list[tuple[int, int]] = []
    opened: list[int] = []
    while token := (_TOKEN if opened else _OPENING).search(text, at, stop):
        at = token.end()
        if token[0] in ("{", "["):
            opened.append(token.start())
        elif token[0] in ("}", "]"):
            start = opened.pop()
            while found and found[-1][0] > start:
                found.pop()
            found.append((start, at))
    return found


def json_extracted(*, schema: JSON = None) -> Rule:
    """Whether the reply holds a JSON value: alone, in a fence, or in prose; how is in the details.

    `json_extracted_schema` says whether that value meets the case's schema, else `schema` (not
    applicable without one). Where target or schema ask for an object or an array, only such a value
    is looked for. A broken `schema` raises UsageError; a broken one of a case leaves it unscored.
    """
    valid = schema_checker()
    if schema is not None:
        try:
            valid(schema, None)
        except ValueError as error:
            raise UsageError(f"json_extracted: {error}", fix="mend the schema") from None

    def check(trial: Trial) -> tuple[Score, ...]:
        chosen = trial.case.schema if trial.case.schema is not None else schema
        reply = trial.transcript.final
        found, reason = None, no_reply(trial)
        if reply is not None:
            reason = f"no JSON value stands in the reply{ending(reply)}"
            if len(reply.text) > LONGEST:
                reason = f"the reply has {len(reply.text)} characters"
            else:
                found = extract(reply.text, _kinds(trial.case.target, chosen))
        return (_score(found, reason), _meets(found, reason, chosen, valid))

    return Rule(NAME, 1, {"schema": schema}, check)


def _kinds(target: JSON, schema: JSON) -> frozenset[str]:
    """The types that are asked for, where they are objects or arrays."""
    asked = {kind(each) for each in alternatives(target)} if target is not None else set()
    if isinstance(schema, dict) and schema.get("type") in ("object", "array"):
        asked = {schema["type"]}
    return frozenset(asked) if asked <= {"object", "array"} else frozenset()


def _score(found: Extracted | None, reason: str) -> Score:
    if found is None:
        return Score(NAME, False, reason)
    details: dict[str, JSON] = {"method": found.method, "start": found.start, "end": found.end}
    raw = msgspec.json.encode(found.value).decode()
    if found.method != "strict" and len(raw) <= KEPT:
        details["value"] = found.value
    return Score(NAME, True, found.method, details=details)


def _meets(found: Extracted | None, reason: str, schema: JSON, valid: SchemaCheck) -> Score:
    if schema is None:
        return not_applicable(SCHEMA, "neither the case nor the task has a schema")
    try:
        verdict = valid(schema, None if found is None else found.value)
    except ValueError as error:
        return broken_case(SCHEMA, f"the schema is broken: {error}")
    if found is None:
        return Score(SCHEMA, False, reason)
    if not verdict.count:
        return Score(SCHEMA, True)
    errors = [msgspec.to_builtins(error) for error in verdict.errors]
    return Score(SCHEMA, False, str(verdict.errors[0]), details={"count": verdict.count, "errors": errors})

"""Structured output: whether a reply is JSON, meets its schema, and says what it should."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Finish, Reply
from assay.scorers.alignment import Field, Fields, checked
from assay.scorers.leaves import Differences, compare, equal, first_difference, leaf_count
from assay.scorers.rule import Rule, alternatives, broken_case, no_reply, not_applicable
from assay.scorers.schemas import schema_checker
from assay.scorers.strict_json import ParseError, parse
from assay.trial import Score, Trial


def parsed(trial: Trial) -> tuple[JSON, str, JSON]:
    """The reply's value, or null with the reason and the details of why it has none."""
    reply = trial.transcript.final
    if reply is None:
        return None, no_reply(trial), {"code": "empty"}
    try:
        return parse(reply.text), "", None
    except ParseError as error:
        code = _ending_code(reply) or error.code
        reason = f"{code} at {error.line}:{error.column}: {error.problem}"
        return None, reason, {"code": code, "line": error.line, "column": error.column}


def _ending_code(reply: Reply) -> str | None:
    if reply.refusal or reply.finish is Finish.REFUSAL:
        return "refusal"
    return "length" if reply.finish is Finish.LENGTH else None


def json_valid() -> Rule:
    """Whether the whole reply is strict JSON; else the code of load.md with line:column."""

    def check(trial: Trial) -> tuple[Score, ...]:
        _, reason, details = parsed(trial)
        return (Score("json_valid", not reason, reason, details=details),)

    return Rule("json_valid", 1, {}, check)


def json_schema(*, schema: JSON = None) -> Rule:
    """Whether the reply meets the case's schema, else `schema`: draft 2020-12 unless its `$schema`
    says otherwise, formats asserted, no reference ever fetched. Details list pointer, keyword and
    message. A broken `schema` raises UsageError; a broken one of a case leaves the trial unscored.
    """
    valid = schema_checker()
    if schema is not None:
        try:
            valid(schema, None)
        except ValueError as error:
            raise UsageError(f"json_schema: {error}", fix="mend the schema") from None

    def check(trial: Trial) -> tuple[Score, ...]:
        chosen = trial.case.schema if trial.case.schema is not None else schema
        if chosen is None:
            return (not_applicable("json_schema", "neither the case nor the task has a schema"),)
        value, reason, details = parsed(trial)
        try:
            found = valid(chosen, value)
        except ValueError as error:
            return (broken_case("json_schema", f"the schema is broken: {error}"),)
        if reason:
            return (Score("json_schema", False, reason, details=details),)
        if not found.count:
            return (Score("json_schema", True),)
        details = {"count": found.count, "errors": [msgspec.to_builtins(error) for error in found.errors]}
        return (Score("json_schema", False, str(found.errors[0]), details=details),)

    return Rule("json_schema", 1, {"schema": schema}, check)


def json_exact() -> Rule:
    """Whether the reply equals the target as JSON: objects in any order, 1 equals 1.0, true does
    not equal 1. The reason names the first difference.
    """

    def check(trial: Trial) -> tuple[Score, ...]:
        target = trial.case.target
        if target is None:
            return (not_applicable("json_exact", "the case has no target"),)
        value, reason, details = parsed(trial)
        if reason:
            return (Score("json_exact", False, reason, details=details),)
        accepted = alternatives(target)
        if any(equal(wanted, value) for wanted in accepted):
            return (Score("json_exact", True),)
        reason = next(filter(None, (first_difference(wanted, value) for wanted in accepted)), "no value")
        return (Score("json_exact", False, reason),)

    return Rule("json_exact", 1, {}, check)


def json_fields(
    *,
    tolerance: float = 0.0,
    fold: bool = False,
    dates: bool = False,
    fields: dict[str, Field] | None = None,
) -> Rule:
    """F1 over the leaves (JSON pointer and value) of reply and target; invalid JSON is 0.

    `tolerance` is the absolute one for numbers; `fold` ignores case and white space of texts;
    `dates` compares texts that are dates by their day or instant; `fields` says it for single
    fields, and how the elements of a list find each other. Precision is matched / leaves of the
    reply, recall matched / leaves of the target. An empty object or array is a leaf. Of several
    accepted targets the best one counts. Raises UsageError for a field that is no path.
    """
    by = Fields(tolerance, fold, dates, checked(fields or {}))

    def check(trial: Trial) -> tuple[Score, ...]:
        target = trial.case.target
        if target is None:
            return (not_applicable("json_fields", "the case has no target"),)
        value, reason, details = parsed(trial)
        if reason:
            return (Score("json_fields", 0.0, reason, details=details),)
        scored = [_field_score(wanted, value, by) for wanted in alternatives(target)]
        return (max(scored, key=lambda score: score.number or 0.0),) if scored else (_no_target(),)

    return Rule("json_fields", 2, msgspec.to_builtins(by), check)


def _no_target() -> Score:
    return broken_case("json_fields", "the target's any_of is empty")


def _field_score(wanted: JSON, value: JSON, by: Fields) -> Score:
    found = Differences()
    matched = compare(wanted, value, by, found)
    expected, actual = leaf_count(wanted), leaf_count(value)
    precision, recall = matched / actual, matched / expected
    f1 = 2 * matched / (expected + actual)
    details = {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "matched": matched,
        "expected": expected,
        "actual": actual,
        "missing": found.missing,
        "unexpected": found.unexpected,
        "wrong": found.wrong,
    }
    return Score("json_fields", f1, "; ".join(_told(found)), details=details)


def _told(found: Differences) -> Iterator[str]:
    for word, pointers in (
        ("missing", found.missing),
        ("unexpected", found.unexpected),
        ("wrong", found.wrong),
    ):
        if pointers:
            yield f"{word} {', '.join(pointers[:3])}{', …' if len(pointers) > 3 else ''}"

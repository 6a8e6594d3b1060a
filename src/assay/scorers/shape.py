"""The shape of a JSON value: its paths and the types that stand there."""

from __future__ import annotations

from collections.abc import Iterator

from assay.keys import JSON
from assay.scorers.leaves import LISTED, MAX_POINTER, kind
from assay.scorers.rule import Rule, alternatives, broken_case, not_applicable
from assay.scorers.structured import parsed
from assay.trial import Score, Trial

NAME = "structure_match"
KEPT = 500
"""Entries of a shape that the details keep."""

Shape = frozenset[tuple[str, str]]


def shape(value: JSON) -> Shape:
    """The set of (path, JSON type) of a value; `*` stands for any place in an array."""
    return frozenset(_paths(value, ""))


def _paths(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    yield path, kind(value)
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _paths(child, path + "/" + key.replace("~", "~0").replace("/", "~1"))
    elif isinstance(value, list):
        for child in value:
            yield from _paths(child, path + "/*")


def structure() -> Rule:
    """`structure_match`: the Jaccard index of the reply's and the target's shapes, in [0, 1].

    A reply that is no JSON has the empty shape and scores 0. The best accepted target counts. The
    details keep the shape as lines, so that a report can compare the rounds of a case.
    """

    def check(trial: Trial) -> tuple[Score, ...]:
        target = trial.case.target
        if target is None:
            return (not_applicable(NAME, "the case has no target"),)
        value, reason, details = parsed(trial)
        if reason:
            return (Score(NAME, 0.0, reason, details=details),)
        accepted = [shape(each) for each in alternatives(target)]
        if not accepted:
            return (broken_case(NAME, "the target's any_of is empty"),)
        have = shape(value)
        wanted = max(accepted, key=lambda each: _jaccard(each, have))
        return (_compared(wanted, have),)

    return Rule(NAME, 1, {}, check)


def _jaccard(a: Shape, b: Shape) -> float:
    return len(a & b) / len(a | b)


def _compared(wanted: Shape, have: Shape) -> Score:
    missing, unexpected = _lines(wanted - have), _lines(have - wanted)
    details = {
        "missing": missing[:LISTED],
        "unexpected": unexpected[:LISTED],
        "shape": _lines(have)[:KEPT],
    }
    told = [f"missing {missing[0]}"] if missing else []
    told += [f"unexpected {unexpected[0]}"] if unexpected else []
    return Score(NAME, _jaccard(wanted, have), "; ".join(told), details=details)


def _lines(entries: Shape) -> list[str]:
    return sorted(f"{path[:MAX_POINTER] or 'the root'}: {type_}" for path, type_ in entries)

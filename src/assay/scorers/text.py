"""What is looked for inside a reply: a text, or a number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from assay.errors import UsageError
from assay.keys import JSON
from assay.scorers.exact import LONGEST, as_text, normalise
from assay.scorers.rule import (
    Rule,
    alternatives,
    broken_case,
    ending,
    no_reply,
    not_applicable,
    shown,
)
from assay.trial import Score, Trial


def contains(
    *, words: bool = True, case: bool = False, punctuation: bool = False, articles: bool = False
) -> Rule:
    """Whether the target stands in the reply, as whole words unless `words` is false.

    Both are normalised as `exact` does. The target is one value or `{any_of: [...]}`.
    """

    def check(trial: Trial) -> tuple[Score, ...]:
        reply, target = trial.transcript.final, trial.case.target
        if target is None:
            return (not_applicable("contains", "the case has no target"),)
        if reply is None:
            return (Score("contains", False, no_reply(trial)),)
        text = reply.text[:LONGEST]
        within = normalise(text, case=case, punctuation=punctuation, articles=articles)
        for wanted in map(as_text, alternatives(target)):
            part = normalise(wanted, case=case, punctuation=punctuation, articles=articles)
            if not part:
                return (broken_case("contains", f"the target {shown(wanted)} is empty when normalised"),)
            if _stands(part, within, words=words):
                return (Score("contains", True, f"contains {shown(wanted)}"),)
        reason = f"{shown(reply.text)} does not contain {shown(as_text(target))}{ending(reply)}"
        return (Score("contains", False, reason),)

    settings = {"words": words, "case": case, "punctuation": punctuation, "articles": articles}
    return Rule("contains", 1, settings, check)


def _stands(part: str, within: str, *, words: bool) -> bool:
    if not words:
        return part in within
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", within) is not None


_SEPARATOR = r"[, '\u2019_\u00a0\u2009\u202f\uff0c]"
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)\]])[-+\u2212\uff0d])?"
    r"(?:[$€£¥₽]\s?)?"
    r"(?:(?<![^\W_])|(?<=USD)|(?<=EUR)|(?<=RUB)|(?<=GBP))"
    r"(?:"
    rf"(?P<grouped>(?!0)\d{{1,3}}(?P<by>{_SEPARATOR})\d{{3}}(?:(?P=by)\d{{3}})*)(?!\d)(?P<tail>\.\d+|(?<!,\d{{3}}),\d+)?"
    r"|(?P<dotted>\d{1,3}(?:\.\d{3}){2,})(?!\d)(?P<comma>,\d+)?"
    r"|(?P<plain>\d+(?:[.,]\d+)?|(?<!\d)\.\d+)"
    r")"
    r"(?:[eE](?P<exponent>[-+]?\d{1,3})(?!\d))?"
)


def numbers(text: str) -> Iterator[Decimal]:
    """Every number of a text, in order.

    Thousands are set apart by a comma, a blank, an apostrophe or an underscore before groups of
    three digits (points, where there are two groups or more); a comma before other than three
    digits is a decimal one. A sign belongs to a number that it touches and that no word precedes;
    the minus may be U+2212. Currency signs and % are no part of the value. A number inside a
    word (m2) is none.
    """
    for found in _NUMBER.finditer(text):
        if found["grouped"]:
            digits = found["grouped"].replace(found["by"], "") + (found["tail"] or "").replace(",", ".")
        elif found["dotted"]:
            digits = found["dotted"].replace(".", "") + (found["comma"] or "").replace(",", ".")
        else:
            digits = found["plain"].replace(",", ".")
        sign = "-" if found["sign"] in ("-", "\u2212", "\uff0d") else ""
        yield Decimal(f"{sign}{digits}e{found['exponent'] or 0}")


def numeric(*, after: str | None = None, abs: float = 0.0, rel: float = 0.0) -> Rule:
    """Whether the reply's number is the target's: |x - t| <= max(abs, rel * |t|), in decimals.

    The reply's number is its last one, or with `after` the first behind the last such marker.
    The target is a number, a text that holds one (its last), or `{any_of: [...]}` of these.
    """
    if abs < 0 or rel < 0:
        raise UsageError("numeric: a tolerance is negative", fix="give abs and rel of at least 0")

    def check(trial: Trial) -> tuple[Score, ...]:
        reply, target = trial.transcript.final, trial.case.target
        if target is None:
            return (not_applicable("numeric", "the case has no target"),)
        wanted = [_number(value) for value in alternatives(target)]
        if not wanted or None in wanted:
            return (broken_case("numeric", f"the target {shown(as_text(target))} holds no number"),)
        if reply is None:
            return (Score("numeric", False, no_reply(trial)),)
        found = _answer(reply.text, after)
        if found is None:
            where = "" if after is None else f" after {shown(after)}"
            return (
                Score("numeric", False, f"no number{where} in {shown(reply.text[-200:])}{ending(reply)}"),
            )
        near = [t for t in wanted if t is not None and _near(found, t, Decimal(str(abs)), Decimal(str(rel)))]
        if near:
            return (Score("numeric", True, f"{found} is {near[0]}"),)
        return (Score("numeric", False, f"{found} is not {shown(as_text(target))}{ending(reply)}"),)

    return Rule("numeric", 1, {"after": after, "abs": abs, "rel": rel}, check)


def _answer(text: str, after: str | None) -> Decimal | None:
    if after is None:
        return _last(text[-LONGEST:])
    _, marker, rest = text.rpartition(after)
    return next(numbers(rest[:LONGEST]), None) if marker else None


def _last(text: str) -> Decimal | None:
    last = None
    for last in numbers(text):  # noqa: B007  the last one is what is wanted
        pass
    return last


def _number(value: JSON) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return Decimal(str(value))
    return _last(value) if isinstance(value, str) else None


def _near(found: Decimal, wanted: Decimal, within: Decimal, share: Decimal) -> bool:
    return found == wanted or (found - wanted).copy_abs() <= max(within, share * wanted.copy_abs())

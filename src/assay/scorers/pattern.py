"""Patterns that people write: run by RE2, in time linear in the text, whatever the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from assay.errors import UsageError
from assay.scorers.exact import LONGEST, as_text
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

Find = Callable[[str], str | None]
"""From a text to the first part of it that the pattern matches; None where there is none."""

LONGEST_PATTERN = 10_000
MEMORY = 8 << 20
"""Bytes that one compiled pattern may take."""
MAX_PATTERNS = 256
"""Patterns of cases that one scorer keeps compiled."""

_WORD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\[bBwW]")


class BadPattern(ValueError):
    """A text is no pattern that RE2 takes; the message says why, on one line."""


def finder(text: str, *, case: bool = False, whole: bool = False) -> Find:
    """The pattern's search, or with `whole` its match of the whole text; `case` that counts.

    RE2's syntax: no look-around and no back-references. Its word marks (backslash b and w) know
    ASCII letters only: beside other letters they would fail unseen, so that is refused. Raises
    BadPattern.
    """
    import re2  # type: ignore[import-untyped]  # it ships no types; loaded where it is used

    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"it has {len(text)} characters, at most {LONGEST_PATTERN} are taken")
    if not text.isascii() and _WORD_ESCAPE.search(text):
        raise BadPattern("\\b and \\w know ASCII letters only; write (?:^|[^\\pL]) or \\pL beside others")
    options = re2.Options()
    options.log_errors, options.case_sensitive, options.max_mem = False, case, MEMORY
    try:
        compiled = re2.compile(text.encode("utf-8", "replace").decode(), options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise BadPattern(said.partition("\n")[0][:200]) from None
    match = compiled.fullmatch if whole else compiled.search

    def find(subject: str) -> str | None:
        found = match(subject.encode("utf-8", "replace").decode())
        return None if found is None else str(found.group(0))

    return find


def chosen_pattern(setting: str, text: str, *, case: bool = False, whole: bool = False) -> Find:
    """The pattern of a setting. Raises UsageError for one that is none."""
    try:
        return finder(text, case=case, whole=whole)
    except BadPattern as error:
        fix = "mend the regular expression (RE2's syntax: no look-around, no back-references)"
        raise UsageError(f"{setting} is no pattern: {error}", fix=fix) from None


def regex(*, pattern: str | None = None, case: bool = False, whole: bool = False) -> Rule:
    """Whether the pattern matches a part of the reply, or with `whole` all of it.

    Without `pattern` the target is one, or `{any_of: [...]}`. Raises UsageError for a setting that
    is no pattern; a target that is none leaves the trial unscored.
    """
    fixed = None if pattern is None else chosen_pattern("regex: pattern", pattern, case=case, whole=whole)
    compiled = lru_cache(maxsize=MAX_PATTERNS)(lambda text: finder(text, case=case, whole=whole))

    def check(trial: Trial) -> tuple[Score, ...]:
        reply, target = trial.transcript.final, trial.case.target
        if fixed is None and target is None:
            return (not_applicable("regex", "there is neither a pattern nor a target"),)
        try:
            finds = [fixed] if fixed is not None else [compiled(as_text(t)) for t in alternatives(target)]
        except BadPattern as error:
            return (broken_case("regex", f"the target is no pattern: {error}"),)
        if reply is None:
            return (Score("regex", False, no_reply(trial)),)
        if len(reply.text) > LONGEST:
            return (Score("regex", False, f"the reply has {len(reply.text)} characters"),)
        found = next(filter(lambda each: each is not None, (find(reply.text) for find in finds)), None)
        if found is None:
            return (Score("regex", False, f"no match in {shown(reply.text)}{ending(reply)}"),)
        return (Score("regex", True, f"matches {shown(found)}"),)

    return Rule("regex", 1, {"pattern": pattern, "case": case, "whole": whole}, check)

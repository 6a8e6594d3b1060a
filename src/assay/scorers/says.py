"""Whether the agent said what it had to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from assay.keys import JSON
from assay.scorers.expectation import Says, named
from assay.scorers.rule import Rule, broken_case, not_applicable
from assay.scorers.talk import Spoken, Worked, folded, steps
from assay.trial import Score, Trial

NAME = "says"


def says() -> Rule:
    """Whether each entry of the case's `expect.says` stands in a line of the agent.

    An entry is `{"any_of": [texts], "after": TOOL}`: one of the texts, whatever their case, in a
    line that comes after that tool has answered without an error.
    """
    return Rule(NAME, 1, {}, _check)


def _check(trial: Trial) -> tuple[Score, ...]:
    expect = trial.case.target.get("expect") if isinstance(trial.case.target, Mapping) else None
    given = expect.get("says") if isinstance(expect, Mapping) else None
    if not given:
        return (not_applicable(NAME, "the case expects nothing to be said"),)
    try:
        wanted = msgspec.convert(named(given, trial.case.facts), tuple[Says, ...])
    except msgspec.ValidationError as error:
        return (broken_case(NAME, f"expect.says: {error}"),)
    said = list(steps(trial))
    missing = [each for each in wanted if not _is_said(each, said)]
    if not missing:
        return (Score(NAME, True),)
    listed = [_shown(each) for each in missing]
    details: JSON = {"missing": listed}
    return (Score(NAME, False, f"never said: {'; '.join(listed)}", details=details),)


def _is_said(wanted: Says, said: Sequence[Spoken | Worked]) -> bool:
    texts = [folded(text) for text in wanted.any_of]
    open_ = wanted.after is None
    for step in said:
        if isinstance(step, Worked):
            open_ = open_ or (step.name == wanted.after and step.error is None)
        elif open_ and step.side == "agent" and any(text in folded(step.text) for text in texts):
            return True
    return False


def _shown(wanted: Says) -> str:
    texts = " or ".join(f"«{text[:80]}»" for text in wanted.any_of)
    return texts if wanted.after is None else f"{texts} after {wanted.after}"

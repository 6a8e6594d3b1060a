"""A case's own criteria: yes-or-no points that its judge marks, and the share of them that is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec
from msgspec import structs

from assay.keys import JSON
from assay.scorers.asked import Given
from assay.scorers.expectation import Wanted
from assay.scorers.rubric import CASE_CRITERIA, Criterion, Rubric
from assay.scorers.verdict import Verdict, as_data
from assay.trial import Score, Trial

NAME = f"judge_{CASE_CRITERIA}"


class BrokenCriteria(ValueError):
    """What a case asks of the judge is not of the form."""


def criteria_of(trial: Trial) -> tuple[Wanted, ...]:
    """The criteria of the case's `expect.judge`; none where it has none. Raises BrokenCriteria."""
    target = trial.case.target
    expect = target.get("expect") if isinstance(target, Mapping) else None
    asked = expect.get("judge") if isinstance(expect, Mapping) else None
    given = asked.get("criteria") if isinstance(asked, Mapping) else None
    if not given:
        return ()
    try:
        wanted = msgspec.convert(given, tuple[Wanted, ...])
    except msgspec.ValidationError as error:
        raise BrokenCriteria(f"expect.judge.criteria: {error}") from None
    if len({each.id for each in wanted}) < len(wanted):
        raise BrokenCriteria("expect.judge.criteria: an id stands twice")
    return wanted


def with_criteria(rubric: Rubric, wanted: Sequence[Wanted]) -> Rubric:
    """The rubric with a case's criteria after its own, as a verdict marks them; one of the same id
    takes the place of the rubric's.
    """
    given = tuple(Criterion(each.id, each.about) for each in wanted)
    return structs.replace(rubric, criteria=(*_others(rubric, wanted), *given))


def criteria_text(rubric: Rubric, wanted: Sequence[Wanted]) -> str:
    """The rubric as the judge reads it, then the case's criteria: nothing else of the prompt is theirs.

    Each is shown as one JSON text, so that no case can write a line of the rubric.
    """
    own = structs.replace(rubric, criteria=_others(rubric, wanted)).text
    return f"{own}\n{case_text(rubric, wanted)}" if wanted else own


def case_text(rubric: Rubric, wanted: Sequence[Wanted]) -> str:
    """The case's criteria alone, under a heading in the rubric's language."""
    lines = (f"  {each.id}: {as_data(each.about)}" for each in wanted)
    return "\n".join(("", _HEADING.get(rubric.language, _HEADING["en"]), *lines))


_HEADING = {
    "en": "Criteria of this case: mark each as met or not; the grade goes by the rubric alone.",
    "ru": "Критерии этого случая: отметьте каждый, выполнен ли он; оценка ставится только по рубрике.",
}


def _others(rubric: Rubric, wanted: Sequence[Wanted]) -> tuple[Criterion, ...]:
    names = {each.id for each in wanted}
    return tuple(each for each in rubric.criteria if each.id not in names)


def share(verdict: Verdict, wanted: Sequence[Wanted]) -> float | None:
    """The weight of the criteria that are met over that of all; None where the verdict leaves one open."""
    marks = verdict.marks
    if any(each.id not in marks for each in wanted):
        return None
    met = sum(each.weight for each in wanted if marks[each.id])
    return met / sum(each.weight for each in wanted)


def criteria_score(wanted: Sequence[Wanted], valid: Sequence[Given]) -> Score:
    """The score beside the grade: the median share over the valid verdicts that mark every criterion.

    The details keep each of those verdicts' marks with their evidence turns, and the weights.
    """
    details: dict[str, JSON] = {"weights": {each.id: each.weight for each in wanted}}
    verdicts = [each.verdict for each in valid if each.verdict is not None]
    whole = [(verdict, held) for verdict in verdicts if (held := share(verdict, wanted)) is not None]
    if not whole:
        missing = [each.id for each in wanted if verdicts and each.id not in verdicts[0].marks]
        reason = f"the verdict leaves open: {', '.join(missing)}" if verdicts else "no verdict"
        return Score(NAME, None, reason, unscored="judge_invalid", details=details)
    names = {each.id for each in wanted}
    details["criteria"] = [[mark for mark in v.criteria if mark["id"] in names] for v, _ in whole]
    value = float(median(held for _, held in whole))
    return Score(NAME, value, _told(whole[0][0], wanted), details=details)


def _told(verdict: Verdict, wanted: Sequence[Wanted]) -> str:
    """What the first verdict found, criterion by criterion, with the line that shows it."""
    marks, turns = verdict.marks, {mark["id"]: mark["evidence_turn"] for mark in verdict.criteria}
    parts = {True: list[str](), False: list[str]()}
    for each in wanted:
        turn = turns[each.id]
        parts[marks[each.id]].append(each.id + (f" (line {turn})" if turn is not None else ""))
    told = (("met", parts[True]), ("not met", parts[False]))
    return "; ".join(f"{word}: {', '.join(ids)}" for word, ids in told if ids)

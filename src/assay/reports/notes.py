"""What a reader must know beside a model's figures, in words."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from assay.reports.families import kin
from assay.reports.figures import Figure, RoleSummary
from assay.reports.judges import JUDGES, JudgeSummary
from assay.reports.tally import ModelTally
from assay.trial import Status

MOST_CUT = 0.01
"""Above this share of answers cut at the token limit the headline carries a warning."""


class Attempts(Struct, frozen=True):
    """Calls of all roles that went out, those of them that failed, and replies without a price.

    `replayed_share` of the replies came from the record instead.
    """

    calls: int
    failed: int
    unpriced: int
    unknown: int
    replayed_share: float


class Noted(Struct, frozen=True):
    """What the notes are about: one model of a run and what was made of its trials."""

    run: str
    model: str
    headline: Figure
    statuses: dict[str, int]
    attempts: Attempts
    judges: dict[str, JudgeSummary]
    roles: dict[str, RoleSummary]


def notes(tally: ModelTally, noted: Noted) -> tuple[str, ...]:
    """What a reader must know beside the figures."""
    statuses, attempts, headline = noted.statuses, noted.attempts, noted.headline
    told = []
    if waiting := statuses.get(Status.PLAYED, 0):
        told.append(f"{waiting} trials wait for their scores")
    if not_run := statuses[Status.NOT_RUN]:
        told.append(f"partial: {not_run} of {sum(statuses.values())} trials were not run")
    if headline.value is not None and not tally.headline.unit:
        told.append("the headline leaves [0, 1]: it is conditional on being scored, failures are not in it")
    if tally.numberless:
        told.append(f"{tally.numberless} headline scores are not numbers and are not in it")
    cut, answers = tally.finishes["length"], sum(tally.finishes.values())
    if answers and cut / answers > MOST_CUT:
        told.append(f"{cut} of {answers} answers were cut at the token limit")
    if refused := tally.finishes["refusal"]:
        told.append(f"{refused} of {answers} answers are refusals")
    if attempts.replayed_share:
        share = f"{attempts.replayed_share:.0%} of the replies came from the record"
        told.append(f"{share}: timing and spend leave them out")
    return (*told, *_of_calls(noted), *_of_judges(noted))


def _of_calls(noted: Noted) -> Iterator[str]:
    """Calls of unknown end, calls that say nothing of time, replies without a price or a usage."""
    attempts, roles = noted.attempts, noted.roles.values()
    if attempts.unknown:
        yield f"{attempts.unknown} calls were in flight at a kill and may have been billed"
    if paused := sum(role.paused for role in roles):
        yield f"{paused} calls were in flight while this process stood still: no latency has them"
    if attempts.unpriced:
        yield f"{attempts.unpriced} replies have no known price and are not in the cost"
    uncounted, odd = sum(role.tokens.uncounted for role in roles), sum(role.tokens.odd for role in roles)
    if uncounted or odd:
        asked = sum(role.tokens.estimated_input for role in roles)
        said = sum(role.tokens.estimated_output for role in roles)
        about = f"by our own estimate they have {asked} tokens in and {said} out, which no total holds"
        yield f"{uncounted} replies have no usage, {odd} have one that cannot be right: {about}"


def _of_judges(noted: Noted) -> Iterator[str]:
    """A judge that nobody has checked, that is of the model's own kind, that was talked to, that gave up."""
    for name, judge in noted.judges.items():
        if name in JUDGES and not judge.calibrations:
            yield f"{name}: a judge's figure, not calibrated against people: assay label {noted.run}"
        if judge.suspicious:
            cases = ", ".join(judge.names[:5])
            yield f"{name}: {judge.suspicious} trials hold lines that seem to address the judge: {cases}"
        if judge.invalid:
            yield f"{name}: {judge.invalid} trials have no verdict after two asks"
    for each in noted.roles["judge"].models if "judge" in noted.roles else ():
        if each != noted.model and kin(each, (noted.model,)) is not None:
            yield f"the judge {each} is of the model's own family: it may prefer its own kind"

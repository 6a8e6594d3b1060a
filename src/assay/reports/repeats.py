"""What repeats of a case tell: pass@k, pass^k, and whether a model answers the same again."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from assay.reports.figures import CaseSum, Figure, figure
from assay.reports.scored import headline_number
from assay.stats.repeats import Passes, pass_at_k, pass_hat_k
from assay.trial import Status, Trial

KS = (1, 2, 3, 4, 5, 8, 10, 16, 32, 64, 100)
"""The k that are shown, up to the most repeats that a case has."""


class RepeatSummary(Struct, frozen=True):
    """Over the cases that were played several times (`cases`; `most` times at most).

    `pass_at` is the chance that any of k attempts is right, `pass_all` that all are, for each k; a
    failed trial is a wrong attempt, and cases with fewer than k attempts are `left_out`. Both are empty
    where the headline is not right or wrong. `same_reply` is the share of cases whose answered repeats
    are the same text, `same_score` of those whose scored repeats have the same headline.
    """

    cases: int
    most: int
    pass_at: tuple[Passes, ...]
    pass_all: tuple[Passes, ...]
    same_reply: Figure
    same_score: Figure


class _Seen(Struct):
    """The first reply and the first score of a case, and whether all others are the same."""

    replies: int = 0
    reply: int = 0
    same_reply: bool = True
    scores: int = 0
    score: float = 0.0
    same_score: bool = True


class RepeatTally:
    """What is kept of each case: two numbers, and whether they came again."""

    def __init__(self, headline: str) -> None:
        self._headline = headline
        self._cases: dict[str, _Seen] = {}

    def add(self, trial: Trial) -> None:
        seen = self._cases.get(trial.case.id)
        if seen is None:
            seen = self._cases[trial.case.id] = _Seen()
        final = trial.transcript.final
        if final is not None:
            said = hash((final.text, final.tool_calls))
            seen.same_reply &= not seen.replies or said == seen.reply
            seen.reply = said
            seen.replies += 1
        number = headline_number(trial, self._headline) if trial.status is Status.SCORED else None
        if number is not None:
            seen.same_score &= not seen.scores or number == seen.score
            seen.score = number
            seen.scores += 1

    def summary(self, cases: Mapping[str, CaseSum], *, binary: bool) -> RepeatSummary | None:
        """None where no case was played twice; `cases` are the headline's sums, failures as 0."""
        counts = [(case.count, round(case.total)) for case in cases.values()]
        most = max((count for count, _ in counts), default=0)
        if most < 2:
            return None
        ks = [k for k in KS if k <= most] if binary else []
        return RepeatSummary(
            cases=sum(count > 1 for count, _ in counts),
            most=most,
            pass_at=tuple(pass_at_k(counts, k) for k in ks),
            pass_all=tuple(pass_hat_k(counts, k) for k in ks),
            same_reply=_share("same reply", [s.same_reply for s in self._cases.values() if s.replies > 1]),
            same_score=_share("same score", [s.same_score for s in self._cases.values() if s.scores > 1]),
        )


def _share(name: str, hits: list[bool]) -> Figure:
    return figure(name, [CaseSum(float(hit), 1) for hit in hits], unit=True, binary=True)

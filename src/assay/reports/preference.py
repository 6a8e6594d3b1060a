"""What a judge preferred over the pairs of two arms, and whether order or length decided it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from assay.keys import JSON
from assay.reports.families import kin
from assay.reports.figures import CaseSum, Figure, figure
from assay.stats.intervals import Estimate
from assay.stats.paired import mcnemar
from assay.stats.preference import Association, association, at_zero
from assay.trial import Score, Status, Trial

SCORE = "pairwise"
ALPHA = 0.01
"""A bias is flagged below this p: of a hundred judges without one, one is flagged for each of both."""

MOST_SUSPICIOUS = 20


class Preference(Struct, frozen=True):
    """B against A by a judge that saw every pair in both orders.

    `win_rate` is that of B, (wins + ties / 2) / pairs. `asked` pairs were shown to the judge, `same` ones
    were not, since the answers are equal; `unscored` have no verdict in one of the orders and are in no
    figure. `position_flip_rate` is the share of asked pairs whose orders disagree, `win_first_rate` that
    of the first answer among the `decided` verdicts (not ties); `position_p` is the exact sign test of no
    lean to either place. `length` correlates B's verdicts with the difference of log lengths, and
    `at_equal_length` is B's win rate where both are equally long. `flags` say in words what is not right,
    `suspicious` names trials in which an answer seems to address the judge.
    """

    judge: str
    pairs: int
    asked: int
    same: int
    unscored: int
    a_wins: int
    b_wins: int
    ties: int
    win_rate: Figure
    position_flip_rate: float | None
    win_first_rate: float | None
    decided: int
    position_p: float
    length: Association | None
    at_equal_length: Estimate | None
    flags: tuple[str, ...]
    suspicious: tuple[str, ...]


class Pair(NamedTuple):
    """One pair: what B got (0, 0.5, 1), whom each order preferred, B's log length less A's."""

    case: str
    value: float
    preferred: tuple[str, str] | None
    longer: float


class PairTally:
    """What is kept of each pair while trials go by."""

    def __init__(self) -> None:
        self._pairs: list[Pair] = []
        self._unscored = 0
        self._suspicious: list[str] = []

    def add(self, trial: Trial, score: Score) -> None:
        """Takes in the score `pairwise` of a trial."""
        details = score.details if isinstance(score.details, dict) else {}
        if details.get("suspicious") and len(self._suspicious) < MOST_SUSPICIOUS:
            self._suspicious.append(trial.case.name or trial.key[:12])
        pair = _pair(trial, score, details)
        if pair is not None:
            self._pairs.append(pair)
        else:
            self._unscored += score.unscored != "not_applicable"

    def add_failed(self) -> None:
        """Counts a trial that has no score at all."""
        self._unscored += 1

    def summary(self, judge: str, arms: tuple[str, ...] = ()) -> Preference:
        """The judge's preference; `arms` names whose answers they are."""
        pairs = self._pairs
        asked = [pair for pair in pairs if pair.preferred is not None]
        leans = [_lean(pair) for pair in asked]
        decided = [place for pair in asked for place in _places(pair)]
        position_p = mcnemar(sum(lean > 0 for lean in leans), sum(lean < 0 for lean in leans))
        gaps, values = [pair.longer for pair in asked], [pair.value for pair in asked]
        length = association(gaps, values)
        flips = [pair.preferred[0] != pair.preferred[1] for pair in asked if pair.preferred]
        return Preference(
            judge=judge,
            pairs=len(pairs),
            asked=len(asked),
            same=len(pairs) - len(asked),
            unscored=self._unscored,
            a_wins=sum(pair.value == 0.0 for pair in pairs),
            b_wins=sum(pair.value == 1.0 for pair in pairs),
            ties=sum(pair.value == 0.5 for pair in pairs),
            win_rate=_win_rate(pairs),
            position_flip_rate=_share(flips),
            win_first_rate=_share([place == "first" for place in decided]),
            decided=len(decided),
            position_p=position_p,
            length=length,
            at_equal_length=at_zero(gaps, values),
            flags=tuple(_flags(judge, arms, leans, position_p, length)),
            suspicious=tuple(self._suspicious),
        )


def preference(trials: Iterable[Trial], judge: str, arms: tuple[str, ...] = ()) -> Preference:
    """The judge's preference over the trials of a `pairwise` run; `arms` names whose answers they are."""
    tally = PairTally()
    for trial in trials:
        score = next((each for each in trial.scores if each.name == SCORE), None)
        if score is not None:
            tally.add(trial, score)
        elif trial.status is not Status.SKIPPED:
            tally.add_failed()
    return tally.summary(judge, arms)


def _pair(trial: Trial, score: Score, details: dict[str, JSON]) -> Pair | None:
    value = score.number
    if value is None:
        return None
    told, sizes = details.get("preferred"), details.get("characters") or {}
    preferred = (str(told[0]), str(told[1])) if isinstance(told, list) and len(told) == 2 else None
    longer = math.log1p(sizes.get("B", 0)) - math.log1p(sizes.get("A", 0))
    return Pair(trial.case.id, value, preferred, longer)


_FIRST = ("A", "B")
"""Who stands first in each of the two orders."""


def _places(pair: Pair) -> Iterator[str]:
    """The place of the answer that won, for each order that was no tie."""
    for first, preferred in zip(_FIRST, pair.preferred or (), strict=False):
        if preferred in _FIRST:
            yield "first" if preferred == first else "second"


def _lean(pair: Pair) -> int:
    """How often the first place won less how often the second did: 0 for a judge that keeps its word."""
    return sum(1 if place == "first" else -1 for place in _places(pair))


def _share(hits: list[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _win_rate(pairs: Iterable[Pair]) -> Figure:
    cases: dict[str, CaseSum] = {}
    for pair in pairs:
        cases.setdefault(pair.case, CaseSum()).add(pair.value)
    return figure("win rate of B", cases.values(), unit=True, binary=False)


def _flags(
    judge: str, arms: tuple[str, ...], leans: list[int], position_p: float, length: Association | None
) -> Iterator[str]:
    if position_p < ALPHA:
        place = "first" if sum(leans) > 0 else "second"
        yield f"the judge leans to the answer that is shown {place} (p {position_p:.2g})"
    if length is not None and length.p < ALPHA:
        which = "longer" if length.r > 0 else "shorter"
        yield (
            f"the {which} answer wins more often (r {length.r:+.2f}, p {length.p:.2g}):"
            " see the win rate at equal length"
        )
    if (near := kin(judge, arms)) is not None:
        yield f"the judge {judge} is of the family of {near}: it may prefer its own kind"

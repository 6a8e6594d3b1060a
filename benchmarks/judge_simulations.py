"""Simulations N8 and N10: does a judge invent numbers, and is a biased one seen?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import NamedTuple

from assay.case import Case
from assay.keys import JSON, random_stream
from assay.message import Finish, Message, Reply, ResponseFormat, Sampling, ToolSpec
from assay.ports import Capabilities, Seat
from assay.reports.preference import preference
from assay.scorers.judge import judge
from assay.trial import Event, Outcome, Score, Status, Transcript, Trial

PAIRS = 200


class Share(NamedTuple):
    """In how many of `runs` it happened, and the promise: from `least` to `most`."""

    what: str
    hits: int
    runs: int
    least: float
    most: float


class Scripted:
    """A judge's seat that answers from a list."""

    role = "judge"
    capabilities = Capabilities()

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = replies
        self.asked = 0

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
        format: ResponseFormat = "text",
        schema: JSON = None,
        sampling: Sampling | None = None,
        continuation: str | None = None,
    ) -> Reply:
        del (
            messages,
            tools,
            tool_choice,
            format,
            schema,
            sampling,
            continuation,
        )  # it answers whatever it is asked
        self.asked += 1
        return self.replies[self.asked - 1]


class Table:
    """A table with that seat alone."""

    run, trial, repeat, seed, stopping, spent = "run", "key", 0, 7, False, Decimal(0)

    def __init__(self, seat: Seat) -> None:
        self.seats: Mapping[str, Seat] = {"judge": seat}

    def random(self, name: str) -> Random:
        return random_stream(self.seed, name)

    def unguessable(self, name: str) -> Random:
        return random_stream(self.seed, name)

    def clock(self) -> float:
        return 0.0

    def emit(self, event: Event) -> None:
        """Nobody watches."""

    async def effect(self, name: str, key: str, act: Callable[[], object]) -> JSON:
        raise NotImplementedError(f"a judge does nothing outside: {name} {key} {act}")


TALK = Trial(
    "run", "key", Case("id", "n", "What is 6 x 7?"), "m", 0, 7, Status.PLAYED,
    transcript=Transcript((), Outcome("answered"), Reply("42", finish=Finish.STOP)),
)  # fmt: skip

_PROSE = (
    "The agent did well on the whole.", "A solid {n} of three, I should say.", "Оператор был вежлив.",
    "I would give {n}, maybe {m}.", "{n}", "Grade {n}!", "Между {n} и {m}.",
)  # fmt: skip
_COMMENTS = ("The order is right.", "Заказ верен.", 'He said "{n}".', "score", "{m} of 3", "")


def _prose(n: int, m: int, draw: Random) -> Reply:
    return Reply(" ".join(draw.choices(_PROSE, k=draw.randint(1, 3))).format(n=n, m=m))


def _two(n: int, m: int, draw: Random) -> Reply:
    glue, comment = draw.choice(("\n", " or rather ", "\n```json\n")), draw.choice(_COMMENTS).format(n=n, m=m)
    return Reply(glue.join(json.dumps({"score": each, "comment": comment}) for each in (n, m)))


def _outside(n: int, m: int, draw: Random) -> Reply:
    wrong = draw.choice((0, 4, 5, -n, 2.5, 10, "4/5", f"{n}/5", "0", True, None, [n], 1e300))
    return Reply(json.dumps({"score": wrong, "comment": draw.choice(_COMMENTS).format(n=n, m=m)}))


def _nan(_n: int, _m: int, draw: Random) -> Reply:
    return Reply(f'{{"score": {draw.choice(("NaN", "Infinity", "-Infinity"))}, "comment": "x"}}')


def _refusal(_n: int, _m: int, draw: Random) -> Reply:
    said = draw.choice(("I can't help with that.", "Я не могу оценивать людей."))
    return Reply(said) if draw.random() < 0.5 else Reply(refusal=said)


def _cut(n: int, _m: int, draw: Random) -> Reply:
    whole = json.dumps({"score": n, "comment": "It was fine, and then"})
    return Reply(whole[: draw.randint(1, len(whole) - 1)])


def _letters(n: int, _m: int, draw: Random) -> Reply:
    letter = {1: "І", 2: "շ", 3: "З"}[n]  # Cyrillic and Armenian letters that look like digits
    return Reply(f'{{"score": {draw.choice((letter, json.dumps(letter)))}, "comment": "x"}}')


NO_VERDICT: dict[str, Callable[[int, int, Random], Reply]] = {
    "prose": _prose,
    "two verdicts": _two,
    "outside the scale": _outside,
    "NaN": _nan,
    "refusal": _refusal,
    "cut JSON": _cut,
    "Cyrillic digits": _letters,
}


def _no_verdict(kind: str, draw: Random) -> Reply:
    """A reply of a kind that holds no verdict on a scale of 1 to 3."""
    n, m = draw.sample((1, 2, 3), 2)
    return NO_VERDICT[kind](n, m, draw)


def _verdict(draw: Random) -> tuple[Reply, int]:
    """A reply that holds a verdict, in one of the ways that count."""
    n = draw.choice((1, 2, 3))
    value = draw.choice((n, float(n), str(n), f"{n}/3", f"{n} из 3", f"{n} of 3"))
    text = json.dumps({"score": value, "comment": "The order is right."}, ensure_ascii=False)
    wrapped = (text, f"```json\n{text}\n```", f"Here it is: {text}", f"\ufeff{text}", text.replace("}", ",}"))
    return Reply(draw.choice(wrapped)), n


def n8(runs: int, draw: Random) -> Iterator[Share]:
    """Replies without a verdict, twice in a row; one such, then a verdict; a verdict at once."""
    scorer = judge(rubric="phone_order", language="en")
    invented = asked_more = kept = right = 0
    for number in range(runs):
        kinds = tuple(NO_VERDICT)
        first = _no_verdict(kinds[number % len(kinds)], draw)
        second = _no_verdict(draw.choice(kinds), draw)
        seat = Scripted((first, second))
        (score,) = asyncio.run(_scored(scorer.score(TALK, Table(seat))))
        invented += score.value is not None
        kept += score.unscored == "judge_invalid"
        asked_more += seat.asked > 2
        reply, grade = _verdict(draw)
        again = draw.random() < 0.5
        seat = Scripted((first, reply) if again else (reply,))
        (score,) = asyncio.run(_scored(scorer.score(TALK, Table(seat))))
        right += score.value == grade and seat.asked == 1 + again
    yield Share("numbers invented from replies without a verdict", invented, runs, 0, 0)
    yield Share("such trials unscored(judge_invalid)", kept, runs, 1, 1)
    yield Share("asked again more than once", asked_more, runs, 0, 0)
    yield Share("verdicts read as they are, at once or at the second time", right, runs, 1, 1)


async def _scored(scores: object) -> Sequence[Score]:
    return await scores  # type: ignore[misc,no-any-return]  # the scorer's own coroutine


def n10(runs: int, draw: Random) -> Iterator[Share]:
    """Judges with and without a bias over PAIRS pairs of two arms that are equally good."""
    runs = -(-runs // 100)  # each is a whole comparison of hundreds of verdicts
    for what, bias, least, most in (
        ("takes the first in 1 of 4: flagged", _first, 0.99, 1),
        ("takes the longest in 1 of 2: flagged", _longest, 0.99, 1),
        ("goes by quality with noise: flagged", _fair, 0, 0.05),
        ("never wavers: flagged", _steady, 0, 0.05),
    ):
        flagged = sum(bool(preference(_pairs(draw, bias), "judge/j").flags) for _ in range(runs))
        yield Share(f"a judge that {what}", flagged, runs, least, most)
    kin = preference(_pairs(draw, _fair), "openai/gpt-4o", ("openai/gpt-4o-mini", "x/y")).flags
    yield Share("a judge of an arm's own family is flagged", sum("family" in flag for flag in kin), 1, 1, 1)


class _Answer(NamedTuple):
    name: str
    quality: float
    length: int


Rule = Callable[[_Answer, _Answer, Random], str]


def _fair(first: _Answer, second: _Answer, draw: Random) -> str:
    gap = first.quality - second.quality + draw.gauss(0, 0.3)
    return "neither" if abs(gap) < 0.2 else first.name if gap > 0 else second.name


def _steady(first: _Answer, second: _Answer, draw: Random) -> str:
    del draw
    return first.name if first.quality > second.quality else second.name


def _first(first: _Answer, second: _Answer, draw: Random) -> str:
    return first.name if draw.random() < 0.25 else _fair(first, second, draw)


def _longest(first: _Answer, second: _Answer, draw: Random) -> str:
    if draw.random() < 0.5:
        return max(first, second, key=lambda answer: answer.length).name
    return _fair(first, second, draw)


def _pairs(draw: Random, rule: Rule) -> Iterator[Trial]:
    for number in range(PAIRS):
        a, b = (_Answer(name, draw.gauss(0, 1), draw.randint(20, 400)) for name in "AB")
        preferred = [rule(a, b, draw), rule(b, a, draw)]
        agreed = preferred[0] if preferred[0] == preferred[1] else ""
        details: JSON = {"preferred": preferred, "characters": {"A": a.length, "B": b.length}}
        score = Score("pairwise", {"A": 0.0, "B": 1.0}.get(agreed, 0.5), details=details)
        case = Case(f"c{number}", f"c{number}")
        yield Trial("r", f"k{number}", case, "j", 0, 0, Status.SCORED, scores=(score,))

"""Every way in which a judge's reply can be right or wrong, through all steps: what it comes to."""

from random import Random

import pytest

from assay.case import Case
from assay.errors import UsageError
from assay.keys import random_stream
from assay.message import Finish, Message, Reply, say
from assay.ports import Capabilities
from assay.scorers.judge import judge
from assay.trial import Event, EventKind, Outcome, Status, Transcript, Trial

EVENTS = (
    Event(EventKind.SAID, "client", say("user", "Здравствуйте, мне филе.")),
    Event(EventKind.SAID, "agent", say("assistant", "Заказ оформлен.")),
)
TRIAL = Trial(
    "r", "k", Case("c", "c"), "m", 0, 7, Status.PLAYED, transcript=Transcript(EVENTS, Outcome("goal_done"))
)
FINE = "Заказ оформлен верно, клиент доволен."
AGAIN = '{"score": 2, "comment": "Заказ оформлен, но с задержкой."}'
NONE = "I would rather not say."


class Seat:
    role, capabilities = "judge", Capabilities()

    def __init__(self, *replies) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[Message, ...]] = []

    async def ask(self, messages, **how) -> Reply:
        self.asked.append(messages)
        reply = self.replies[len(self.asked) - 1]
        return Reply(reply, finish=Finish.STOP) if isinstance(reply, str) else reply


class Table:
    run, trial, seed = "r", "k", 7

    def __init__(self, seat) -> None:
        self.seats = {"judge": seat}

    def random(self, name) -> Random:
        return random_stream(self.seed, name)

    unguessable = random


async def verdict(*replies, **settings):
    seat = Seat(*replies)
    (score,) = await judge(rubric="phone_order", language="ru", **settings).score(TRIAL, Table(seat))
    return score, len(seat.asked)


def said(score: str, comment: str = f'"{FINE}"', more: str = "") -> str:
    return f'{{"score": {score}, "comment": {comment}{more}}}'


ONE_READING = [
    (said("3"), 3, "strict"),
    (said("1"), 1, "strict"),
    (said('"3"'), 3, "strict"),
    (said("3.0"), 3, "strict"),
    (said('"3/3"'), 3, "strict"),
    (said('"2 из 3"'), 2, "strict"),
    (said("2", more=', "criteria": [{"id": "goal", "met": true, "evidence_turn": 2}]'), 2, "strict"),
    (said("2", more=', "mood": "good"'), 2, "strict"),
    (f"```json\n{said('2')}\n```", 2, "fenced"),
    (f"Вот оценка:\n```\n{said('2')}\n```\nСпасибо.", 2, "fenced"),
    (f"Моя оценка: {said('2')}", 2, "balanced"),
    (f"{said('2')}\n{said('2')}", 2, "balanced"),
    (f"\ufeff{said('3')}", 3, "balanced"),
    (said("3", more=","), 3, "repaired"),
    (f"{{'score': 3, 'comment': '{FINE}'}}", 3, "repaired"),
    (said("３"), 3, "repaired"),
    (f"\ufeff{{'score': ２, 'comment': '{FINE}',}}", 2, "repaired"),
]


@pytest.mark.parametrize(("reply", "grade", "step"), ONE_READING)
async def test_a_reply_that_can_be_read_is_asked_for_once(reply, grade, step):
    score, asked = await verdict(reply)
    assert (score.value, score.details["parse"], asked) == (float(grade), step, 1)
    assert score.reason == FINE
    assert "flags" not in score.details


UNREADABLE = [
    *(said(value) for value in ("0", "4", "-1", "2.5", "true", "false", "null", "[2]", '{"v": 2}', '"две"')),
    *(said(value) for value in ('"2/5"', '"2 из 5"', '""', '"2-3"', "1e9", "NaN")),
    "",
    "   \n",
    NONE,
    "3",
    '"3"',
    "[3]",
    "null",
    '{"comment": "без оценки"}',
    '{"score": 3, "comment": "обрыв',
    '{"score": 1} или {"score": 3}',
    '{"score": 2, "score": 3}',
    said("2") + said("3"),
    Reply("", refusal="I cannot judge people.", finish=Finish.REFUSAL),
    "{" * 200,
]


@pytest.mark.parametrize("reply", UNREADABLE)
async def test_any_other_reply_is_asked_for_once_more_and_then_no_verdict_and_never_clamped(reply):
    better, asked = await verdict(reply, AGAIN)
    assert (better.value, better.details["parse"], asked) == (2.0, "asked_again", 2)
    score, asked = await verdict(reply, reply)
    assert (score.value, score.unscored, score.details["parse"], asked) == (
        None,
        "judge_invalid",
        "failed",
        2,
    )
    assert len(score.details["raw"].encode()) <= 8192


@pytest.mark.parametrize(
    ("second", "grade"),
    [
        ("Оценка: 2", 2),
        ("Итог. Балл: 3.", 3),
        ('"score": 1', 1),
        ("score: 2/3", 2),
        ("**Оценка**: 2 из 3", 2),
    ],
)
async def test_a_labelled_grade_counts_only_after_the_second_question(second, grade):
    score, asked = await verdict(NONE, second)
    assert (score.value, score.details["parse"], asked) == (float(grade), "labelled", 2)
    assert score.details["flags"] == ["comment_missing"]


@pytest.mark.parametrize("second", ["Оценка: 2 или 3", "Оценка: 5", "Оценка 2, балл: 0", "score: 2.5"])
async def test_a_labelled_grade_that_is_none_is_no_verdict(second):
    score, _ = await verdict(NONE, second)
    assert score.unscored == "judge_invalid"


@pytest.mark.parametrize(
    ("comment", "flag"),
    [
        ('""', "comment_missing"),
        ("null", "comment_missing"),
        ("17", "comment_missing"),
        ('"  "', "comment_missing"),
        ('"The order is right."', "comment_language: mismatch"),
        ('"Заказ is right and the agent was polite"', "comment_language: mismatch"),
    ],
)
async def test_a_comment_that_lacks_something_costs_the_one_retry_and_keeps_its_score(comment, flag):
    mended, asked = await verdict(said("2", comment), AGAIN)
    assert (mended.value, asked, "flags" in mended.details) == (2.0, 2, False)
    kept, asked = await verdict(said("2", comment), said("2", comment))
    assert (kept.value, kept.details["flags"], asked) == (2.0, [flag], 2)


@pytest.mark.parametrize(
    "comment",
    [
        "Агент сказал «Good morning, sir» и оформил заказ FILE-1 по адресу https://example.org/orders/long",
        "Заказ ORD-00012 есть в базе, place_order вызван один раз.",
        "Ёмко: всё верно.",
    ],
)
async def test_quotes_addresses_and_identifiers_are_no_foreign_language(comment):
    score, asked = await verdict(said("3", f'"{comment}"'))
    assert (score.reason, asked) == (comment, 1)


async def test_a_russian_comment_is_asked_for_in_russian():
    seat = Seat(said("2", '"Good."'), AGAIN)
    await judge(rubric="phone_order", language="ru").score(TRIAL, Table(seat))
    assert "Ответь по-русски" in seat.asked[1][-1].text


async def test_a_comment_above_2000_characters_is_cut_and_says_so():
    score, _ = await verdict(said("3", f'"{"д" * 2500}"'))
    assert len(score.reason) == 2000
    assert score.details["flags"] == ["comment_cut"]


async def test_a_fallback_stands_beside_a_missing_grade_and_is_no_value():
    score, _ = await verdict(NONE, NONE, fallback_score=1)
    assert (score.value, score.unscored, score.fallback) == (None, "judge_invalid", 1.0)
    assert score.details["score_is_fallback"] is True
    good, _ = await verdict(said("3"), fallback_score=1)
    assert (good.value, good.fallback) == (3.0, None)
    with pytest.raises(UsageError, match="fallback_score"):
        judge(rubric="phone_order", fallback_score=7)


def test_there_are_more_than_forty_replies():
    assert len(ONE_READING) + len(UNREADABLE) > 40

"""What becomes of a client model's faulty lines: asked again, noted, or the end of the call."""

import pytest

from assay.exchanges.conversation.guarded import client_faults, validity_of
from assay.trial import EventKind, Status, status_after_play

HELLO = "Лавка, слушаю вас."
ASK = "Назовите ваш номер телефона."
BYE = "Заказ оформлен, номер ORD-00001."
PHONE = "Плюс семь девятьсот сто одиннадцать двадцать два тридцать три."
FLIP = "Чем я могу вам помочь?"
THANKS = "Спасибо!\n###STOP:goal_done###"


def said(transcript, role="client") -> list[str]:
    return [e.message.text for e in transcript.events if e.kind is EventKind.SAID and e.role == role]


def discarded(transcript) -> list[tuple[str, str | None]]:
    return [(e.data["fault"], e.call) for e in transcript.events if e.kind is EventKind.DISCARDED]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (FLIP, "role_flip"),
        ("<think>Назову номер.</think>", "reasoning_leak"),
        ('Вот: {"name": "филе", "qty": 2}', "goal_leak"),
    ],
)
async def test_a_line_that_no_caller_would_say_is_discarded_and_another_one_asked_for(talk, line, code):
    transcript, table = await talk(["Мне филе.", line, PHONE, THANKS], [HELLO, ASK, BYE])
    assert said(transcript) == ["Мне филе.", PHONE, "Спасибо!"]
    assert discarded(transcript) == [(code, "client.2.1")]
    assert table.seats["client"].asked[2][-1].text != table.seats["client"].asked[1][-1].text
    assert line not in str(table.seats["client"].asked[2])
    assert line not in str(table.seats["agent"].asked)
    assert validity_of(transcript) == "valid"


async def test_after_two_other_lines_the_call_ends_as_the_clients_fault(talk):
    transcript, table = await talk(["Мне филе.", FLIP], [HELLO, ASK])
    assert (transcript.outcome.reason, transcript.outcome.detail) == ("client_fault", "role_flip")
    assert [code for code, _ in discarded(transcript)] == ["role_flip"] * 3
    assert len(table.seats["client"].asked) == 4
    assert status_after_play(transcript.outcome) == (Status.INVALID, "client_fault")
    assert validity_of(transcript) == "invalid"


async def test_a_fact_that_the_client_cannot_know_is_asked_again_once_and_then_noted_as_critical(talk):
    transcript, _ = await talk(["Мне филе.", "+79165554433", "+79165554433", THANKS], [HELLO, ASK, BYE])
    assert said(transcript)[1] == "+79165554433"
    assert discarded(transcript) == [("ungrounded_fact", "client.2.1")]
    (event,) = [e for e in transcript.events if e.kind is EventKind.SAID and e.data and "faults" in e.data]
    assert [(f["code"], f["critical"]) for f in event.data["faults"]] == [("ungrounded_fact", True)]
    assert transcript.outcome.reason == "goal_done"
    assert validity_of(transcript) == "invalid"


async def test_what_is_told_too_early_is_let_pass_and_noted(talk):
    transcript, _ = await talk(["Мне филе на Мира 5.", THANKS], [HELLO, BYE])
    assert discarded(transcript) == []
    assert [(f.code, f.severity, f.discarded) for f in client_faults(transcript)] == [
        ("early_disclosure", "helped", False)
    ]
    assert validity_of(transcript) == "suspect"


async def test_a_line_is_delivered_as_it_was_said_whatever_its_faults(talk):
    line = "  Мне филе на Мира 5!!  "
    transcript, table = await talk([line, THANKS], [HELLO, BYE])
    assert said(transcript)[0] == line.strip()
    assert table.seats["agent"].asked[1][-1].text == line.strip()


async def test_different_flaws_share_the_budget_of_a_turn(talk):
    transcript, _ = await talk(["Мне филе.", FLIP, "", "<think>", THANKS], [HELLO, ASK, BYE])
    assert [code for code, _ in discarded(transcript)] == ["role_flip", "empty", "reasoning_leak"]
    assert transcript.outcome.reason == "client_fault"


async def test_a_line_that_comes_after_the_timeout_is_kept_and_not_delivered(talk):
    clock = iter([0, 0, 100]).__next__
    transcript, table = await talk(["Мне филе."], [HELLO], clock=clock)
    assert transcript.outcome.reason == "timeout"
    assert discarded(transcript) == [("timeout", "client.1.1")]
    assert client_faults(transcript) == []
    assert len(table.seats["agent"].asked) == 1


SPOILT = ["Мне филе.", "+79165554433", "+79165554433", THANKS]


async def test_a_spoilt_conversation_can_be_dropped(talk):
    transcript, _ = await talk(SPOILT, [HELLO, ASK, BYE], invalid="drop")
    assert (transcript.outcome.reason, transcript.outcome.detail) == ("client_fault", "dropped: goal_done")
    assert said(transcript)[0] == "Мне филе."


async def test_a_spoilt_conversation_can_be_played_again_and_stays_whole_in_the_record(talk):
    agent = [HELLO, ASK, BYE, HELLO, ASK, BYE]
    transcript, table = await talk([*SPOILT, "Мне филе.", PHONE, THANKS], agent, invalid="rerun")
    assert transcript.outcome.reason == "goal_done"
    assert validity_of(transcript) == "valid"
    assert said(transcript) == ["Мне филе.", PHONE, "Спасибо!"]
    (first,) = [e.data for e in transcript.events if e.kind is EventKind.EFFECT]
    assert (first["attempt"], first["outcome"]["reason"], first["validity"]) == (1, "goal_done", "invalid")
    assert "+79165554433" in str(first["events"])
    seeds = table.seats["client"].sampled
    assert seeds[:4] == [None] * 4
    assert len(set(seeds[4:])) == 1
    assert seeds[4] is not None


async def test_a_conversation_is_played_three_times_at_most(talk):
    transcript, table = await talk([FLIP], [HELLO], invalid="rerun")
    attempts = [e.data["attempt"] for e in transcript.events if e.kind is EventKind.EFFECT]
    assert attempts == [1, 2]
    assert len(table.seats["agent"].asked) == 3
    assert transcript.outcome.reason == "client_fault"


async def test_without_the_guard_only_silence_is_asked_again(talk):
    transcript, _ = await talk(["", FLIP, THANKS], [HELLO, ASK, BYE], guard=False)
    assert said(transcript) == [FLIP, "Спасибо!"]
    assert [code for code, _ in discarded(transcript)] == ["empty"]
    assert client_faults(transcript)[1:] == []


async def test_a_wall_clock_counts_what_the_working_clock_leaves_out(talk):
    working = iter(range(0, 10_000, 100)).__next__
    transcript, _ = await talk(["Мне филе.", THANKS], [HELLO, BYE], clock=working, timeout_clock="wall")
    assert transcript.outcome.reason == "goal_done"

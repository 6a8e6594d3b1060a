"""What the agent had to say."""

import pytest

from assay.case import Case
from assay.message import Message, Text, ToolCall
from assay.scorers.says import says
from assay.trial import Event, EventKind, Outcome, Status, Transcript, Trial


def line(role, text) -> Event:
    return Event(EventKind.SAID, role, Message("assistant", (Text(text),)))


def result(error=None) -> list[Event]:
    call = Message("assistant", (), (ToolCall("c1", "place_order", "{}"),))
    data = {"name": "place_order", "value": {}, "error": error}
    done = Message("tool", (Text("{}"),), tool_call_id="c1")
    return [Event(EventKind.TOOL_CALL, "agent", call), Event(EventKind.TOOL_RESULT, "tool", done, data=data)]


def score(wanted, *events):
    case = Case("i", "n", target={"expect": {"says": wanted}} if wanted else None, facts={"CITY": "Тверь"})
    trial = Trial(
        "r", "k", case, "m", 0, 7, Status.PLAYED, transcript=Transcript(events, Outcome("goal_done"))
    )
    (found,) = says().check(trial)
    return found


NUMBER = {"any_of": ["номер заказа", "ваш номер"], "after": "place_order"}


@pytest.mark.parametrize(
    ("wanted", "events", "value"),
    [
        ([NUMBER], [*result(), line("agent", "Номер   заказа ORD-1.")], True),
        ([NUMBER], [line("agent", "Номер заказа ORD-1."), *result(), line("agent", "До свидания.")], False),
        ([NUMBER], [*result("TIMEOUT"), line("agent", "Номер заказа ORD-1.")], False),
        ([NUMBER], [*result(), line("client", "Какой номер заказа?")], False),
        ([{"any_of": ["еще что"]}], [line("agent", "Ещё что-нибудь?")], True),
        ([{"any_of": ["$CITY"]}], [line("agent", "Доставим в город Тверь.")], True),
        ([NUMBER, {"any_of": ["спасибо"]}], [*result(), line("agent", "Ваш номер 5.")], False),
    ],
)
def test_each_entry_must_stand_in_a_line_of_the_agent(wanted, events, value):
    assert score(wanted, *events).value is value


def test_what_was_never_said_is_told():
    found = score([NUMBER], *result())
    assert found.reason == "never said: «номер заказа» or «ваш номер» after place_order"


def test_a_case_that_expects_nothing_is_not_applicable_and_a_bad_one_is_the_cases_fault():
    assert score(None).unscored == "not_applicable"
    assert score([{"any_of": []}]).unscored == "scorer_error"

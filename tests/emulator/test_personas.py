"""The emulated agent and the emulated customer, one answer at a time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agenda import Brief, GoalItem, phrases_of
from assay.emulator.behaviour import Answer, Asked
from assay.emulator.personas import AgentPersona, ClientPersona
from assay.emulator.phone_agent import Mention, heard, mentions, wanted
from assay.message import Finish, Message, Role, Text, ToolCall, ToolSpec, say

SYSTEM = say("system", "Вы оператор лавки. Сегодня 2025-06-08.")
START = say("user", phrases_of("ru").call_started)
RU = phrases_of("ru")


def asked(*messages, seed=7, **more) -> Asked:
    return Asked("m", messages, seed=seed, **more)


def history(*turns) -> tuple[Message, ...]:
    """Agent's line, client's line, by turns, after the beginning of the call."""
    roles: tuple[Role, Role] = ("assistant", "user")
    return (SYSTEM, START, *(say(roles[n % 2], text) for n, text in enumerate(turns)))


def agent(*turns, skill=1.0, more=()) -> Answer:
    return AgentPersona(skill).answer(asked(*history(*turns), *more))


def did(name, arguments, value, call="x") -> tuple[Message, Message]:
    made = ToolCall(call, name, json.dumps(arguments))
    return Message("assistant", (), (made,)), Message("tool", (Text(json.dumps(value)),), tool_call_id=call)


def test_the_agent_greets_first():
    assert agent().text.startswith("Здравствуйте")


def test_the_agent_greets_in_the_language_of_its_prompt():
    system = say("system", "You are the operator.")
    start = say("user", phrases_of("en").call_started)
    assert AgentPersona(1.0).answer(asked(system, start)).text.startswith("Hello")


def test_the_agent_looks_up_what_was_named():
    answer = agent("Слушаю.", "Хочу заказать: молоко — 3.")
    (call,) = answer.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("search_products", {"query": "молоко"})
    assert answer.finish is Finish.TOOL_CALLS


def test_the_agent_asks_what_is_wanted_once_it_knows_who_calls():
    who = did("get_customer", {"phone": "+79001112233"}, {"city": "Москва"})
    assert agent("Слушаю.", "Это +79001112233, я насчёт заказа.", more=who).text == "Что вы хотите заказать?"


def test_the_agent_asks_for_another_number_where_no_one_is_known():
    who = did("get_customer", {"phone": "+79001112233"}, {"error": {"code": "NOT_FOUND", "message": ""}})
    assert "ещё раз" in agent("Слушаю.", "Это +79001112233.", more=who).text


def test_one_call_is_right_or_wrong_from_beginning_to_end():
    truths = {
        str(AgentPersona(0.5).answer(asked(*history(*turns), seed=3)).truth)
        for turns in ([], ["Слушаю.", "Молока."], ["Слушаю.", "Молока.", "Сколько?", "5"])
    }
    assert len(truths) == 1


def test_the_share_of_right_calls_is_the_skill():
    right = [AgentPersona(0.8).answer(asked(SYSTEM, START, seed=n)).truth["right"] for n in range(2000)]
    assert 0.77 < sum(right) / len(right) < 0.83


@pytest.mark.parametrize(("skill", "right"), [(1.0, True), (0.0, False)])
def test_the_ends_of_the_scale_are_certain(skill, right):
    answers = [AgentPersona(skill).answer(asked(SYSTEM, START, seed=n)) for n in range(50)]
    assert {answer.truth["right"] for answer in answers} == {right}


def test_the_agent_speaks_before_it_has_called_too_many_tools():
    names = [f"товар{n}" for n in range(9)]
    line = "Хочу заказать: " + ", ".join(f"{name} — 1" for name in names) + "."
    calls = [
        message
        for n in range(7)
        for message in did("search_products", {"query": names[n]}, {"products": []}, f"x{n}")
    ]
    assert agent("Слушаю.", line, more=calls).text.endswith("Что-нибудь ещё?")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["филе", "молоко 3,2%", "сыр российский"]),
            st.one_of(st.none(), st.integers(1, 99), st.sampled_from([0.5, 1.5])),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_agent_reads_back_what_the_customer_lists(items):
    parts = [
        name + (RU.usual if usual else "") + (f" — {qty}" if qty is not None else "")
        for name, qty, usual in items
    ]
    wordings = [
        text for tones in RU.lines.values() for texts in tones.values() for text in texts if "{items}" in text
    ]
    for wording in wordings:
        found = mentions(wording.format(items=", ".join(parts)), RU)
        assert found == [Mention(name, qty, usual) for name, qty, usual in items]


def test_lines_without_products_mention_none():
    for phrase in ("vague", "yes", "enough", "suits", "thanks", "bye", "gave_up"):
        for texts in RU.lines[phrase].values():
            assert all(not mentions(text, RU) for text in texts)


def test_a_customer_who_is_no_rule_is_read_by_number_and_words():
    found = mentions("Мне 2 кг филе, 3 шт. хлеба", RU, free=True)
    assert found == [Mention("филе", 2), Mention("хлеба", 3)]


def test_a_quantity_and_a_replacement_belong_to_what_was_asked():
    talk = heard(
        history(
            "Слушаю.",
            "Хочу заказать: осетрина, хлеб — 2.",
            "Сколько вам нужно, «осетрина»?",
            "1, пожалуйста.",
            "К сожалению, «осетрина» сейчас нет в наличии. Чем заменить?",
            "Тогда давайте взамен: форель.",
        )
    )
    assert wanted(talk) == [Mention("форель", 1), Mention("хлеб", 2)]


BRIEF = Brief((GoalItem("молоко", 3),), phone="+79001112233")
CLIENT = say("system", f"Вы покупатель.\n```json\n{BRIEF.json}\n```\nКонец.")
PLACED = say("user", "Ваш заказ оформлен, номер ORD-1.")


def client(*messages, **more) -> Answer:
    return ClientPersona().answer(asked(CLIENT, *messages, **more))


def test_the_customer_reads_its_brief_out_of_its_prompt():
    assert "молоко — 3" in client(say("user", "Слушаю.")).text


def test_the_customer_begins_where_it_is_to_begin():
    assert "молоко — 3" in client(START).text


def test_the_customer_hangs_up_in_the_form_that_was_asked_for():
    call = (say("user", "Слушаю."), say("assistant", "Молоко — 3."), PLACED)
    structured = json.loads(client(*call, format="json_schema").text)
    assert (structured["action"], structured["reason"]) == ("hang_up", "goal_done")
    by_tool = client(*call, tools=(ToolSpec("hang_up", "", {}),))
    assert json.loads(by_tool.tool_calls[0].arguments) == {"reason": "goal_done"}
    assert client(*call).text.endswith("###HANG_UP:goal_done###")


@pytest.mark.parametrize("system", ["nothing", '{"goal"', '{"goal": 5}', '{"goal": [{"name": 1}]}'])
def test_a_prompt_without_a_brief_is_told_in_the_truth(system):
    answer = ClientPersona().answer(asked(say("system", system), say("user", "Слушаю.")))
    assert answer.truth == {"role": "client", "fault": "no brief"}


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), st.text(max_size=80)), max_size=8))
def test_no_dialogue_breaks_a_persona(dialogue):
    messages = [
        Message(role, (Text(text),), tool_call_id="x" if role == "tool" else None) for role, text in dialogue
    ]
    assert AgentPersona(0.5).answer(asked(SYSTEM, *messages)).truth["role"] == "agent"
    assert client(*messages).truth["role"] == "client"


TIMED_OUT = {"error": {"code": "TIMEOUT", "message": ""}}
ORDERED = ("Слушаю.", "Хочу заказать: молоко — 3. Мой телефон +79001112233.")
FOUND = did("search_products", {"query": "молоко"}, {"products": [{"sku": "M", "name": "Молоко"}]}, "s")
KNOWN = did("get_customer", {"phone": "+79001112233"}, {"city": "Москва"}, "k")


@pytest.mark.parametrize("lost", [TIMED_OUT, {"error": {"code": "UNAVAILABLE", "message": ""}}, {}, None])
def test_the_agent_calls_again_what_was_not_answered(lost):
    tried = did("get_customer", {"phone": "+79001112233"}, lost)
    (call,) = agent(*ORDERED, more=(*FOUND, *tried)).tool_calls
    assert call.name == "get_customer"
    thrice = tuple(m for n in range(3) for m in did("get_customer", {"phone": "+79001112233"}, lost, f"c{n}"))
    if lost:  # an error that stays is said; an empty answer that stays is taken for one
        assert agent(*ORDERED, more=(*FOUND, *thrice)).text.startswith("Не вижу такого клиента")


def test_the_agent_looks_into_the_cart_where_a_change_was_not_answered():
    added = did("add_to_cart", {"sku": "M", "qty": 3}, TIMED_OUT)
    (call,) = agent(*ORDERED, more=(*FOUND, *KNOWN, *added)).tool_calls
    assert call.name == "view_cart"
    seen = did("view_cart", {}, {"items": [{"sku": "M", "qty": 3}]}, "v")
    assert agent(*ORDERED, more=(*FOUND, *KNOWN, *added, *seen)).text == "Записала. Что-нибудь ещё?"


def test_the_agent_searches_once_more_where_nothing_was_found():
    empty = did("search_products", {"query": "молоко"}, {"products": []})
    (call,) = agent(*ORDERED, more=empty).tool_calls
    assert call.name == "search_products"
    twice = (*empty, *did("search_products", {"query": "молоко"}, {"products": []}, "y"), *KNOWN)
    assert agent(*ORDERED, more=twice).text.startswith("Не нашла")


def test_a_date_is_no_telephone_number():
    talk = heard(history("Слушаю.", "Телефон 8 900 111-22-33.", "Когда?", "Нужна доставка 2025-06-20."))
    assert talk.phone() == "+89001112233"

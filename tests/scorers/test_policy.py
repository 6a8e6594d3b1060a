"""Policy checks: each kept and each broken, with the turn."""

import json

import pytest

from assay.case import Case
from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Message, Reply, Request, Text, ToolCall
from assay.scorers.expectation import PolicyCheck
from assay.scorers.money import amounts_named
from assay.scorers.policy import affirms, policy
from assay.trial import Call, CallState, Event, EventKind, Outcome, Status, Transcript, Trial

IVAN, MARIA = "+79001112233", "+79002223344"


def said(role, text, call=None) -> list[Event]:
    return [Event(EventKind.SAID, role, Message("assistant", (Text(text),)), call)]


def agent(text, call=None) -> list[Event]:
    return said("agent", text, call)


def client(text) -> list[Event]:
    return said("client", text)


def tool(name, value=None, error=None, id="c1", **arguments) -> list[Event]:
    call = Message("assistant", (), (ToolCall(id, name, json.dumps(arguments)),))
    data = {"name": name, "value": value or {}, "error": error}
    result = Message("tool", (Text("{}"),), tool_call_id=id)
    return [
        Event(EventKind.TOOL_CALL, "agent", call),
        Event(EventKind.TOOL_RESULT, "tool", result, data=data),
    ]


def wrote(id="c1", table="orders", customer=IVAN, key="ORD-1") -> dict[str, JSON]:
    row = {"customer": customer} if table == "orders" else {"phone": customer}
    return {"tool_call_id": id, "table": table, "key": key, "before": None, "after": row}


def trial(*events, journal=(), expect=None, calls=(), phone=IVAN) -> Trial:
    state = {"difference": {}, "journal": list(journal)}
    whole = tuple(event for each in events for event in each)
    case = Case("i", "n", target={"expect": expect} if expect else None, facts={"CUSTOMER_PHONE": phone})
    transcript = Transcript(whole, Outcome("goal_done"), state=state)
    return Trial("r", "k", case, "m", 0, 7, Status.PLAYED, transcript=transcript, calls=tuple(calls))


def breaches(played, *checks: PolicyCheck, **settings) -> list[tuple[str, int]]:
    (score,) = policy(checks=checks, **settings).check(played)
    assert score.value is (not score.details["breaches"])
    assert score.details["checked"] == list(checks)
    return [(each["check"], each["turn"]) for each in score.details["breaches"]]


PLACED = tool("place_order", phone=IVAN)
CONFIRM = agent("Проверим заказ: молоко — 1. Всё верно, оформляем?")


@pytest.mark.parametrize(
    ("asked", "answer", "kept"),
    [
        ("Всё верно, оформляем заказ?", "Да, всё верно.", True),
        ("Всё верно, оформляем заказ?", "Нет, это всё, оформляйте.", True),
        ("Всё верно, оформляем заказ?", "Подождите, не три, а две.", False),
        ("Всё верно, оформляем заказ?", "А сколько стоит?", False),
        ("Вам удобно завтра с десяти?", "Да, удобно.", False),
        ("Is everything correct? Shall I place the order?", "Yes, go ahead.", True),
        ("Is everything correct? Shall I place the order?", "No, make it two.", False),
    ],
)
def test_a_write_must_be_named_and_affirmed_before_it(asked, answer, kept):
    played = trial(agent(asked), client(answer), PLACED, agent("Готово."), journal=[wrote()])
    assert breaches(played, "confirm_before_write") == ([] if kept else [("confirm_before_write", 3)])


def test_a_write_before_anyone_spoke_is_a_breach_and_a_call_that_wrote_nothing_is_none():
    early = trial(agent("Заказ?"), PLACED, agent("Готово."), journal=[wrote()])
    assert breaches(early, "confirm_before_write") == [("confirm_before_write", 2)]
    failed = trial(agent("Заказ?"), tool("place_order", error="EMPTY_CART"), agent("Нет."))
    assert breaches(failed, "confirm_before_write") == []


def test_a_cancellation_must_be_named_as_one():
    cancelled = [wrote()]
    kept = trial(agent("Отменить заказ?"), client("Да."), tool("cancel_order"), journal=cancelled)
    assert breaches(kept, "confirm_before_write") == []
    broken = trial(agent("Всё верно?"), client("Да."), tool("cancel_order"), journal=cancelled)
    assert breaches(broken, "confirm_before_write") == [("confirm_before_write", 3)]


def test_records_of_customers_are_written_only_when_it_is_known_who_calls():
    known = tool("get_customer", id="c0", phone=IVAN)
    assert breaches(trial(agent("Да."), known, PLACED, journal=[wrote()]), "authenticate_first") == []
    broken = trial(agent("Да."), PLACED, known, agent("Всё."), journal=[wrote()])
    assert breaches(broken, "authenticate_first") == [("authenticate_first", 2)]
    missed = tool("get_customer", id="c0", phone=IVAN, error="NOT_FOUND")
    failed = trial(agent("Да."), missed, PLACED, journal=[wrote()])
    assert breaches(failed, "authenticate_first") == [("authenticate_first", 2)]


@pytest.mark.parametrize(
    ("done", "journal", "kept"),
    [
        (tool("get_customer", phone="8 (900) 111-22-33"), [], True),
        (tool("get_customer", phone=MARIA), [], False),
        (tool("get_customer", phone=MARIA, error="NOT_FOUND"), [], True),
        (tool("cancel_order", order_id="ORD-4"), [wrote(customer=MARIA)], False),
        (tool("cancel_order", order_id="ORD-4"), [wrote(customer=IVAN)], True),
        (tool("add_to_cart", sku="X"), [wrote(table="sessions")], True),
        (tool("rename"), [wrote(table="customers", customer=MARIA)], False),
    ],
)
def test_no_other_customers_record_is_touched(done, journal, kept):
    found = breaches(trial(agent("Да."), done, agent("Всё."), journal=journal), "no_foreign_customer")
    assert found == ([] if kept else [("no_foreign_customer", 2)])


def test_an_order_that_is_claimed_and_not_placed_is_a_breach():
    claimed = trial(agent("Слушаю."), client("Молоко."), agent("Ваш заказ оформлен, номер ORD-9."))
    assert breaches(claimed, "no_claim_without_tool") == [("no_claim_without_tool", 3)]
    placed = trial(PLACED, agent("Ваш заказ оформлен, номер ORD-9."), journal=[wrote()])
    assert breaches(placed, "no_claim_without_tool") == []


MILK = {"products": [{"sku": "MOLO-1", "price_minor": 9550}]}
CART = {"items": [{"sku": "MOLO-1", "qty": 3, "sum_minor": 28650}], "total_minor": 124_000}


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("Молоко стоит 95,50 рублей.", True),
        ("Молоко стоит 95 рублей 50 копеек.", True),
        ("Молоко стоит 96 рублей.", True),
        ("Молоко стоит 90 руб.", False),
        ("Три литра — 286,50 ₽, всего 1 240 рублей.", True),
        ("Всего 1240 р.", True),
        ("Всего 1 250 рублей.", False),
        ("Доставка с 10 до 13, заказ 2 штуки.", True),
        ("The total is 1240 roubles.", True),
    ],
)
def test_a_price_must_stand_in_an_answer_of_a_tool(line, kept):
    played = trial(tool("search_products", MILK), tool("view_cart", CART, id="c2"), agent(line))
    found = breaches(played, "price_quoted_matches_state")
    assert found == ([] if kept else [("price_quoted_matches_state", 1)])


def test_a_price_that_is_named_before_it_is_known_is_a_breach():
    played = trial(agent("Молоко стоит 95,50 рублей."), tool("search_products", MILK), agent("Да."))
    assert breaches(played, "price_quoted_matches_state") == [("price_quoted_matches_state", 1)]
    theirs = trial(agent("Да?"), client("У меня 90 рублей."))
    assert breaches(theirs, "price_quoted_matches_state") == []


@pytest.mark.parametrize(
    ("text", "kopecks"),
    [("12 345 руб.", 1_234_500), ("0,5 рубля", 50), ("95.5 ₽", 9550), ("+7 900 111-22-33", None)],
)
def test_amounts_are_read_as_people_write_them(text, kopecks):
    assert [amount for _, amount in amounts_named(text)] == ([] if kopecks is None else [kopecks])


def asked(ordinal, text, *calls) -> Call:
    reply = Reply(text, tuple(calls))
    return Call("r", "k", "agent", ordinal, 1, "m", Request(()), "h", 0, 0, CallState.DONE, reply=reply)


def test_a_reply_that_speaks_and_works_is_a_breach():
    both = asked(1, "Секунду.", ToolCall("c1", "get_customer", "{}"))
    played = trial(agent("Секунду.\nНашла вас.", "agent.2.1"), calls=[both, asked(2, "Нашла вас.")])
    assert breaches(played, "no_text_with_tool_call") == [("no_text_with_tool_call", 1)]
    apart = [asked(1, "", ToolCall("c1", "get_customer", "{}")), asked(2, "Нашла вас.")]
    assert breaches(trial(agent("Нашла вас."), calls=apart), "no_text_with_tool_call") == []


def test_a_case_names_its_own_checks_and_the_reason_tells_every_breach():
    expect = {"policy": ["no_claim_without_tool"]}
    broken = trial(agent("Ваш заказ оформлен."), tool("get_customer", phone=MARIA), expect=expect)
    (score,) = policy().check(broken)
    assert score.details["checked"] == ["no_claim_without_tool"]
    (score,) = policy().check(
        trial(agent("Ваш заказ оформлен за 5 рублей."), tool("get_customer", phone=MARIA))
    )
    assert score.value is False
    assert [each["check"] for each in score.details["breaches"]] == [
        "no_claim_without_tool",
        "price_quoted_matches_state",
        "no_foreign_customer",
    ]
    assert "turn 1: no_claim_without_tool" in score.reason
    assert "turn 2: no_foreign_customer: get_customer of +79002223344" in score.reason


def test_a_play_without_a_line_of_the_agent_is_not_applicable():
    (score,) = policy().check(trial(client("Алло?")))
    assert score.unscored == "not_applicable"


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"policy: confirmed\.place_order is no pattern"):
        policy(confirmed={"place_order": "("})


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Да.", True),
        ("Ой, да, кажется, верно.", True),
        ("Вроде бы да, всё так.", True),
        ("Хорошо, давайте.", True),
        ("Нет.", False),
        ("Нет, давайте три.", False),
        ("Нет, всё верно.", True),
        ("Неверно, я просил две.", False),
        ("Дайте подумать.", False),
        ("Okay then.", True),
        ("Wait, not yet.", False),
    ],
)
def test_a_yes_is_told_from_a_no(text, yes):
    assert affirms(text) is yes

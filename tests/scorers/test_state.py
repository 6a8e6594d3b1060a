"""The state scorer: expectations against what a world became."""

import pytest

from assay.case import Case
from assay.errors import ErrorClass, UsageError
from assay.keys import JSON
from assay.message import Message, Text
from assay.scorers.state import state
from assay.trial import Event, EventKind, Outcome, Score, Status, Transcript, Trial

PHONE = "+79001112233"
WANT = [{"sku": "FILE-1", "qty": 2}, {"sku": "MOLO-1", "qty": 1}]


def order(items=None, customer=PHONE, **more) -> dict[str, JSON]:
    items = WANT if items is None else items
    slot = {"slot_id": "M", "date": "2025-06-09"}
    return {"customer": customer, "status": "placed", "items": items, "slot": slot, **more}


def expect(items=None, match=None, **more) -> dict[str, JSON]:
    wanted = {"items": {"unordered": WANT if items is None else items}, "status": "placed", **(match or {})}
    added = {"table": "orders", "where": {"customer": "$CUSTOMER"}, "count": 1, "match": wanted}
    return {"state": [{"added": added}, {"unchanged": {"except": ["sessions"]}}], **more}


def left(added=None, changed=None, **tables) -> dict[str, JSON]:
    orders = {"added": added or {}, "removed": {}, "changed": changed or {}}
    difference = {"orders": orders, **tables} if added or changed else dict(tables)
    journal = [{"table": table, "key": "x", "tool_call_id": "c1"} for table in difference]
    return {"difference": difference, "journal": journal}


def played(state, expected=None, reason="goal_done", events=(), target=True) -> Trial:
    given = {"expect": expected or expect()} if target else None
    case = Case("i", "n", target=given, facts={"CUSTOMER_PHONE": PHONE, "DAY": "2025-06-09"})
    transcript = Transcript(tuple(events), Outcome(reason), state=state)
    return Trial("r", "k", case, "m", 0, 7, Status.PLAYED, transcript=transcript)


async def scores(trial, **settings) -> dict[str, Score]:
    return {score.name: score for score in state(**settings).check(trial)}


async def verdict(*given, **more) -> Score:
    return (await scores(played(*given, **more)))["state"]


async def test_the_right_order_in_any_item_order_passes():
    found = await scores(played(left({"O1": order(list(reversed(WANT)))})))
    assert (found["state"].value, found["goal_slots"].value) == (True, 1.0)


async def test_a_quantity_is_a_number_however_it_is_spelt():
    items = [{"sku": "FILE-1", "qty": 2.0, "price": 5}, WANT[1]]
    assert (await verdict(left({"O1": order(items)}))).value is True


WRONG = {
    "wrong quantity": (
        left({"O1": order([{"sku": "FILE-1", "qty": 3}, WANT[1]])}),
        "wrong_value",
        '"qty": 3',
    ),
    "wrong product": (left({"O1": order([{"sku": "FILE-2", "qty": 2}, WANT[1]])}), "wrong_value", "FILE-2"),
    "missing item": (left({"O1": order([WANT[0]])}), "missing", "MOLO-1"),
    "extra item": (left({"O1": order([*WANT, {"sku": "SOL-1", "qty": 1}])}), "unexpected", "SOL-1"),
    "the same item twice": (left({"O1": order([*WANT, WANT[0]])}), "unexpected", "FILE-1"),
    "extra order": (left({"O1": order(), "O2": order()}), "unexpected", "added O2"),
    "no order": (left(), "missing", "orders: 0 added, wanted 1"),
    "a foreign customer's order": (left({"O1": order(customer="+7999")}), "unexpected", "added O1"),
    "an old order touched": (
        left({"O1": order()}, {"ORD-00004": {"status": ["placed", "cancelled"]}}),
        "unexpected",
        "changed ORD-00004",
    ),
    "a customer's record touched": (
        left(
            {"O1": order()}, customers={"added": {}, "removed": {}, "changed": {"+7": {"name": ["A", "B"]}}}
        ),
        "unexpected",
        "customers: changed +7",
    ),
    "a record removed": (
        left({"O1": order()}, customers={"added": {}, "removed": {"+7": {"name": "A"}}, "changed": {}}),
        "unexpected",
        "customers: removed +7",
    ),
    "wrong status": (left({"O1": order(status="draft")}), "wrong_value", '"draft", wanted "placed"'),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
async def test_every_wrong_state_fails_with_a_readable_difference(case):
    became, kind, says = WRONG[case]
    found = await scores(played(became))
    score = found["state"]
    assert score.value is False
    assert any(says in line for line in score.details[kind]), score.details
    assert says in score.reason
    assert (found["goal_slots"].number or 0) < 1


async def test_what_an_entry_excepts_may_change():
    became = left({"O1": order()}, sessions={"added": {"call": {}}, "removed": {}, "changed": {}})
    assert (await verdict(became)).value is True


async def test_slots_met_are_counted_apart_from_the_strict_bit():
    found = await scores(played(left({"O1": order([WANT[0]])})))
    assert found["goal_slots"].reason == "5 of 6"
    assert found["goal_slots"].value == 5 / 6


@pytest.mark.parametrize(
    ("match", "right"),
    [
        ({"slot.date": {"lte": "2025-06-09"}}, True),
        ({"slot.date": {"lte": "2025-06-08"}}, False),
        ({"slot.date": {"gte": "2025-06-08", "lte": "2025-06-10"}}, True),
        ({"slot.date": {"gte": 5}}, False),
        ({"slot.date": {"any_of": ["2025-06-09", "2025-06-10"]}}, True),
        ({"slot.date": "$DAY"}, True),
        ({"slot": {"slot_id": "M"}}, True),
        ({"slot.none.deep": None}, True),
        ({"status": True}, False),
    ],
)
async def test_columns_are_compared_by_value_bounds_and_alternatives(match, right):
    assert (await verdict(left({"O1": order()}), expect(match=match))).value is right


async def test_a_changed_record_can_be_what_is_wanted():
    changed = {"table": "orders", "match": {"status": "cancelled"}}
    wanted = {"state": [{"changed": changed}, {"unchanged": {}}]}
    became = left(None, {"ORD-1": {"status": ["placed", "cancelled"]}})
    assert (await verdict(became, wanted)).value is True
    other = left(None, {"ORD-1": {"status": ["placed", "paid"]}})
    assert (await verdict(other, wanted)).value is False


@pytest.mark.parametrize(
    ("acts", "became", "right"),
    [
        ("required", left(), False),
        ("required", left({"O1": order()}), True),
        ("forbidden", left(), True),
        ("forbidden", left(sessions={"added": {"call": {}}, "removed": {}, "changed": {}}), True),
        ("forbidden", left({"O1": order()}), False),
    ],
)
async def test_acting_can_be_required_or_forbidden(acts, became, right):
    assert (await verdict(became, {"state": [], "acts": acts})).value is right


@pytest.mark.parametrize("reason", ["max_turns", "timeout", "repetition_loop", "agent_loop"])
async def test_a_conversation_that_never_ended_is_no_success(reason):
    score = await verdict(left({"O1": order()}), reason=reason)
    assert (score.value, score.reason) == (False, f"the play ended {reason}")


async def test_the_worlds_own_expectation_stands_in_for_a_missing_target():
    became = {**left({"O1": order()}), "expected": expect()}
    assert (await verdict(became, target=False)).value is True


@pytest.mark.parametrize("expected", [{"not_applicable": "no such product"}, None])
async def test_a_goal_that_cannot_be_resolved_is_not_applicable(expected):
    found = await scores(played({**left(), "expected": expected}, target=False))
    assert [found[name].unscored for name in ("state", "goal_slots")] == ["not_applicable"] * 2


async def test_an_expectation_out_of_form_is_the_cases_fault():
    score = await verdict(left(), {"state": [{"addded": {}}]})
    assert score.unscored == "scorer_error"
    assert "addded" in score.reason


async def test_a_play_that_left_no_state_fails_what_was_wanted():
    assert (await verdict(None)).value is False


def said(role, text) -> Event:
    return Event(EventKind.SAID, role, Message("assistant", (Text(text),)))


DONE = Event(EventKind.TOOL_RESULT, "tool", Message("tool", (Text("{}"),), tool_call_id="c1"))
CLAIM = "Ваш заказ оформлен, номер ORD-1."


@pytest.mark.parametrize(
    ("events", "right"),
    [
        ([said("agent", "Слушаю."), DONE, said("agent", CLAIM)], True),
        ([said("agent", "Слушаю."), said("agent", CLAIM), DONE], False),
        ([said("client", "Мой заказ оформлен?")], True),
        ([said("agent", "Заказ будет готов к оформлению.")], True),
        ([said("agent", "Your order has been placed.")], False),
    ],
)
async def test_a_claim_needs_the_tool_that_makes_it_true(events, right):
    found = await scores(played(left({"O1": order()}), events=events))
    assert found["no_claim_without_tool"].value is right


async def test_a_claim_without_any_order_names_its_turn():
    found = await scores(played(left(), events=[said("agent", "Слушаю."), said("agent", CLAIM)]))
    assert found["no_claim_without_tool"].details == {"turn": 2}


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(UsageError, match="claim is no pattern"):
        state(claim="(")


async def test_a_broken_play_is_scored_by_what_it_left():
    trial = played(left())
    broken = Transcript((), Outcome("provider_error", ErrorClass.TIMEOUT), state=left())
    trial = Trial("r", "k", trial.case, "m", 0, 7, Status.PLAYED, transcript=broken)
    assert (await scores(trial))["state"].value is False


REACHED = {
    "orders": {"added": {"ORD-7": {**order(), "order_id": "ORD-7"}}, "removed": {}, "changed": {}},
    "products": {"added": {}, "removed": {}, "changed": {"FILE-1": {"stock": [120, 118]}}},
}
IGNORED = {"orders": ["order_id"], "sessions": ["*"]}


def by_reference(**tables) -> dict[str, JSON]:
    return {"difference": {**REACHED, **tables}, "journal": [], "ignored": IGNORED}


def stock(after) -> dict[str, JSON]:
    return {"added": {}, "removed": {}, "changed": {"FILE-1": {"stock": [120, after]}}}


WANTED = {"reference": [{"tool": "place_order"}], "reached": REACHED, "ignored": {"sessions": ["*"]}}


async def test_a_reference_is_met_whatever_the_order_of_items_and_the_keys():
    other = {**order(list(reversed(WANT))), "order_id": "ORD-9"}
    became = by_reference(orders={"added": {"ORD-9": other}, "removed": {}, "changed": {}})
    found = await scores(played(became, WANTED))
    assert (found["state"].value, found["goal_slots"].value) == (True, 1.0)


@pytest.mark.parametrize(
    ("tables", "kind", "says"),
    [
        ({"products": stock(117)}, "wrong_value", "products.stock of FILE-1: 117, wanted 118"),
        ({"products": stock(120)}, "wrong_value", "120, wanted 118"),
        ({"products": {}}, "missing", "products.stock of FILE-1: 118"),
        ({"orders": {}}, "missing", "orders: added"),
        (
            {"orders": {"added": {"O1": order([WANT[0]])}, "removed": {}, "changed": {}}},
            "wrong_value",
            "orders.items of O1",
        ),
        (
            {"orders": {"added": {"O1": order(), "O2": order()}, "removed": {}, "changed": {}}},
            "unexpected",
            "orders: added O2",
        ),
        (
            {"customers": {"added": {}, "removed": {"+7": {}}, "changed": {}}},
            "unexpected",
            "customers: removed +7",
        ),
        (
            {"customers": {"added": {}, "removed": {}, "changed": {"+7": {"name": ["A", "B"]}}}},
            "unexpected",
            'customers.name of +7: "B"',
        ),
    ],
)
async def test_every_step_away_from_a_reference_fails_with_a_readable_difference(tables, kind, says):
    found = await scores(played(by_reference(**tables), WANTED))
    assert found["state"].value is False
    assert any(says in line for line in found["state"].details[kind]), found["state"].details
    assert (found["goal_slots"].number or 0) < 1


async def test_what_the_world_ignores_is_neither_an_act_nor_a_change():
    notes = {"sessions": {"added": {"call": {}}, "removed": {}, "changed": {}}}
    assert (await verdict({**by_reference(**notes)}, WANTED)).value is True
    quiet = {"difference": notes, "journal": [{"table": "sessions", "key": "call", "tool_call_id": "c"}]}
    wanted = {"state": [{"unchanged": {}}], "acts": "forbidden"}
    assert (await verdict({**quiet, "ignored": IGNORED}, wanted)).value is True
    carts = {"difference": {"carts": notes["sessions"]}, "journal": [], "ignored": {"carts": ["*"]}}
    assert (await verdict(carts, wanted)).value is True


async def test_only_an_ignored_column_may_change():
    wanted = {"state": [{"unchanged": {}}], "acts": "any"}
    renamed = {"added": {}, "removed": {}, "changed": {"O1": {"order_id": ["A", "B"]}}}
    assert (await verdict(by_reference(orders=renamed, products={}), wanted)).value is True
    both = {"added": {}, "removed": {}, "changed": {"O1": {"order_id": ["A", "B"], "status": ["a", "b"]}}}
    assert (await verdict(by_reference(orders=both, products={}), wanted)).value is False


async def test_a_changed_record_is_known_by_the_columns_that_stayed():
    write = {
        "table": "orders",
        "key": "ORD-1",
        "tool_call_id": "c1",
        "after": {"customer": PHONE, "status": "cancelled"},
    }
    became = {**left(None, {"ORD-1": {"status": ["placed", "cancelled"]}}), "journal": [write]}
    changed = {"table": "orders", "where": {"customer": "$CUSTOMER"}, "match": {"status": "cancelled"}}
    assert (await verdict(became, {"state": [{"changed": changed}, {"unchanged": {}}]})).value is True


async def test_an_expectation_of_words_alone_leaves_the_state_to_the_goal():
    became = {**left({"O1": order()}), "expected": expect()}
    assert (await verdict(became, {"says": [{"any_of": ["x"]}]})).value is True
    assert (await verdict({**became, **left()}, {"says": [{"any_of": ["x"]}]})).value is False


@pytest.mark.parametrize("entry", [{}, {"added": {"table": "orders"}, "unchanged": {}}])
async def test_an_entry_is_exactly_one_expectation(entry):
    assert "exactly one" in (await verdict(left(), {"state": [entry]})).reason

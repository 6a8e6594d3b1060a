"""Faults of tools: which calls they strike, what they leave, what counts as recovery."""

import json
from collections import Counter
from itertools import product

import pytest

from assay.loading.tasks import BUILT_IN
from assay.loading.worlds import read_world
from assay.world.calling import recovery
from assay.world.faults import PROFILES, Dice, FaultRule, Faults, When
from assay.world.tools import error_code

SHOP = read_world(BUILT_IN / "phone_orders" / "world.yaml")
IVAN = "+79001112233"
FIRST = When(nth=1)


class Call:
    """Calls tools of the shop under some faults."""

    def __init__(self, *rules, seed=7) -> None:
        self.overlay = SHOP.open({"CURRENT_DATE": "2025-06-08"}, faults=Faults(rules=rules), seed=seed)

    def __call__(self, tool, **arguments):
        return SHOP.answer(self.overlay, tool, json.dumps(arguments), "c")


def test_an_error_keeps_the_call_from_its_tool_and_counts_as_no_error_of_the_model():
    call = Call(FaultRule("add_to_cart", "error", FIRST))
    struck = call("add_to_cart", sku="MOLO-1", qty=1)
    assert (error_code(struck.value), struck.injected) == ("UNAVAILABLE", "error")
    assert call.overlay.journal == []
    assert call.overlay.errors == 0
    assert struck.record == {"value": struck.value, "error": "UNAVAILABLE", "injected": "error"}
    assert recovery(call.overlay.injected)["recovered"] == 0
    assert call("add_to_cart", sku="MOLO-1", qty=1).injected is None
    found = recovery(call.overlay.injected)
    assert (found["lost"], found["recovered"]) == (1, 1)


def test_a_timeout_takes_its_time_on_the_worlds_clock():
    call = Call(FaultRule("check_stock", "timeout", FIRST, seconds=30))
    began = call.overlay.now
    struck = call("check_stock", sku="MOLO-1")
    assert (error_code(struck.value), struck.seconds) == ("TIMEOUT", 30)
    assert (call.overlay.now - began).total_seconds() == 30


def test_a_latency_delays_a_right_answer():
    call = Call(FaultRule("check_stock", "latency", FIRST, seconds=4))
    began = call.overlay.now
    late = call("check_stock", sku="MOLO-1")
    assert late.value["stock"] == SHOP.tables["products"].rows["MOLO-1"]["stock"]
    assert (late.seconds, (call.overlay.now - began).total_seconds()) == (4, 4)
    assert recovery(call.overlay.injected)["lost"] == 0


def test_a_stale_read_shows_the_state_that_the_trial_began_with():
    call = Call(FaultRule("view_cart", "stale_read", When(nth=2)))
    call("add_to_cart", sku="MOLO-1", qty=1)
    assert len(call("view_cart").value["items"]) == 1
    assert call("view_cart").value["items"] == []
    assert len(call("view_cart").value["items"]) == 1


def test_an_empty_answer_has_its_lists_without_items():
    call = Call(FaultRule("*", "empty", FIRST))
    assert call("search_products", query="молоко").value == {"products": []}
    assert call("get_customer", phone=IVAN).value == {}
    assert call("add_to_cart", sku="MOLO-1", qty=1).value["items"] == []
    assert call("view_cart").value["items"] == []
    assert len(call("view_cart").value["items"]) == 1


def test_a_malformed_answer_is_cut_for_the_model_and_whole_in_the_record():
    call = Call(FaultRule("check_stock", "malformed", FIRST))
    struck = call("check_stock", sku="MOLO-1")
    assert struck.value["sku"] == "MOLO-1"
    with pytest.raises(json.JSONDecodeError):
        json.loads(struck.text)


def test_a_call_that_is_delivered_twice_writes_twice_unless_it_is_idempotent():
    call = Call(FaultRule("add_to_cart", "duplicate_delivery", FIRST))
    call("add_to_cart", sku="MOLO-1", qty=1)
    assert call("view_cart").value["items"][0]["qty"] == 2
    call = Call(FaultRule("place_order", "duplicate_delivery", FIRST))
    call("add_to_cart", sku="MOLO-1", qty=1)
    call("reserve_slot", slot_id="MSK-12")
    assert "order_id" in call("place_order", phone=IVAN, client_request_id="r").value
    assert len(call.overlay.difference()["orders"]["added"]) == 1


def test_a_commit_that_times_out_has_written_and_a_repeated_request_finds_it():
    call = Call(FaultRule("place_order", "commit_then_timeout", FIRST))
    call("add_to_cart", sku="MOLO-1", qty=1)
    call("reserve_slot", slot_id="MSK-12")
    assert error_code(call("place_order", phone=IVAN, client_request_id="r").value) == "TIMEOUT"
    assert len(call.overlay.difference()["orders"]["added"]) == 1
    again = call("place_order", phone=IVAN, client_request_id="r").value
    assert again["repeated"] is True
    assert len(call.overlay.difference()["orders"]["added"]) == 1
    assert recovery(call.overlay.injected)["recovered"] == 1


def test_a_model_that_calls_again_without_its_request_id_has_not_recovered():
    call = Call(FaultRule("place_order", "commit_then_timeout", FIRST))
    call("add_to_cart", sku="MOLO-1", qty=1)
    call("reserve_slot", slot_id="MSK-12")
    call("place_order", phone=IVAN)
    assert error_code(call("place_order", phone=IVAN).value) == "EMPTY_CART"
    assert recovery(call.overlay.injected)["recovered"] == 0
    assert call.overlay.errors == 1


def test_a_rule_strikes_a_tool_as_often_as_it_says_and_each_tool_for_itself():
    call = Call(FaultRule("*", "error", When(probability=1), count=2))
    struck = [call("check_stock", sku="MOLO-1").injected for _ in range(4)]
    assert struck == ["error", "error", None, None]
    assert call("view_cart").injected == "error"


def test_a_call_with_bad_arguments_is_the_models_error_whatever_the_faults():
    call = Call(FaultRule("check_stock", "empty", FIRST))
    assert error_code(call("check_stock").value) == "INVALID_ARGUMENT"
    assert call.overlay.errors == 1
    assert call.overlay.injected == []


def drawn(order, seed=7) -> dict[tuple[str, int], str | None]:
    """What strikes each call of each tool, tools called in this order."""
    dice = Dice([FaultRule("*", "error", When(probability=0.3))], seed)
    found: dict[tuple[str, int], str | None] = {}
    for tool in order:
        ordinal, rule = dice.next(tool, reads=True)
        found[tool, ordinal] = None if rule is None else rule.kind
    return found


def test_a_draw_depends_on_seed_tool_and_ordinal_alone():
    one = drawn([tool for tool, _ in product("abc", range(20))])
    other = drawn([tool for _, tool in product(range(20), "cab")])
    assert one == other
    assert one != drawn([tool for tool, _ in product("abc", range(20))], seed=8)
    assert [one["a", n] for n in range(1, 21)] != [one["b", n] for n in range(1, 21)]
    counts = Counter(drawn(["a"] * 1000).values())
    assert 250 < counts["error"] < 350


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_strikes_some_calls_of_some_trials(profile):
    struck = 0
    for seed in range(40):
        overlay = SHOP.open({}, faults=Faults(profile), seed=seed)
        for _ in range(3):
            SHOP.answer(overlay, "view_cart", "{}")
            SHOP.answer(overlay, "add_to_cart", '{"sku": "MOLO-1", "qty": 1}')
        struck += len(overlay.injected)
    assert (struck > 0) is (profile != "none")

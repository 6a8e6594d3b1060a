"""The shop of the phone-order task: its tools, its customers, and what a goal asks of the state."""

import json
from pathlib import Path

import pytest

from assay.keys import JSON
from assay.loading.tasks import BUILT_IN
from assay.loading.worlds import read_world
from assay.tasks.phone_orders import generate
from assay.world.tools import error_code

FOLDER = BUILT_IN / "phone_orders"
ORDERS = [json.loads(line) for line in (FOLDER / "data" / "orders.jsonl").read_text().splitlines()]
IVAN, MARIA = "+79001112233", "+79002223344"


@pytest.fixture(scope="module")
def world():
    return read_world(FOLDER / "world.yaml")


class Shop:
    """Calls tools on an overlay of its own."""

    def __init__(self, world) -> None:
        self.world, self.overlay = world, world.open({"CURRENT_DATE": "2025-06-08"})

    def __call__(self, tool, **arguments) -> JSON:
        return self.world.call(self.overlay, tool, json.dumps(arguments), "c1")


@pytest.fixture
def shop(world):
    return Shop(world)


def code(value) -> str | None:
    return error_code(value)


def test_the_shop_is_of_real_size(world):
    assert len(world.tools) == 13
    sizes = {name: len(table.rows) for name, table in world.tables.items()}
    assert sizes == {"products": 351, "customers": 72, "orders": len(ORDERS), "slots": 168, "sessions": 0}
    assert len(ORDERS) > 200
    assert all(set(tool.descriptions) == {"ru", "en"} for tool in world.tools.values())


def test_no_alias_and_no_name_means_two_products(world, shop):
    for row in world.tables["products"].rows.values():
        for name in (row["name"], *row["aliases"]):
            found = shop("search_products", query=name)["products"]
            assert [(item["sku"], item["exact"]) for item in found] == [(row["sku"], True)], name


def test_money_is_whole_kopecks(world):
    assert all(isinstance(row["price_minor"], int) for row in world.tables["products"].rows.values())


def test_an_order_goes_from_search_to_number(shop):
    sku = shop("search_products", query="Филе курицы")["products"][0]["sku"]
    shop("add_to_cart", sku=sku, qty=2)
    slot = shop("list_delivery_slots", location="Москва")["slots"][0]
    shop("reserve_slot", slot_id=slot["slot_id"])
    order = shop("place_order", phone="8 (900) 111-22-33")
    assert (order["status"], order["items"], order["total_minor"]) == (
        "placed",
        [{"sku": sku, "qty": 2}],
        84000,
    )
    changed = shop.overlay.difference()
    assert list(changed["orders"]["added"]) == [order["order_id"]]
    assert changed["products"]["changed"] == {sku: {"stock": [120, 118]}}
    assert code(shop("place_order", phone=IVAN)) == "EMPTY_CART"


def test_a_repeated_request_makes_no_second_order(shop):
    shop("add_to_cart", sku="MOLO-1", qty=1)
    shop("reserve_slot", slot_id="MSK-12")
    first = shop("place_order", phone=IVAN, client_request_id="r1")
    again = shop("place_order", phone=IVAN, client_request_id="r1")
    assert again == {**first, "repeated": True}
    assert len(shop.overlay.difference()["orders"]["added"]) == 1
    assert code(shop("place_order", phone=MARIA, client_request_id="r1")) == "DUPLICATE"


@pytest.mark.parametrize(
    ("tool", "arguments", "wanted"),
    [
        ("get_customer", {"phone": "+70000000000"}, "NOT_FOUND"),
        ("get_purchase_history", {"phone": "нет"}, "NOT_FOUND"),
        ("check_stock", {"sku": "X"}, "NOT_FOUND"),
        ("add_to_cart", {"sku": "OSETR-1", "qty": 1}, "OUT_OF_STOCK"),
        ("add_to_cart", {"sku": "FILE-1", "qty": 121}, "OUT_OF_STOCK"),
        ("add_to_cart", {"sku": "FILE-1", "qty": 0.7}, "INVALID_ARGUMENT"),
        ("add_to_cart", {"sku": "MOLO-1", "qty": 0.5}, "INVALID_ARGUMENT"),
        ("add_to_cart", {"sku": "MOLO-1", "qty": -1}, "INVALID_ARGUMENT"),
        ("update_cart", {"sku": "MOLO-1", "qty": 1}, "NOT_FOUND"),
        ("list_delivery_slots", {"location": "Париж"}, "NOT_FOUND"),
        ("reserve_slot", {"slot_id": "MSK-11"}, "SLOT_FULL"),
        ("reserve_slot", {"slot_id": "KZN-11"}, "SLOT_CUTOFF"),
        ("place_order", {"phone": IVAN}, "EMPTY_CART"),
        ("place_order", {"phone": "+70000000000"}, "NOT_FOUND"),
        ("cancel_order", {"phone": IVAN, "order_id": "ORD-00004"}, "UNAUTHORISED"),
        ("cancel_order", {"phone": IVAN, "order_id": "ORD-00001"}, "INVALID_ARGUMENT"),
        ("cancel_order", {"phone": IVAN, "order_id": "ORD-9"}, "NOT_FOUND"),
    ],
)
def test_what_cannot_be_done_is_an_error_value_and_changes_nothing(shop, tool, arguments, wanted):
    assert code(shop(tool, **arguments)) == wanted
    assert shop.overlay.difference() == {}


def test_an_order_needs_a_reserved_slot(shop):
    shop("add_to_cart", sku="MOLO-1", qty=1)
    assert "slot" in shop("place_order", phone=IVAN)["error"]["message"]


def test_the_cart_follows_its_updates(shop):
    shop("add_to_cart", sku="SYR-1", qty=0.2)
    assert shop("add_to_cart", sku="SYR-1", qty=0.1)["items"][0]["qty"] == 0.3
    assert shop("update_cart", sku="SYR-1", qty=0) == {"items": [], "total_minor": 0}
    assert shop("view_cart") == {"items": [], "total_minor": 0}


def test_another_slot_gives_the_first_one_back(shop):
    shop("reserve_slot", slot_id="MSK-12")
    shop("reserve_slot", slot_id="MSK-13")
    shop("reserve_slot", slot_id="MSK-13")
    assert shop.overlay.get("slots", "MSK-12")["capacity"] == 8
    assert shop.overlay.get("slots", "MSK-13")["capacity"] == 7


def test_slots_are_dated_from_the_day_of_the_call_and_only_free_ones_are_shown(shop):
    slots = shop("list_delivery_slots", location="Москва", date="2025-06-09")["slots"]
    assert [slot["slot_id"] for slot in slots] == ["MSK-12", "MSK-13"]
    assert shop("list_delivery_slots", location="Москва", date="2025-06-08") == {"slots": []}


def test_a_cancelled_order_gives_stock_and_slot_back(shop):
    shop("add_to_cart", sku="MOLO-1", qty=4)
    shop("reserve_slot", slot_id="MSK-12")
    order = shop("place_order", phone=IVAN)
    assert shop("cancel_order", phone=IVAN, order_id=order["order_id"])["status"] == "cancelled"
    assert shop.overlay.get("products", "MOLO-1")["stock"] == 300
    assert shop.overlay.get("slots", "MSK-12")["capacity"] == 8


def test_ending_and_transferring_are_seen_by_the_exchange(shop):
    shop("end_call")
    assert shop.overlay.ended == "agent_ended"
    shop("transfer_to_human", reason="жалоба")
    assert shop.overlay.ended == "transferred"


def test_the_world_fills_what_a_scenario_leaves_out_and_keeps_what_it_says(world):
    facts = world.facts({"ORDER_GOAL": '[{"name":"филе", "qty":2}]', "CURRENT_DATE": "2025-06-08 Sunday"})
    assert facts["CURRENT_DATE"] == "2025-06-08 Sunday"
    assert {"LOCATIONS", "DELIVERY_DAYS", "PURCHASE_HISTORY", "CUSTOMER_PHONE", "CITY"} <= set(facts)
    assert world.facts(facts) == facts


def test_a_reorder_is_called_in_by_a_customer_whose_history_fits(world):
    facts = world.facts({"ORDER_GOAL": [{"name": "филе", "qty": 2, "from_history": True}]})
    assert facts["CUSTOMER_PHONE"] == IVAN
    assert facts["PURCHASE_HISTORY"] == "Прежние покупки: Филе куриное (3 раза)"


def wanted(world, phone, **item) -> JSON:
    expected = world.expected({"CUSTOMER_PHONE": phone, "ORDER_GOAL": [{"qty": 2, **item}]})
    if "not_applicable" in expected:
        return None
    return expected["state"][0]["added"]["match"]["items"]["unordered"][0]["sku"]


def test_a_goal_means_the_product_of_that_name(world):
    assert wanted(world, IVAN, name="филе") == "FILE-1"
    assert wanted(world, MARIA, name="филе", from_history=True) == "FILE-2"
    assert wanted(world, MARIA, name="сыр", variant="Российский") == "SYR-1"


@pytest.mark.parametrize(
    "item",
    [{"name": "сыр"}, {"name": "ананас"}, {"name": "молоко", "from_history": True}],
)
def test_a_goal_that_names_no_single_product_is_not_applicable(world, item):
    assert wanted(world, IVAN, **item) is None


def test_the_scenarios_cover_what_they_should():
    rows = [json.loads(line) for line in Path(FOLDER / "scenarios.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    assert {row["variables"]["PERSONALITY"] for row in rows} == {"спокойный", "нетерпеливый", "растерянный"}
    assert {row["variables"]["AMB_LEVEL"] for row in rows} == {0, 1, 2, 3}
    tags = {tag for row in rows for tag in row["tags"]}
    assert {"reorder", "out_of_stock", "slot", "change"} <= tags


def test_the_generator_reproduces_the_files_byte_for_byte(tmp_path):
    generate.generate(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in (FOLDER / "data").iterdir()}


def test_every_product_can_be_ordered_by_its_least_and_its_steps(world):
    for sku, row in world.tables["products"].rows.items():
        if row["stock"]:
            shop = Shop(world)
            shop("add_to_cart", sku=sku, qty=row["min_qty"])
            assert shop("add_to_cart", sku=sku, qty=row["step"])["total_minor"] > 0, sku


def test_past_orders_are_of_the_shops_own_products_customers_and_prices(world):
    products, customers = world.tables["products"].rows, world.tables["customers"].rows
    for order in ORDERS:
        assert order["customer"] in customers
        assert order["date"] < "2025-06-08"
        total = sum(round(products[item["sku"]]["price_minor"] * item["qty"]) for item in order["items"])
        assert order["total_minor"] == total, order["order_id"]
    assert {row["status"] for row in ORDERS} == {"delivered", "cancelled"}


def test_some_of_everything_is_missing(world):
    stocks = [row["stock"] for row in world.tables["products"].rows.values()]
    assert 10 <= stocks.count(0) <= 35
    capacities = {row["capacity"] for row in world.tables["slots"].rows.values()}
    assert capacities == {0, 1, 8}
    assert len({row["location"] for row in world.tables["slots"].rows.values()}) == 8


def test_the_nearest_slots_are_shown_and_a_day_on_request(shop):
    assert len(shop("list_delivery_slots", location="Самара")["slots"]) == 9
    (day,) = {
        slot["date"] for slot in shop("list_delivery_slots", location="Самара", date="2025-06-10")["slots"]
    }
    assert day == "2025-06-10"
    assert "Казань" in shop("list_delivery_slots", location="Париж")["error"]["message"]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 раз"), (2, "2 раза"), (5, "5 раз"), (12, "12 раз"), (22, "22 раза")]
)
def test_how_often_is_said_in_good_russian(world, count, said):
    order = {
        "customer": IVAN,
        "date": "2025-01-01",
        "status": "delivered",
        "items": [{"sku": "SOL-1", "qty": 1}],
    }
    start = {"orders": {f"X-{n}": order for n in range(count)}}
    completes = world.completes(world.open({}, start), {"CUSTOMER_PHONE": IVAN})
    assert f"Соль поваренная ({said})" in completes["PURCHASE_HISTORY"]


def test_the_caller_who_is_drawn_depends_on_seed_and_goal_alone(world):
    def caller(**more):
        return world.facts({"ORDER_GOAL": '[{"name": "молоко", "qty": 1}]', **more})["CUSTOMER_PHONE"]

    assert caller(SEED=1, PERSONALITY="спокойный", AMB_LEVEL=0) == caller(SEED=1, AMB_LEVEL=3)
    assert len({caller(SEED=seed) for seed in range(20)}) > 5

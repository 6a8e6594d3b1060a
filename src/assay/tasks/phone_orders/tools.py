"""The shop behind the telephone: what each tool reads and writes, and what a goal asks of the state.

Money is integer kopecks. Every function takes the trial's overlay first and its tool's arguments
by name; an error is a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache

from assay.agenda import GoalItem, goal_of
from assay.keys import JSON, unit
from assay.world.overlay import Overlay
from assay.world.tables import Row
from assay.world.tools import refused

CALL = "call"
"""The key of this call's own record in `sessions`: one call, one trial."""
MAX_FOUND = 5
"""Products that a search shows."""
MAX_SLOTS = 9
"""Delivery slots that are shown where no day is named: the nearest."""


def get_customer(world: Overlay, phone: str) -> JSON:
    customer = world.get("customers", _phone(phone))
    return refused("NOT_FOUND", f"no customer with phone {phone}") if customer is None else dict(customer)


def get_purchase_history(world: Overlay, phone: str) -> JSON:
    phone = _phone(phone)
    if world.get("customers", phone) is None:
        return refused("NOT_FOUND", f"no customer with phone {phone}")
    orders = sorted(world.find("orders", "customer", phone), key=lambda row: str(row["date"]), reverse=True)
    return {
        "orders": [
            {
                "order_id": order["order_id"],
                "date": order["date"],
                "status": order["status"],
                "items": [{**item, "name": _name(world, item["sku"])} for item in order["items"]],
            }
            for order in orders
        ]
    }


def search_products(world: Overlay, query: str) -> JSON:
    exact = _exact(world, query)
    words = [_stem(word) for word in _words(query)]
    found = exact or [row for row in world.rows("products") if _holds(row, words)]
    return {
        "products": [
            {
                "sku": row["sku"],
                "name": row["name"],
                "unit": row["unit"],
                "price_minor": row["price_minor"],
                "stock": row["stock"],
                "exact": bool(exact),
            }
            for row in found[:MAX_FOUND]
        ]
    }


def check_stock(world: Overlay, sku: str) -> JSON:
    product = world.get("products", sku)
    if product is None:
        return refused("NOT_FOUND", f"no product {sku}")
    return {"sku": sku, "stock": product["stock"], "unit": product["unit"]}


def add_to_cart(world: Overlay, sku: str, qty: float) -> JSON:
    return _set_cart(world, sku, round(_cart(world).get(sku, 0) + qty, 3))


def update_cart(world: Overlay, sku: str, qty: float) -> JSON:
    if sku not in _cart(world):
        return refused("NOT_FOUND", f"{sku} is not in the cart")
    return _set_cart(world, sku, qty)


def view_cart(world: Overlay) -> JSON:
    items, total = [], 0
    for sku, qty in _cart(world).items():
        product = world.get("products", sku)
        price = 0 if product is None else round(product["price_minor"] * qty)
        items.append({"sku": sku, "name": _name(world, sku), "qty": qty, "sum_minor": price})
        total += price
    return {"items": items, "total_minor": total}


def list_delivery_slots(world: Overlay, location: str, date: str | None = None) -> JSON:
    slots = [
        slot
        for slot in world.find("slots", "location", location.strip())
        if slot["capacity"] > 0 and not _cut_off(world, slot)
    ]
    if not slots and not world.find("slots", "location", location.strip()):
        cities = dict.fromkeys(str(slot["location"]) for slot in world.rows("slots"))
        return refused("NOT_FOUND", f"no delivery to {location}; there is to {', '.join(cities)}")
    shown = [_slot(world, slot) for slot in slots]
    if date is None:
        return {"slots": shown[:MAX_SLOTS]}
    return {"slots": [slot for slot in shown if slot["date"] == date]}


def reserve_slot(world: Overlay, slot_id: str) -> JSON:
    slot, session = world.get("slots", slot_id), _session(world)
    if slot is None:
        return refused("NOT_FOUND", f"no delivery slot {slot_id}")
    if _cut_off(world, slot):
        return refused("SLOT_CUTOFF", f"it is too late to reserve {slot_id}")
    held = session.get("slot")
    if held != slot_id:
        if slot["capacity"] <= 0:
            return refused("SLOT_FULL", f"delivery slot {slot_id} is full")
        if held is not None:
            _move_capacity(world, held, 1)
        _move_capacity(world, slot_id, -1)
    world.put("sessions", CALL, {**session, "slot": slot_id})
    return {"reserved": _slot(world, slot)}


def requires_customer(world: Overlay, arguments: Mapping[str, JSON]) -> JSON:
    """An order is some customer's."""
    if world.get("customers", _phone(arguments["phone"])) is None:
        return refused("NOT_FOUND", f"no customer with phone {arguments['phone']}")
    return None


def requires_cart_not_empty(world: Overlay, arguments: Mapping[str, JSON]) -> JSON:
    """Something must be ordered."""
    del arguments
    return None if _cart(world) else refused("EMPTY_CART", "the cart is empty")


def requires_slot(world: Overlay, arguments: Mapping[str, JSON]) -> JSON:
    """The delivery must be agreed."""
    del arguments
    reserved = _session(world).get("slot") is not None
    return None if reserved else refused("INVALID_ARGUMENT", "no delivery slot is reserved")


def place_order(world: Overlay, phone: str, client_request_id: str | None = None) -> JSON:
    phone, cart = _phone(phone), _cart(world)
    slot = world.get("slots", _session(world)["slot"])
    for sku, qty in cart.items():
        product = world.get("products", sku)
        if product is None or product["stock"] < qty:
            return refused("OUT_OF_STOCK", f"not enough {sku} in stock")
        world.change("products", sku, stock=product["stock"] - qty)
    bill, order_id = view_cart(world), world.new_key("orders")
    order = {
        "order_id": order_id,
        "customer": phone,
        "date": world.now.date().isoformat(),
        "status": "placed",
        "items": [{"sku": sku, "qty": qty} for sku, qty in cart.items()],
        "total_minor": bill["total_minor"],
        "slot": None if slot is None else _slot(world, slot),
        "request_id": client_request_id,
    }
    world.put("orders", order_id, order)
    world.put("sessions", CALL, {"session_id": CALL, "cart": {}, "slot": None})
    return {name: order[name] for name in ("order_id", "status", "items", "total_minor", "slot")}


def cancel_order(world: Overlay, phone: str, order_id: str) -> JSON:
    order = world.get("orders", order_id)
    if order is None:
        return refused("NOT_FOUND", f"no order {order_id}")
    if order["customer"] != _phone(phone):
        return refused("UNAUTHORISED", "the order belongs to another customer")
    if order["status"] != "placed":
        return refused("INVALID_ARGUMENT", f"the order is {order['status']} and cannot be cancelled")
    for item in order["items"]:
        product = world.get("products", item["sku"])
        if product is not None:
            world.change("products", item["sku"], stock=product["stock"] + item["qty"])
    slot = order.get("slot")
    if slot is not None:
        _move_capacity(world, slot["slot_id"], 1)
    world.change("orders", order_id, status="cancelled")
    return {"order_id": order_id, "status": "cancelled"}


def transfer_to_human(world: Overlay, reason: str = "") -> JSON:
    world.ended = "transferred"
    return {"transferred": True, "reason": reason}


def end_call(world: Overlay, reason: str = "") -> JSON:
    world.ended = "agent_ended"
    return {"ended": True, "reason": reason}


def completes(world: Overlay, variables: Mapping[str, JSON]) -> dict[str, JSON]:
    """The customer who calls, and what the prompts say of places, days and past purchases."""
    customer = _caller(world, variables)
    phone, city = str(customer["phone"]), str(customer["city"])
    days = sorted({int(slot["day"]) for slot in world.find("slots", "location", city)})
    bought = Counter(
        _name(world, item["sku"])
        for order in world.find("orders", "customer", phone)
        for item in order["items"]
    )
    history = ", ".join(f"{name} ({_times(count)})" for name, count in bought.most_common())
    return {
        "CUSTOMER_PHONE": phone,
        "CUSTOMER_NAME": customer["name"],
        "CITY": city,
        "CURRENT_DATE": world.now.date().isoformat(),
        "LOCATIONS": ", ".join(dict.fromkeys(str(slot["location"]) for slot in world.rows("slots"))),
        "DELIVERY_DAYS": f"от {days[0]} до {days[-1]} дней" if days else "доставки нет",
        "PURCHASE_HISTORY": f"Прежние покупки: {history}" if history else "Покупок ещё не было",
    }


def expects(world: Overlay, variables: Mapping[str, JSON]) -> JSON:
    """One order of the customer that holds just the goal's items, and nothing else changed."""
    phone = _phone(str(variables.get("CUSTOMER_PHONE") or ""))
    wanted: dict[str, float] = {}
    for item in goal_of(variables.get("ORDER_GOAL", [])):
        sku = resolve(world, item, phone)
        if sku is None:
            return {"not_applicable": f"{item.name} names no single product of this shop"}
        wanted[sku] = round(wanted.get(sku, 0) + item.qty, 3)
    if not wanted:
        return {"not_applicable": "the goal names no product"}
    items = [{"sku": sku, "qty": qty} for sku, qty in wanted.items()]
    return {
        "state": [
            {
                "added": {
                    "table": "orders",
                    "where": {"customer": phone},
                    "count": 1,
                    "match": {"items": {"unordered": items}, "status": "placed"},
                }
            },
            {"unchanged": {"except": ["sessions", "slots", "products"]}},
        ]
    }


def resolve(world: Overlay, item: GoalItem, phone: str) -> str | None:
    """The one product that a goal item means: by its variant, its name, or the customer's history."""
    name = f"{item.name} {item.variant}".strip()
    found = [str(row["sku"]) for row in _exact(world, name)]
    if item.from_history:
        bought = _bought(world, phone)
        words = [_stem(word) for word in _words(name)]
        rows = (world.get("products", sku) for sku in bought)
        near = [str(row["sku"]) for row in rows if row is not None and _holds(row, words)]
        found = [sku for sku in found if sku in bought] or near
    return found[0] if len(found) == 1 else None


def _caller(world: Overlay, variables: Mapping[str, JSON]) -> Row:
    """The customer named by CUSTOMER_PHONE, else the first whose history fits the goal, else one drawn
    by seed and goal alone, so that all cells of a matrix are called in by one person.
    """
    named = world.get("customers", _phone(str(variables.get("CUSTOMER_PHONE") or "")))
    if named is not None:
        return named
    customers = list(world.rows("customers"))
    again = [item for item in goal_of(variables.get("ORDER_GOAL", [])) if item.from_history]
    for customer in customers:
        phone = str(customer["phone"])
        if again and all(resolve(world, item, phone) is not None for item in again):
            return customer
    drawn = unit("caller", variables.get("SEED"), variables.get("ORDER_GOAL"))
    return customers[int(drawn * len(customers))]


def _bought(world: Overlay, phone: str) -> list[str]:
    orders = world.find("orders", "customer", phone)
    return list(dict.fromkeys(str(item["sku"]) for order in orders for item in order["items"]))


def _exact(world: Overlay, query: str) -> list[Row]:
    """Products with this alias or full name."""
    wanted = " ".join(_words(query))
    found = world.find("products", "aliases", wanted)
    return found or [row for row in world.rows("products") if " ".join(_words(str(row["name"]))) == wanted]


def _holds(product: Row, stems: Iterable[str]) -> bool:
    words = _words(" ".join((str(product["name"]), *product["aliases"])))
    stems = list(stems)
    return bool(stems) and all(any(word.startswith(stem) for word in words) for stem in stems)


def _times(count: int) -> str:
    """`3 раза`, `5 раз`."""
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return f"{count} раза" if few else f"{count} раз"


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold().replace("ё", "е")))


def _stem(word: str) -> str:
    """A word without its ending: five letters tell Russian groceries apart."""
    return word[: max(4, min(5, len(word) - 1))]


def _set_cart(world: Overlay, sku: str, qty: float) -> JSON:
    product = world.get("products", sku)
    if product is None:
        return refused("NOT_FOUND", f"no product {sku}")
    if qty > product["stock"]:
        return refused("OUT_OF_STOCK", f"{product['name']}: {product['stock']} in stock")
    steps = (qty - product["min_qty"]) / product["step"]
    if qty and (qty < product["min_qty"] or abs(steps - round(steps)) > 1e-9):
        limits = f"at least {product['min_qty']}, in steps of {product['step']}"
        return refused("INVALID_ARGUMENT", f"{product['name']}: {limits} {product['unit']}")
    cart = {**_cart(world), sku: qty}
    if not qty:
        del cart[sku]
    world.put("sessions", CALL, {**_session(world), "cart": cart})
    return view_cart(world)


def _session(world: Overlay) -> Row:
    return world.get("sessions", CALL) or {"session_id": CALL, "cart": {}, "slot": None}


def _cart(world: Overlay) -> dict[str, float]:
    return dict(_session(world)["cart"])


def _slot(world: Overlay, slot: Row) -> dict[str, JSON]:
    date = (world.now + timedelta(days=slot["day"])).date().isoformat()
    return {
        "slot_id": slot["slot_id"],
        "location": slot["location"],
        "date": date,
        "window": slot["window"],
    }


def _cut_off(world: Overlay, slot: Row) -> bool:
    """Whether the last hour to reserve a next-day slot has passed on the day of the call."""
    return bool(slot["day"] <= 1 and world.now.strftime("%H:%M") > slot["cutoff"])


def _move_capacity(world: Overlay, slot_id: str, by: int) -> None:
    slot = world.get("slots", slot_id)
    if slot is not None:
        world.change("slots", slot_id, capacity=slot["capacity"] + by)


def _name(world: Overlay, sku: str) -> str:
    product = world.get("products", sku)
    return sku if product is None else str(product["name"])


def _phone(text: str) -> str:
    """A telephone number as the customers' table spells it: +7 and ten digits."""
    digits = re.sub(r"\D", "", text)
    return f"+7{digits[1:]}" if len(digits) == 11 and digits[0] in "78" else text.strip()

"""Two people of the phone-order task: an agent of known skill, and the rule-following customer.

Both are stateless: every answer follows from the messages, the tools offered and the seed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from assay.agenda import Brief, Line, Move, next_move, phrases_of
from assay.emulator.behaviour import Answer, Asked
from assay.emulator.phone_agent import Called, Heard, Mention, compact, heard, mentions, wanted
from assay.keys import JSON, unit
from assay.message import Finish, Message, ToolCall

MAX_CALLS = 7
"""Tool calls of one turn, after which the agent speaks first."""
Wrong = Literal["quantity", "unplaced"]
"""A wrong step: one more of the first product in the cart, or an order that is claimed, not placed."""


class AgentPersona:
    """Takes a telephone order; with probability 1 - `skill` it makes one wrong step.

    Which, if any, is drawn from the first prompt and the seed, so that one call is wrong from
    beginning to end. `truth` is `{"role", "right", "wrong"}`.
    """

    __slots__ = ("skill",)

    def __init__(self, skill: float) -> None:
        self.skill = skill

    def answer(self, asked: Asked) -> Answer:
        talk = heard(asked.messages)
        wrong = self._wrong(asked)
        act = _Agent(talk, wrong).act()
        truth: JSON = {"role": "agent", "right": wrong is None, "wrong": wrong}
        if isinstance(act, str):
            return Answer(act, truth=truth)
        call = ToolCall(f"call_{len(talk.calls) + 1}", act.name, compact(act.arguments))
        return Answer(tool_calls=(call,), finish=Finish.TOOL_CALLS, truth=truth)

    def _wrong(self, asked: Asked) -> Wrong | None:
        first = [m.text for m in asked.messages[:2] if m.role in ("system", "user")]
        if unit("agent", first, asked.seed) < self.skill:
            return None
        return "quantity" if unit("agent.wrong", first, asked.seed) < 0.5 else "unplaced"


class _Do(Struct, frozen=True):
    """A tool to call."""

    name: str
    arguments: dict[str, JSON]


class _Agent:
    """One decision: what to say or do next, given all that was said and done."""

    def __init__(self, talk: Heard, wrong: Wrong | None) -> None:
        self.talk = talk
        self.wrong = wrong
        self.lines = _RU if phrases_of("ru") is talk.words else _EN
        self.wants = wanted(talk)

    def act(self) -> str | _Do:
        talk, lines = self.talk, self.lines
        if not talk.turns:
            return lines["greet"]
        if any(_fixed(lines["placed"]) in turn.question for turn in talk.turns):
            return lines["bye"]
        act = self._search() or self._customer()
        if act is None and not self.wants:
            return lines["what"]
        act = (
            act or self._look() or self._cart() or self._anything_else() or self._delivery() or self._order()
        )
        if isinstance(act, _Do) and talk.busy >= MAX_CALLS:
            return lines["more"]
        return act

    def _search(self) -> _Do | None:
        """Looks up what was named. What was bought before waits for the customer's history."""
        for want in self.wants:
            found = self.talk.answer("search_products", query=want.name)
            nothing = found is not None and found.error is None and not found.items("products")
            again = nothing and self.talk.tries("search_products", query=want.name) < 2
            if not want.from_history and (found is None or again):
                return _Do("search_products", {"query": want.name})
        return None

    def _customer(self) -> str | _Do | None:
        phone = self.talk.phone()
        if phone is None:
            return self.lines["phone"]
        found = self.talk.answer("get_customer", phone=phone)
        if found is None:
            return _Do("get_customer", {"phone": phone})
        if found.error is not None:
            return self.lines["phone_again"]
        again = any(want.from_history for want in self.wants)
        if again and self.talk.answer("get_purchase_history", phone=phone) is None:
            return _Do("get_purchase_history", {"phone": phone})
        return None

    def _look(self) -> _Do | None:
        """Looks into the cart after a change that got no answer: it may have been made all the same."""
        last = self.talk.calls[-1] if self.talk.calls else None
        changed = last is not None and last.lost and last.name in ("add_to_cart", "update_cart")
        return _Do("view_cart", {}) if changed else None

    def _cart(self) -> str | _Do | None:
        """Brings the cart to what is wanted, one product at a time."""
        cart, kept = self.talk.cart(), set()
        for n, want in enumerate(self.wants):
            found = self._options(want)
            if not found:
                return self.lines["not_found"].format(name=want.name)
            if len(found) > 1:
                names = ", ".join(name for _, name in found)
                return self.lines["which"].format(name=want.name, options=names)
            if want.qty is None:
                return self.lines["quantity"].format(name=want.name)
            sku = found[0][0]
            kept.add(sku)
            qty = want.qty + 1 if self.wrong == "quantity" and n == 0 else want.qty
            if cart.get(sku) == qty:
                continue
            tool = "update_cart" if sku in cart else "add_to_cart"
            tried = self.talk.answer(tool, sku=sku, qty=qty)
            if tried is not None and tried.error is not None:
                return self.lines["unavailable"].format(name=want.name)
            return _Do(tool, {"sku": sku, "qty": qty})
        left = [sku for sku in cart if sku not in kept]
        return _Do("update_cart", {"sku": left[0], "qty": 0}) if left else None

    def _options(self, want: Mention) -> list[tuple[str, str]]:
        """SKU and name of the products that a name may mean."""
        if want.from_history:
            return self._bought(want)
        found = self.talk.answer("search_products", query=want.name)
        if found is None or found.error is not None:
            return []
        return [(item["sku"], item["name"]) for item in found.items("products")]

    def _bought(self, want: Mention) -> list[tuple[str, str]]:
        history = self.talk.answer("get_purchase_history")
        if history is None or history.error is not None:
            return []
        stems = [word[:4] for word in want.name.casefold().split()]
        found: dict[str, str] = {}
        for order in history.items("orders"):
            for item in order["items"]:
                if all(stem in item["name"].casefold() for stem in stems):
                    found[item["sku"]] = item["name"]
        return list(found.items())

    def _anything_else(self) -> str | None:
        """None once the customer has said that this is all."""
        asked = [turn for turn in self.talk.turns if self.lines["more"] in turn.question]
        done = any(not mentions(turn.reply, self.talk.words) for turn in asked)
        return None if done else self.lines["more"]

    def _delivery(self) -> str | _Do | None:
        customer = self.talk.answer("get_customer", phone=self.talk.phone())
        city = str(customer.value.get("city", "")) if customer is not None and not customer.lost else ""
        listed = self.talk.answer("list_delivery_slots", location=city)
        if listed is None:
            return _Do("list_delivery_slots", {"location": city})
        free = [slot for slot in listed.items("slots") if self._failed(slot) is None]
        if not free:
            return self.lines["no_delivery"]
        return self._offered(free)

    def _failed(self, slot: JSON) -> Called | None:
        tried = self.talk.answer("reserve_slot", slot_id=slot["slot_id"])
        return tried if tried is not None and tried.error is not None else None

    def _offered(self, free: Sequence[JSON]) -> str | _Do | None:
        """Offers the nearest slot, hears a wish for another day, reserves what was agreed."""
        offers = [turn for turn in self.talk.turns if _fixed(self.lines["offer"]) in turn.question]
        if not offers:
            return self.lines["offer"].format(**free[0])
        wish = self._day(offers[-1].reply)
        fits = [slot for slot in free if wish in (None, slot["date"])]
        if not fits:
            offer = self.lines["offer"].format(**free[0])
            return self.lines["no_day"].format(date=wish) + " " + offer
        agreed = next((s for s in fits if f"{s['date']}, {s['window']}" in offers[-1].question), fits[0])
        if self.talk.answer("reserve_slot", slot_id=agreed["slot_id"]) is None:
            return _Do("reserve_slot", {"slot_id": agreed["slot_id"]})
        return None

    def _day(self, reply: str) -> str | None:
        """The date that a reply asks for; "today" counts from the date in the system prompt."""
        named = re.search(r"\d{4}-\d{2}-\d{2}", reply)
        if named is not None:
            return named[0]
        today = re.search(r"\d{4}-\d{2}-\d{2}", self.talk.system)
        for word, days in _DAYS.items():
            if today is not None and re.search(rf"\b{word}\b", reply, re.IGNORECASE):
                return (date.fromisoformat(today[0]) + timedelta(days=days)).isoformat()
        return None

    def _order(self) -> str | _Do:
        """Reads the order back; once it is confirmed, places it and says so."""
        confirms = [turn for turn in self.talk.turns if _fixed(self.lines["confirm"]) in turn.question]
        if not confirms or mentions(confirms[-1].reply, self.talk.words):
            items = ", ".join(f"{want.name} — {want.qty}" for want in self.wants)
            return self.lines["confirm"].format(items=items)
        if self.wrong == "unplaced":
            return self.lines["placed"].format(order="ORD-90210")
        placed = self.talk.answer("place_order")
        if placed is None:
            request = f"call-{len(self.talk.turns)}"
            return _Do("place_order", {"phone": self.talk.phone(), "client_request_id": request})
        if placed.error is not None or placed.lost:
            return self.lines["failed"]
        return self.lines["placed"].format(order=placed.value["order_id"])


def _fixed(template: str) -> str:
    """The part of a line that stands before its first value: how the agent knows its own words."""
    return template.partition("{")[0]


class ClientPersona:
    """The rule-following customer of the agenda; its brief is the JSON block of its system prompt.

    Answers in the form that is asked for: structured, by the tool `hang_up`, or with a marker.
    """

    __slots__ = ()

    def answer(self, asked: Asked) -> Answer:
        brief = _brief(asked.messages)
        if brief is None:
            return Answer("...", truth={"role": "client", "fault": "no brief"})
        move = next_move(brief, _lines(asked.messages, brief), asked.seed or 0)
        return _spoken(move, asked)


def _brief(messages: Sequence[Message]) -> Brief | None:
    system = "\n".join(m.text for m in messages if m.role == "system")
    start = system.find('{"goal"')
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(system, start)
        return msgspec.convert(value, Brief)
    except (ValueError, msgspec.ValidationError):
        return None


def _lines(messages: Sequence[Message], brief: Brief) -> list[Line]:
    started = phrases_of(brief.language).call_started
    lines = []
    for message in messages:
        if message.role == "user" and message.text != started:
            lines.append(Line("agent", message.text))
        elif message.role == "assistant":
            lines.append(Line("client", message.text))
    return lines


def _spoken(move: Move, asked: Asked) -> Answer:
    truth: JSON = {"role": "client", "reason": move.reason}
    if asked.format != "text":
        action = "continue" if move.reason is None else "hang_up"
        return Answer(compact({"say": move.say, "action": action, "reason": move.reason}), truth=truth)
    if move.reason is None:
        return Answer(move.say, truth=truth)
    if any(tool.name == "hang_up" for tool in asked.tools):
        call = ToolCall("call_1", "hang_up", compact({"reason": move.reason}))
        return Answer(move.say, (call,), Finish.TOOL_CALLS, truth)
    return Answer(f"{move.say}\n###HANG_UP:{move.reason}###", truth=truth)


_DAYS = {
    "послезавтра": 2,
    "сегодня": 0,
    "завтра": 1,
    "today": 0,
    "tomorrow": 1,
}

_RU = {
    "greet": "Здравствуйте! Продуктовая лавка «Утро», чем могу помочь?",
    "what": "Что вы хотите заказать?",
    "phone": "Назовите, пожалуйста, ваш номер телефона.",
    "phone_again": "Не вижу такого клиента. Продиктуйте номер телефона ещё раз, пожалуйста.",
    "not_found": "Не нашла «{name}» в каталоге. Уточните, пожалуйста, название.",
    "which": "Какой вариант вам нужен для «{name}»: {options}?",
    "quantity": "Сколько вам нужно, «{name}»?",
    "unavailable": "К сожалению, «{name}» сейчас нет в наличии. Чем заменить?",
    "more": "Записала. Что-нибудь ещё?",
    "offer": "Ближайшая доставка {date}, {window}. Вам подойдёт?",
    "no_day": "На {date} доставки нет.",
    "no_delivery": "К сожалению, доставки в ваш город сейчас нет.",
    "confirm": "Проверим заказ: {items}. Всё верно, оформляем?",
    "placed": "Ваш заказ оформлен, номер {order}. Спасибо за звонок, до свидания!",
    "failed": "Не получается оформить заказ, перевожу вас на коллегу.",
    "bye": "Всего доброго!",
}

_EN = {
    "greet": "Hello! Morning Grocery, how can I help you?",
    "what": "What would you like to order?",
    "phone": "May I have your phone number, please?",
    "phone_again": "I see no such customer. Could you tell me the phone number again?",
    "not_found": "I could not find «{name}». Could you clarify the name?",
    "which": "Which one do you mean by «{name}»: {options}?",
    "quantity": "How much do you need, «{name}»?",
    "unavailable": "I am sorry, «{name}» is out of stock. What shall I put instead?",
    "more": "Noted. Anything else?",
    "offer": "The nearest delivery is {date}, {window}. Does it suit you?",
    "no_day": "There is no delivery on {date}.",
    "no_delivery": "I am sorry, there is no delivery to your city.",
    "confirm": "Let me read it back: {items}. Is that all correct?",
    "placed": "Your order has been placed, order number {order}. Thank you for calling, goodbye!",
    "failed": "I cannot place the order, I am transferring you to a colleague.",
    "bye": "Have a nice day!",
}

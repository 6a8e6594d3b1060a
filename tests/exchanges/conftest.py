"""A fake table and a seat that gives its replies in order, for conversations of a few lines."""

from decimal import Decimal
from random import Random

import pytest
from msgspec import structs

from assay.case import Case
from assay.errors import CallError
from assay.exchanges.conversation import Conversation, Settings
from assay.keys import JSON, random_stream
from assay.message import Message, Reply
from assay.ports import Capabilities
from assay.templates import Template
from assay.trial import Event, Transcript


class Says:
    """A seat that gives its replies in order, the last one for ever."""

    def __init__(self, role, *replies) -> None:
        self.role, self.replies = role, list(replies)
        self.capabilities = Capabilities(json_schema=False, tools=False)
        self.asked: list[list[Message]] = []
        self.sampled: list[int | None] = []

    async def ask(
        self, messages, *, tools=(), tool_choice=None, format="text", schema=None, sampling=None
    ) -> Reply:
        self.asked.append(list(messages))
        self.sampled.append(None if sampling is None else sampling.seed)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, CallError):
            raise reply
        given = Reply(reply) if isinstance(reply, str) else reply
        return structs.replace(given, call=f"{self.role}.{len(self.asked)}.1")


class FakeTable:
    run, trial, repeat, stopping = "run_1", "t" * 32, 0, False

    def __init__(self, *seats, clock=lambda: 0.0, spent="0", seed=7) -> None:
        self.seats = {seat.role: seat for seat in seats}
        self.seed, self.clock, self.spent = seed, clock, Decimal(spent)
        self.emitted: list[Event] = []

    def random(self, name) -> Random:
        return random_stream(self.seed, name)

    def unguessable(self, name) -> Random:
        return self.random(f"secret.{name}")

    def emit(self, event) -> None:
        self.emitted.append(event)

    async def effect(self, name, key, act) -> JSON:
        return await act()


FACTS = {
    "ORDER_GOAL": [{"name": "филе", "qty": 2}],
    "CUSTOMER_PHONE": "+79001112233",
    "CURRENT_DATE": "2025-06-08",
    "CLIENT": {"known": [{"id": "addr", "text": "Адрес: ул. Мира, 5"}], "unknown": ["номер прошлого заказа"]},
}


@pytest.fixture
def talk():
    """Plays a call without a world between a client model and an agent that give these replies."""

    async def play(
        client, agent, *, clock=lambda: 0.0, facts=None, **settings
    ) -> tuple[Transcript, FakeTable]:
        exchange = Conversation(Settings(**settings), Template("Оператор.", "a"), Template("Клиент.", "c"))
        table = FakeTable(Says("agent", *agent), Says("client", *client), clock=clock)
        return await exchange.play(Case("c", "c", facts=FACTS if facts is None else facts), table), table

    return play


@pytest.fixture
def make_table():
    return lambda *replies, **kwargs: FakeTable(Says("agent", *replies), **kwargs)

"""What a conversation may ask by its limits holds whatever its two sides do."""

import json
from random import Random

import pytest
from tests.exchanges.conftest import FACTS, FakeTable, Says

from assay.case import Case
from assay.exchanges.conversation import Conversation, Limits, Settings
from assay.exchanges.conversation.reach import most_of_agent, most_of_client
from assay.message import Reply, ToolCall
from assay.ports import Capabilities
from assay.templates import Template

PROMPTS = (Template("Оператор.", "a"), Template("Клиент.", "c"))
CASE = Case("c", "c", facts=FACTS)


class Wild:
    """A seat that says whatever comes: lines that differ, nothing, tool calls, flawed lines, a hang-up."""

    def __init__(self, role, draw: Random, *, tools: bool) -> None:
        self.role, self._draw, self._tools = role, draw, tools
        self.capabilities = Capabilities(json_schema=False, tools=False)
        self.asked = 0

    async def ask(self, messages, *, tools=(), tool_choice=None, format="text", schema=None, sampling=None):
        self.asked += 1
        call = f"{self.role}.{self.asked}.1"
        kind = self._draw.choice(["line"] * 4 + ["empty", "tool", "tool", "flawed", "end"])
        if kind == "tool" and self._tools:
            calls = (ToolCall(f"t{self.asked}.{n}", "x", "{}") for n in range(self._draw.randint(1, 2)))
            return Reply(self._draw.choice(["", "Минуту."]), tuple(calls), call=call)
        text = {
            "empty": "",
            "flawed": "{broken",
            "end": "Всё.\n###HANG_UP:goal_done###" if not self._tools else "Хорошо.",
        }.get(kind, f"Реплика {self.role} номер {self._draw.getrandbits(60):x}.")
        return Reply(text, call=call)


@pytest.mark.parametrize("seed", range(300))
async def test_no_conversation_asks_more_or_less_than_its_limits_say(seed):
    draw = Random(seed)
    limits = Limits(
        max_turns=draw.randint(1, 12),
        max_messages=draw.randint(2, 30),
        max_tool_calls_per_turn=draw.randint(1, 4),
    )
    settings = Settings(
        limits=limits,
        first_speaker=draw.choice(["agent", "client"]),
        greeting=draw.choice([None, "Алло, лавка."]),
        guard=draw.random() < 0.5,
        invalid=draw.choice(["keep", "rerun"]),
    )
    exchange = Conversation(settings, *PROMPTS)
    agent, client = Wild("agent", draw, tools=True), Wild("client", draw, tools=False)
    table = FakeTable(agent, client, seed=seed)
    await exchange.play(CASE, table)
    asked = exchange.asks(CASE, {})
    assert asked["agent"].least <= agent.asked <= asked["agent"].most
    assert asked["client"].least <= client.asked <= asked["client"].most
    assert asked["agent"].usual <= asked["agent"].most


def lines(count: int, kind: str) -> list[str]:
    return [f"{kind} {json.dumps(n)} {'абвгд'[n % 5] * (n + 1)}." for n in range(count)]


async def test_an_agent_that_uses_all_that_it_may_comes_near_the_bound():
    limits = Limits(max_turns=6, max_tool_calls_per_turn=2)
    turn = ["", Reply("", (ToolCall("a", "x", "{}"),)), Reply("", (ToolCall("b", "x", "{}"),))]
    replies = [reply for line in lines(4, "Оператор") for reply in (*turn, line)]
    agent, client = Says("agent", *replies), Says("client", *lines(4, "Клиент"))
    transcript = await Conversation(Settings(limits=limits, guard=False), *PROMPTS).play(
        CASE, FakeTable(agent, client)
    )
    assert transcript.outcome.reason == "max_turns"
    assert len(agent.asked) == 12  # three turns of four requests; a fourth only after a hang-up
    assert most_of_agent(limits) == 12 + 4 + 2


def test_tools_are_bounded_by_the_history_too():
    assert most_of_agent(Limits()) < 90
    assert most_of_agent(Limits(max_messages=10_000)) == 2 * 16 + 1 + 16 * 8 + 1
    assert most_of_client(Limits()) == 45


def test_what_is_asked_of_a_client_that_is_no_model_is_nothing():
    exchange = Conversation(Settings(client="rules"), *PROMPTS)
    assert set(exchange.asks(CASE, {})) == {"agent"}

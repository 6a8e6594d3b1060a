"""Conversations: turns, tools, ends. The personas and small scripted models speak at a fake table."""

import json
from decimal import Decimal
from random import Random

import pytest
from msgspec import structs

from assay.case import Case
from assay.emulator.behaviour import Asked
from assay.emulator.personas import AgentPersona, ClientPersona
from assay.errors import CallError, ErrorClass, Stopped, UsageError
from assay.exchanges.conversation import Conversation, Limits, Settings
from assay.keys import JSON, random_stream
from assay.loading.scenarios import scenario_case
from assay.loading.tasks import BUILT_IN
from assay.loading.worlds import read_world
from assay.message import Message, Reply, ToolCall, ToolSpec
from assay.ports import Capabilities
from assay.scorers.state import state
from assay.templates import Template
from assay.trial import Event, EventKind, Score, Status, Transcript, Trial, status_after_play
from assay.world.faults import FaultRule, Faults, When
from assay.world.tables import Table
from assay.world.tools import Tool
from assay.world.world import World

FOLDER = BUILT_IN / "phone_orders"
SHOP = read_world(FOLDER / "world.yaml")
CASES = [
    scenario_case(json.loads(line), SHOP) for line in (FOLDER / "scenarios.jsonl").read_text().splitlines()
]
PROMPTS = [
    Template((FOLDER / "prompts" / name).read_text(), name)
    for name in ("agent_system.txt", "client_system.txt")
]
ONE = CASES[0]


class Persona:
    """A seat whose model is an emulated behaviour."""

    def __init__(self, role, behaviour, seed, capabilities=None) -> None:
        self.role, self.behaviour, self.seed = role, behaviour, seed
        self.capabilities = capabilities or Capabilities()
        self.asked: list[Asked] = []

    async def ask(
        self,
        messages,
        *,
        tools=(),
        tool_choice=None,
        format="text",
        schema=None,
        sampling=None,
        continuation=None,
    ) -> Reply:
        asked = Asked("m", tuple(messages), tuple(tools), tool_choice, format, schema, self.seed)
        self.asked.append(asked)
        answer = self.behaviour.answer(asked)
        call = f"{self.role}.{len(self.asked)}.1"
        return Reply(answer.text, answer.tool_calls, answer.finish, call=call)


class Says:
    """A seat that gives its replies in order, the last one for ever; an exception is raised."""

    def __init__(self, role, *replies, capabilities=None) -> None:
        self.role, self.replies = role, list(replies)
        self.asked: list[tuple[list[Message], tuple[ToolSpec, ...], str]] = []
        self.capabilities = capabilities or Capabilities(json_schema=False, tools=False)

    async def ask(
        self,
        messages,
        *,
        tools=(),
        tool_choice=None,
        format="text",
        schema=None,
        sampling=None,
        continuation=None,
    ) -> Reply:
        self.asked.append((list(messages), tuple(tools), format))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        given = Reply(reply) if isinstance(reply, str) else reply
        return structs.replace(given, call=f"{self.role}.{len(self.asked)}.1")


class FakeTable:
    run, trial, repeat, stopping = "run_1", "t" * 32, 0, False

    def __init__(self, *seats, seed=7, clock=lambda: 0.0, spent="0") -> None:
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


def calling(name, text="", call="c1", **arguments) -> Reply:
    return Reply(text, (ToolCall(call, name, json.dumps(arguments)),))


async def phone(
    case=ONE, *, skill=1.0, seed=7, client="llm", capabilities=None, **settings
) -> tuple[Transcript, FakeTable]:
    """A call between the two personas, and the table it was made at."""
    exchange = Conversation(Settings(client=client, **settings), *PROMPTS, world=SHOP)
    table = FakeTable(
        Persona("agent", AgentPersona(skill), seed),
        Persona("client", ClientPersona(), seed, capabilities),
        seed=seed,
    )
    return await exchange.play(case, table), table


async def scripted(script, *replies, world=SHOP, **settings) -> tuple[Transcript, FakeTable]:
    """A call of a scripted client with an agent that gives these replies."""
    clock = settings.pop("clock", lambda: 0.0)
    spent = settings.pop("spent", "0")
    chosen = Settings(client="scripted", script=tuple(script), **settings)
    exchange = Conversation(chosen, PROMPTS[0], world=world)
    table = FakeTable(Says("agent", *replies), clock=clock, spent=spent)
    return await exchange.play(ONE, table), table


def lines(transcript) -> list[tuple[str, str]]:
    return [(e.role, e.message.text) for e in transcript.events if e.kind is EventKind.SAID]


def scored(case, transcript) -> Trial:
    status, _ = status_after_play(transcript.outcome)
    return Trial("r", "k", case, "m", 0, 7, status, transcript=transcript)


async def scores(case, transcript) -> dict[str, Score]:
    found = await state().score(scored(case, transcript), FakeTable())
    return {score.name: score for score in found}


@pytest.mark.parametrize("client", ["llm", "rules"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_perfect_agent_reaches_every_goal_with_the_right_state(case, client):
    transcript, _ = await phone(case, client=client, seed=case.facts["SEED"])
    assert transcript.outcome.reason == "goal_done"
    found = await scores(case, transcript)
    assert found["state"].value is True, found["state"].reason
    assert found["goal_slots"].value == 1
    assert found["no_claim_without_tool"].value is True


@pytest.mark.parametrize("client", ["llm", "rules"])
@pytest.mark.parametrize("seed", range(8))
async def test_the_state_scorer_finds_just_the_truth_that_the_persona_tells(client, seed):
    transcript, table = await phone(CASES[seed], skill=0.5, seed=seed, client=client)
    agent = table.seats["agent"]
    truth = {agent.behaviour.answer(asked).truth["right"] for asked in agent.asked[1:]}
    assert len(truth) == 1
    found = await scores(CASES[seed], transcript)
    assert {found["state"].value} == truth


@pytest.mark.parametrize(
    "capabilities",
    [Capabilities(), Capabilities(json_schema=False), Capabilities(json_schema=False, tools=False)],
    ids=["structured", "tool", "marker"],
)
async def test_a_client_model_hangs_up_in_the_form_that_its_wire_allows(capabilities):
    transcript, _ = await phone(capabilities=capabilities)
    assert transcript.outcome.reason == "goal_done"
    assert not any("###" in text or "{" in text for _, text in lines(transcript))


async def test_the_same_call_twice_is_the_same_transcript():
    first, _ = await phone(CASES[3])
    second, _ = await phone(CASES[3])
    assert first == second


async def test_the_agent_is_told_nothing_of_the_goal_or_of_the_client():
    _, table = await phone(CASES[8])
    for asked in table.seats["agent"].asked:
        system = asked.messages[0].text
        assert "ORDER_GOAL" not in system
        assert "осетрина" not in system
        assert "спокойный" not in system


async def test_an_agents_prompt_that_names_the_goal_is_left_literal():
    exchange = Conversation(Settings(client="rules"), Template("Цель: {{ORDER_GOAL}}.", "a.txt"), world=SHOP)
    assert exchange.opening(ONE)[0].text == "Цель: {{ORDER_GOAL}}."


async def test_the_client_hears_spoken_lines_only():
    _, table = await phone(CASES[0])
    for asked in table.seats["client"].asked:
        assert {message.role for message in asked.messages} <= {"system", "user", "assistant"}
        assert not any(message.tool_calls for message in asked.messages)
        assert not any("FILE-1" in message.text for message in asked.messages)


async def test_every_line_names_its_call_and_is_shown_as_it_is_spoken():
    transcript, table = await phone()
    said = [e for e in transcript.events if e.kind is EventKind.SAID]
    assert all(e.call and e.delivered for e in said)
    assert tuple(table.emitted) == transcript.events


async def test_a_client_can_speak_first():
    transcript, table = await phone(first_speaker="client")
    assert lines(transcript)[0][0] == "client"
    assert [m.role for m in table.seats["agent"].asked[0].messages] == ["system", "user"]
    assert transcript.outcome.reason == "goal_done"


async def test_a_greeting_is_said_as_it_is_without_a_call():
    transcript, table = await scripted(["Да."], "Слушаю.", greeting="Алло, лавка!")
    assert lines(transcript)[0] == ("agent", "Алло, лавка!")
    assert table.seats["agent"].asked == []


async def test_tools_work_on_the_world_and_feed_their_answers_back():
    transcript, table = await scripted(
        ["Молока.", "Спасибо."],
        "Алло.",
        calling("add_to_cart", "Секунду.", sku="MOLO-1", qty=1),
        "Готово.",
    )
    assert ("agent", "Секунду.\nГотово.") in lines(transcript)
    result = table.seats["agent"].asked[2][0][-1]
    assert (result.role, result.tool_call_id) == ("tool", "c1")
    assert json.loads(result.text)["items"][0]["sku"] == "MOLO-1"
    assert transcript.state["journal"][0]["tool_call_id"] == "c1"


async def test_what_a_tool_refuses_is_told_to_the_agent_and_counted():
    transcript, _ = await scripted(["Молока.", "Да."], "Алло.", calling("steal"), "Нет такого.")
    refused = [e.data for e in transcript.events if e.kind is EventKind.TOOL_RESULT]
    assert [each["error"] for each in refused] == ["UNKNOWN_TOOL"]
    assert transcript.state["tool_errors"] == 1


END = calling("end_call", "Всего доброго!")
MOVE = calling("transfer_to_human", "Перевожу на коллегу.")


@pytest.mark.parametrize(
    ("replies", "settings", "reason"),
    [
        (["Алло.", END], {}, "agent_ended"),
        (["Алло.", MOVE], {}, "transferred"),
        (["Алло.", calling("view_cart")], {}, "agent_loop"),
        (["Алло.", calling("steal")], {"limits": Limits(max_tool_errors=3)}, "tool_error_limit"),
        (["Алло.", ""], {}, "agent_error"),
        (["Алло, что вам угодно?"], {}, "repetition_loop"),
        (["Раз?", "Два?", "Три?", "Четыре?"], {"limits": Limits(max_turns=5)}, "max_turns"),
        (["Раз?", "Два?", "Три?", "Четыре?"], {"limits": Limits(max_messages=4)}, "max_messages"),
        (["Раз?", "Два?", "Три?"], {"clock": iter(range(0, 9999, 20)).__next__}, "timeout"),
        (["Раз?"], {"clock": iter([0, 31]).__next__}, "turn_timeout"),
        (["Раз?", "Два?"], {"spent": "0.5", "limits": Limits(max_cost_usd=0.5)}, "cost_limit"),
        ([CallError(ErrorClass.OVERLOADED, "busy")], {}, "provider_error"),
        (["Алло.", CallError(ErrorClass.CONTEXT_OVERFLOW, "long")], {}, "context_overflow"),
        (["Алло.", Stopped("budget")], {}, "budget"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_end_has_its_reason(replies, settings, reason):
    script = [f"Хочу товар номер {n}." for n in range(40)]
    transcript, _ = await scripted(script, *replies, **settings)
    assert transcript.outcome.reason == reason


async def test_a_failed_call_is_the_outcomes_error_and_a_stop_is_no_run():
    failed, _ = await scripted(["Да."], "Алло.", CallError(ErrorClass.TIMEOUT, "total"))
    assert lines(failed) == [("agent", "Алло."), ("client", "Да.")]
    failed, _ = await scripted(["Раз.", "Да."], "Алло.", CallError(ErrorClass.TIMEOUT, "total"))
    assert (failed.outcome.error, status_after_play(failed.outcome)[0]) == (ErrorClass.TIMEOUT, Status.FAILED)
    stopped, _ = await scripted(["Раз.", "Да."], Stopped("cancelled"))
    assert status_after_play(stopped.outcome) == (Status.NOT_RUN, "cancelled")


async def test_a_tool_that_breaks_is_the_worlds_fault_not_the_agents():
    def broken(world) -> None:
        raise ValueError("oops")

    world = World("w", [Table("t", "k")], [Tool("b", broken, effect="read", descriptions={}, parameters={})])
    transcript, _ = await scripted(["Раз.", "Да."], "Алло.", calling("b"), world=world)
    assert transcript.outcome.reason == "tool_fault"
    assert status_after_play(transcript.outcome) == (Status.INVALID, "tool")


async def test_good_byes_without_end_are_a_farewell_loop():
    byes = ["Спасибо, до свидания!", "Всего доброго вам!", "До встречи, спасибо!"]
    transcript, _ = await scripted(byes * 3, "Хорошего дня!", "До свидания!", "И вам спасибо, до свидания!")
    assert (transcript.outcome.reason, transcript.outcome.detail) == ("farewell_loop", "agent")
    assert len(lines(transcript)) == 4


async def test_yes_to_three_different_questions_is_no_loop():
    transcript, _ = await scripted(["Да."] * 4, "Вы Иван?", "Москва?", "Молоко?", "Завтра?")
    assert transcript.outcome.reason == "goal_done"


async def test_a_pair_of_lines_that_circles_is_charged_to_the_side_that_began():
    transcript, _ = await scripted(["Да."] * 9, "Вы Иван?")
    assert (transcript.outcome.reason, transcript.outcome.detail) == ("repetition_loop", "agent")


def client_model(*replies, **settings) -> tuple[Conversation, FakeTable]:
    exchange = Conversation(Settings(**settings), *PROMPTS, world=SHOP)
    agent = Says("agent", "Рада помочь. Всё верно, оформляем?", calling("view_cart"), "Оформила.")
    return exchange, FakeTable(agent, Says("client", *replies))


async def test_a_client_that_hangs_up_while_it_confirms_leaves_the_agent_one_turn():
    exchange, table = client_model("Да, оформляйте.\n###STOP:goal_done###")
    transcript = await exchange.play(ONE, table)
    assert transcript.outcome.reason == "goal_done"
    assert [role for role, _ in lines(transcript)] == ["agent", "client", "agent"]
    (tagged,) = [e.data for e in transcript.events if e.role == "client"]
    assert (tagged["hang_up"], tagged["tag"]) == ("goal_done", "premature_hangup")


async def test_strict_mode_ends_where_the_client_hangs_up():
    exchange, table = client_model("Да, оформляйте.\n###STOP:goal_done###", closing_turn=False)
    transcript = await exchange.play(ONE, table)
    assert [role for role, _ in lines(transcript)] == ["agent", "client"]


async def test_a_marker_within_a_line_is_no_hang_up():
    exchange, table = client_model("Напишите ###STOP### и\n###STOP###\nвсё", "Пока\n###STOP###")
    transcript = await exchange.play(ONE, table)
    assert transcript.outcome.reason == "gave_up"
    assert lines(transcript)[1] == ("client", "Напишите ###STOP### и\n###STOP###\nвсё")
    assert lines(transcript)[-1] == ("client", "Пока")


async def test_an_empty_client_line_is_asked_for_once_more_and_kept_as_discarded():
    exchange, table = client_model("", "")
    transcript = await exchange.play(ONE, table)
    assert transcript.outcome.reason == "gave_up"
    (discarded,) = [e for e in transcript.events if e.kind is EventKind.DISCARDED]
    assert (discarded.delivered, discarded.call, discarded.data["fault"]) == (False, "client.1.1", "empty")
    assert table.seats["client"].asked[1][0][-1].text.startswith("Ответьте")


async def test_a_client_reply_that_cannot_be_read_twice_is_the_clients_fault():
    exchange, table = client_model('{"say": ', '{"sey": "x"}')
    transcript = await exchange.play(ONE, table)
    assert transcript.outcome.reason == "client_fault"
    assert status_after_play(transcript.outcome)[0] is Status.INVALID


def test_the_play_key_follows_prompts_settings_and_world_but_no_file_names():
    def spec(text="A", world=SHOP, **settings) -> JSON:
        return Conversation(Settings(client="rules", **settings), Template(text, "x"), world=world).spec

    assert spec() == spec()
    assert spec() != spec("B")
    assert spec() != spec(world=None)
    assert spec() != spec(closing_turn=False)


def test_what_an_exchange_needs_is_asked_for_before_anything_runs():
    with pytest.raises(UsageError, match="needs a prompt"):
        Conversation(Settings(), PROMPTS[0])
    with pytest.raises(UsageError, match="needs lines"):
        Conversation(Settings(client="scripted"), PROMPTS[0])
    with pytest.raises(UsageError, match="RUBRIC is for the evaluator"):
        Conversation(Settings(client="rules"), Template("{{RUBRIC}}", "a.txt"))


def test_only_a_client_model_needs_a_seat():
    assert Conversation(Settings(), *PROMPTS).seats == ("agent", "client")
    assert Conversation(Settings(client="rules"), PROMPTS[0]).seats == ("agent",)


CLASSIC = {"PERSONALITY": "спокойный", "AMB_LEVEL": 0, "PATIENCE": 2, "CURRENT_DATE": "2025-06-08 Sunday"}


@pytest.mark.parametrize(
    "goal", ['[{"name":"филе", "qty":2}]', '[{"name":"филе","qty":2,"from_history":true}]']
)
async def test_a_classic_scenario_of_five_variables_is_filled_and_played(goal):
    item = {"name": "s", "variables": {**CLASSIC, "ORDER_GOAL": goal}}
    case = scenario_case(item, SHOP)
    assert case.target is None
    transcript, _ = await phone(case)
    assert transcript.outcome.reason == "goal_done"
    assert (await scores(case, transcript))["state"].value is True


async def test_a_case_without_a_world_is_a_plain_talk():
    exchange = Conversation(Settings(client="scripted", script=("Раз.", "Два.")), Template("Hi", "x"))
    transcript = await exchange.play(Case("", ""), FakeTable(Says("agent", "Да?", "Нет?", "Ну?")))
    assert (transcript.outcome.reason, transcript.state) == ("goal_done", None)


GIVEN = [
    {"role": "agent", "text": "Лавка «Утро», слушаю вас."},
    {"role": "client", "text": "Хочу заказать: молоко — 1."},
]


@pytest.mark.parametrize("spoken", [1, 2])
async def test_a_call_can_begin_in_the_middle(spoken):
    item = {
        "name": "s",
        "variables": {**CLASSIC, "ORDER_GOAL": [{"name": "молоко", "qty": 1}]},
        "start": {"messages": GIVEN[:spoken]},
    }
    case = scenario_case(item, SHOP)
    transcript, table = await phone(case, client="rules")
    said = [e for e in transcript.events if e.kind is EventKind.SAID]
    assert [e.message.text for e in said[:spoken]] == [each["text"] for each in GIVEN[:spoken]]
    assert [e.data == {"given": True} for e in said].count(True) == spoken
    assert [e.role for e in said[:3]] == ["agent", "client", "agent"]
    assert [m.text for m in table.seats["agent"].asked[0].messages[2:4]][:spoken] == [
        each["text"] for each in GIVEN[:spoken]
    ]
    assert transcript.outcome.reason == "goal_done"
    assert (await scores(case, transcript))["state"].value is True


FLAKY = {"tool": "place_order", "kind": "commit_then_timeout", "when": {"nth": 1}}


async def test_a_fault_is_marked_and_counts_as_no_error_of_the_agent():
    item = {
        "name": "s",
        "variables": {**CLASSIC, "ORDER_GOAL": [{"name": "молоко", "qty": 1}]},
        "faults": {"rules": [FLAKY]},
    }
    transcript, table = await phone(scenario_case(item, SHOP), client="rules")
    results = [e.data for e in transcript.events if e.kind is EventKind.TOOL_RESULT]
    (struck,) = [data for data in results if "injected" in data]
    assert (struck["name"], struck["injected"], struck["error"]) == (
        "place_order",
        "commit_then_timeout",
        "TIMEOUT",
    )
    assert transcript.state["tool_errors"] == 0
    assert transcript.state["tool_faults"]["lost"] == 1
    assert not any("FAULTS" in m.text for asked in table.seats["agent"].asked for m in asked.messages)


async def test_the_faults_of_the_settings_strike_a_case_that_names_none():
    rules = Faults(rules=(FaultRule("get_customer", "error", When(nth=1)),))
    transcript, _ = await phone(ONE, client="rules", faults=rules)
    assert transcript.state["tool_faults"]["injected"][0]["kind"] == "error"

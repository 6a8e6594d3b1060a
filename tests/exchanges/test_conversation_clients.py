"""Client kinds: a script with conditions, the lines of a recorded run, a model's stop marks."""

import pytest

from assay.case import Case
from assay.errors import UsageError
from assay.exchanges.conversation import Conversation, Settings
from assay.exchanges.conversation.clients import Recorded, divergence
from assay.exchanges.conversation.loops import Spoken
from assay.exchanges.conversation.recorded import RecordedRun, recorded_of
from assay.exchanges.conversation.settings import ScriptLine, ToolEvent
from assay.message import Reply, ToolCall
from assay.templates import Template
from assay.trial import EventKind, Status, Trial

CASE = Case("c", "c")
AGENT = Template("Operator.", "a")


def lines(transcript) -> list[tuple[str, str]]:
    return [(e.role, e.message.text) for e in transcript.events if e.kind is EventKind.SAID]


async def scripted(make_table, script, *replies):
    exchange = Conversation(Settings(client="scripted", script=tuple(script), language="en"), AGENT)
    return await exchange.play(CASE, make_table(*replies))


async def test_a_scripted_line_waits_for_words_of_the_agent_or_gives_way_to_its_else(make_table):
    script = [
        ScriptLine("Milk.", when="what|which", otherwise="Sorry?"),
        ScriptLine("Two.", when="HOW MANY", otherwise="Two, I guess."),
        "Bye.",
    ]
    asked = await scripted(make_table, script, "What do you want?", "How many?", "Done.")
    assert [text for role, text in lines(asked) if role == "client"] == ["Milk.", "Two.", "Bye."]
    other = await scripted(make_table, script, "Shop.", "Noted.", "Done.")
    assert [text for role, text in lines(other) if role == "client"] == ["Sorry?", "Two, I guess.", "Bye."]


async def test_a_scripted_line_without_else_is_passed_over(make_table):
    script = [ScriptLine("Never.", when="xyz"), "Hello.", ScriptLine("Bye.", hang_up="gave_up"), "Unsaid."]
    transcript = await scripted(make_table, script, "Shop.", "Yes?")
    assert [text for role, text in lines(transcript) if role == "client"] == ["Hello.", "Bye."]
    assert transcript.outcome.reason == "gave_up"


async def test_a_scripted_line_can_wait_for_a_tool_of_the_agent(make_table):
    script = ["Milk.", ScriptLine("I heard typing.", when=ToolEvent("add"), otherwise="Hello?"), "Bye."]
    call = Reply("One moment.", (ToolCall("c1", "add", "{}"),))
    worked = await scripted(make_table, script, "Shop.", call, "Done.", "Ok.")
    assert ("client", "I heard typing.") in lines(worked)
    idle = await scripted(make_table, script, "Shop.", "Done.", "Ok.")
    assert ("client", "Hello?") in lines(idle)


def test_a_pattern_that_is_none_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="is no pattern"):
        Conversation(Settings(client="scripted", script=(ScriptLine("a", when="("),)), AGENT)


HEARD = (
    Spoken("agent", "Shop."),
    Spoken("client", "Milk."),
    Spoken("agent", "How many?"),
    Spoken("client", "Two, bye."),
)


async def replayed(make_table, *replies):
    exchange = Conversation(
        Settings(client="replay"), AGENT, recorded=lambda case, seed: Recorded(HEARD, "goal_done")
    )
    return await exchange.play(CASE, make_table(*replies))


async def test_a_recorded_client_says_its_lines_again_and_hangs_up_as_it_did(make_table):
    transcript = await replayed(make_table, "Shop!", "How many?")
    assert lines(transcript) == [(line.side, line.text.replace("Shop.", "Shop!")) for line in HEARD]
    assert transcript.outcome.reason == "goal_done"
    assert not any("diverged" in (event.data or {}) for event in transcript.events)


async def test_the_turn_from_which_the_agent_says_something_else_is_told(make_table):
    transcript = await replayed(make_table, "Shop.", "Which milk?")
    told = [event.data.get("diverged") for event in transcript.events if event.data]
    assert told == [3]
    assert divergence([Spoken("agent", "Yes?")], HEARD) == 1
    assert divergence([*HEARD, Spoken("agent", "More?")], HEARD) == 5


async def test_a_conversation_that_was_played_can_be_replayed_by_case_and_seed(make_table):
    first = await scripted(make_table, ["Milk.", "Bye."], "Shop.", "How many?")
    other = await scripted(make_table, ["Eggs.", "Bye."], "Shop.", "How many?")
    trials = [
        Trial("r", f"k{seed}", CASE, "m", repeat, seed, Status.SCORED, transcript=transcript)
        for repeat, (seed, transcript) in enumerate([(1, first), (2, other)])
    ]
    run = RecordedRun(trials, "run r")
    assert run("c", 2).lines[1].text == "Eggs."
    assert run("c", 99).lines[1].text == "Milk."
    with pytest.raises(UsageError, match="no conversation of case d"):
        run("d", 1)
    assert RecordedRun(trials[:1], "run r", single=True)("d", 1).reason == "goal_done"


async def test_a_conversation_in_which_the_client_said_nothing_cannot_be_replayed(make_table):
    transcript = await scripted(make_table, [ScriptLine("x", when="never")], "Shop.")
    assert recorded_of(transcript, 1) is None


async def test_a_stop_mark_as_the_last_line_is_taken_out_and_ends_the_call(talk):
    transcript, table = await talk(["Мне филе.\n###STOP###"], ["Лавка."])
    assert ("client", "Мне филе.") in lines(transcript)
    assert transcript.outcome.reason == "gave_up"
    assert not any("###" in str(message) for asked in table.seats["agent"].asked for message in asked)


def test_a_replaying_client_needs_a_run():
    with pytest.raises(UsageError, match="needs a recorded run"):
        Conversation(Settings(client="replay"), AGENT)

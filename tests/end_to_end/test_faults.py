"""Every fault of the catalogue through our own model: what the table says is what is reported."""

import asyncio

import pytest

from assay.emulator.faults import FAULTS, fault_named
from assay.emulator.index import Index, entry
from assay.emulator.server import Emulator
from assay.errors import CallError, ErrorClass
from assay.message import Finish, Request, ToolCall, say
from assay.models.openai import OpenAIModel
from assay.transport.client import Client
from assay.transport.sink import Clocks

QUESTION = say("user", "What is six times seven?")
TOOL_QUESTION = say("user", "How is the weather in Omsk and in Rome?")
RIGHT = "Forty-two, that is 42 — сорок два."
CALLS = [{"name": "weather", "arguments": {"city": city}} for city in ("Omsk", "Rome")]
CLOCKS = Clocks(connect=2, first_byte=0.4, idle=0.3, total=2)
SHORTER = {"drip": "bps=4000", "slow_headers": "bps=2000", "idle_fin": "ms=1", "idle_rst": "ms=1"}
FLAGGED = {"s_nofinish_done": Finish.UNKNOWN, "s_finishnull": Finish.UNKNOWN, "finish": Finish.LENGTH}
UNMEASURED = {"nousage", "usage"}


def known():
    """An index of a question that is answered by text and one that is answered by calls."""
    pairs = [((QUESTION,), RIGHT), ((TOOL_QUESTION,), {"calls": CALLS})]
    return Index(filter(None, [entry(messages, target) for messages, target in pairs]))


def descriptors():
    return len(asyncio.get_running_loop()._selector.get_map())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_reported_as_the_table_says_and_leaves_nothing_behind(name, stream):
    fault = FAULTS[name]
    at_rest = descriptors()
    async with Emulator(known()) as server:
        listening = descriptors()
        client = Client()
        chosen = f"{name}:{SHORTER[name]}" if name in SHORTER else name
        clocks = CLOCKS if fault.error is ErrorClass.TIMEOUT else Clocks()  # a busy machine is no timeout
        model = OpenAIModel(
            "m", "skill-1", server.url, None, client, clocks=clocks, headers={"x-fault": chosen}
        )
        question = TOOL_QUESTION if fault.calls else QUESTION
        request = Request((question,), stream=stream)
        (record_error, reply), record = await asked(model, request), server.ledger.records()[0]
        met = record.fault == fault_named(chosen).text
        here = not fault.paths or "/chat/completions" in fault.paths
        assert met == (here and (fault.needs == "any" or (fault.needs == "stream") == stream))
        assert record_error is (fault.error if met else None)
        if record_error is None and (fault.detectable or not met):
            check_answer(reply, fault.name if met else "ok", fault.calls)
        assert record.billed == (fault.billed if met else True)
        await client.close()
        assert client.connections == 0
        while server._connections:  # the server hears of it
            await asyncio.sleep(0.001)
        assert descriptors() == listening
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert descriptors() == at_rest


async def asked(model, request):
    """The class of the error, and the reply: whole, or what had come by then."""
    try:
        return None, await model.ask(request)
    except CallError as failed:
        failure = failed
    assert failure.detail
    assert failure.error is not ErrorClass.MALFORMED or failure.raw
    return failure.error, failure.partial


def check_answer(reply, fault, calls):
    if calls:
        told = [(call.name, call.arguments) for call in reply.tool_calls]
        assert told == [("weather", '{"city":"Omsk"}'), ("weather", '{"city":"Rome"}')]
        assert all(isinstance(call, ToolCall) and call.id for call in reply.tool_calls)
    else:
        assert reply.text == RIGHT
        assert reply.finish is FLAGGED.get(fault, Finish.STOP)
    assert (reply.usage is None) == (fault in UNMEASURED)
    assert bool(reply.reasoning) == (fault == "reasoning")


async def test_a_wrong_text_in_valid_framing_is_what_the_table_calls_undetectable():
    wrong = {}
    async with Emulator(known()) as server:
        client = Client()
        for name, fault in FAULTS.items():
            if fault.detectable:
                continue
            model = OpenAIModel("m", "skill-1", server.url, None, client, headers={"x-fault": name})
            question = TOOL_QUESTION if fault.calls else QUESTION
            error, reply = await asked(model, Request((question,), stream=True))
            wrong[name] = error is None and (reply.text, len(reply.tool_calls)) != (RIGHT, 0)
        await client.close()
    assert wrong == dict.fromkeys(["wordless", "s_dup", "s_reordered", "badarguments"], True)

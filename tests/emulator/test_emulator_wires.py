"""Our own models against the emulator over each wire: the same answers, and each fault its class."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from assay.emulator.faults import FAULTS
from assay.emulator.index import Index, entry
from assay.emulator.pace import Timing
from assay.errors import CallError, ErrorClass
from assay.message import Finish, Message, Request, Sampling, Text, ToolSpec, say
from assay.models.anthropic import AnthropicModel
from assay.models.http_model import HttpModel
from assay.models.ollama import OllamaModel
from assay.models.openai import OpenAIModel
from assay.transport.client import Client
from assay.transport.sink import Clocks

WIRES: dict[str, Callable[..., HttpModel]] = {
    "openai": OpenAIModel,
    "anthropic": AnthropicModel,
    "ollama": OllamaModel,
}
CALLS = {
    "calls": [
        {"name": "weather", "arguments": {"city": "Осло", "days": [1, 2.5, None]}},
        {"name": "now", "arguments": {}},
    ]
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOLS = (ToolSpec("weather", "tells the weather", SCHEMA), ToolSpec("now", "", {"type": "object"}))
TEXT = "Forty-two, that is 42 — сорок два."
CASES = [
    (Request((say("system", "Be "), say("system", "brief."), say("user", "six by seven?"))), TEXT),
    (Request((say("user", "the weather?"),), tools=TOOLS), CALLS),
    (Request((say("user", "as JSON?"),), format="json_schema", schema=SCHEMA), {"a": 7}),
]
PATIENT = Clocks(connect=10, first_byte=10, idle=10, total=30)
HASTY = Clocks(connect=10, first_byte=0.3, idle=0.3, total=30)
"""For faults that must run into a clock; a busy machine makes no other one late."""


@pytest.fixture
def index() -> Index:
    known = [entry(request.messages, target, request.schema) for request, target in CASES]
    return Index(each for each in known if each is not None)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


def model_of(wire: str, emulator, client: Client, name: str = "skill-1", fault: str = "") -> HttpModel:
    base = f"{emulator.root}/f/{fault}" if fault else emulator.root
    slow = fault and FAULTS[fault.partition(":")[0]].error is ErrorClass.TIMEOUT
    return WIRES[wire](name, name, base + "/v1", None, client, clocks=HASTY if slow else PATIENT)


def streaming(request: Request, stream: bool) -> Request:
    return Request(
        request.messages, request.tools, format=request.format, schema=request.schema, stream=stream
    )


@pytest.mark.parametrize("model", ["skill-1", "skill-0"])
@pytest.mark.parametrize("case", CASES, ids=["text", "calls", "schema"])
async def test_every_wire_brings_the_same_reply(start, client, index, case, model):
    emulator = await start(index, timing=Timing(chunk_tokens=2))
    replies = [
        await model_of(wire, emulator, client, model).ask(streaming(case[0], stream))
        for wire in WIRES
        for stream in (False, True)
    ]
    first = replies[0]
    assert first.text or first.tool_calls
    assert first.usage is not None
    for reply in replies[1:]:
        assert (reply.text, reply.tool_calls, reply.served_model) == (
            *(first.text, first.tool_calls, first.served_model),
        )
        assert reply.usage is not None
    records = emulator.ledger.records()
    assert len({record.prompt for record in records}) == 1
    assert len({repr(record.truth) for record in records}) == 1
    if not case[0].schema:  # by Anthropic's wire it is a call of a tool
        assert {(reply.finish, reply.usage) for reply in replies} == {(first.finish, first.usage)}
        assert {(record.input, record.output) for record in records} == {
            (first.usage.input, first.usage.output)
        }


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_history_with_calls_and_results_is_understood(start, client, index, wire, stream):
    emulator, request = await start(index), CASES[1][0]
    model = model_of(wire, emulator, client)
    asked = await model.ask(streaming(request, stream))
    results = [Message("tool", (Text("sunny"),), tool_call_id=call.id) for call in asked.tool_calls]
    history = (*request.messages, asked.message, *results)
    reply = await model.ask(Request(history, TOOLS, stream=stream))
    assert (reply.text, reply.finish) == ("Done.", Finish.STOP)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_bound_on_the_tokens_cuts_the_answer(start, client, index, wire, stream):
    emulator = await start(index)
    request = Request(CASES[0][0].messages, sampling=Sampling(max_tokens=3), stream=stream)
    reply = await model_of(wire, emulator, client).ask(request)
    assert (reply.text, reply.finish) == (TEXT[:12], Finish.LENGTH)


@pytest.mark.parametrize("wire", WIRES)
async def test_tokens_come_at_their_own_instants_on_every_wire(start, client, index, wire):
    emulator = await start(index, timing=Timing(ttft_s=0.05, itl_s=0.01))
    reply = await model_of(wire, emulator, client).ask(streaming(CASES[0][0], stream=True))
    stamps = reply.arrivals.token_stamps()
    assert len(stamps) == -(-len(TEXT) // 4)
    (record,) = emulator.ledger.records()
    assert stamps[0] - record.arrived >= 50_000_000
    assert stamps[-1] - record.arrived >= 50_000_000 + (len(stamps) - 1) * 10_000_000
    assert record.done_sent


@pytest.mark.parametrize("wire", WIRES)
async def test_an_unknown_model_is_denied(start, client, wire):
    emulator = await start()
    with pytest.raises(CallError) as caught:
        await model_of(wire, emulator, client, "gpt-9").ask(CASES[0][0])
    assert caught.value.error is ErrorClass.DENIED


@pytest.mark.parametrize("wire", WIRES)
async def test_the_models_are_listed(start, client, wire):
    emulator = await start()
    assert "skill-1" in await model_of(wire, emulator, client).list_models()


QUICK = {
    "drip": "drip:bps=100000",
    "gzbomb": "gzbomb:mb=30",
    "huge": "huge:mb=20",
    "interim_flood": "interim_flood:mb=10",
    "s_keepalive": "s_keepalive:s=20",
    "s_longline": "s_longline:mb=20",
    "slow_headers": "slow_headers:bps=9000",
}
"""Faults whose defaults take longer than a test should."""

KINDS = [(wire, stream) for wire in WIRES for stream in (False, True)]


@pytest.mark.parametrize("kind", KINDS, ids=[f"{wire}-{'streamed' if s else 'whole'}" for wire, s in KINDS])
@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.group != "none"])
async def test_each_fault_has_its_class_on_every_wire(start, client, index, kind, name):
    (wire, stream), fault = kind, FAULTS[name]
    request, target = CASES[1] if fault.calls else CASES[0]
    emulator = await start(index, timing=Timing(chunk_tokens=2))
    model = model_of(wire, emulator, client, fault=QUICK.get(name, name))
    failure: CallError | None = None
    try:
        reply = await model.ask(streaming(request, stream))
    except CallError as error:
        failure = error
    record = emulator.ledger.records()[0]
    if record.fault == "ok":  # this kind of request cannot meet it
        assert (fault.needs != "any" and (fault.needs == "stream") != stream) or fault.paths
    elif fault.error is not None:
        assert failure is not None
        assert failure.error is fault.error, failure
        return
    assert failure is None, failure
    if fault.detectable:
        assert reply.text == (target if isinstance(target, str) else "")
    assert reply.text or reply.tool_calls or not fault.detectable


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", ["s_cut", "s_cut:after=99", "s_rst", "s_nofinish"])
async def test_a_stream_cut_without_its_end_mark_is_never_a_whole_answer(start, client, index, wire, fault):
    emulator = await start(index, timing=Timing(chunk_tokens=2))
    with pytest.raises(CallError) as caught:
        await model_of(wire, emulator, client, fault=fault).ask(streaming(CASES[0][0], stream=True))
    assert caught.value.error is ErrorClass.TRANSPORT
    partial = caught.value.partial
    assert partial.text
    assert TEXT.startswith(partial.text)
    assert (partial.usage, partial.finish) == (None, Finish.UNKNOWN)

"""The official `anthropic` SDK as a client of the emulator gets what it expects of Anthropic."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic import AsyncAnthropic

from assay.emulator.index import Index, entry
from assay.message import say

TEXT = "Forty-two, that is 42 — сорок два."
CALL = {"calls": [{"name": "weather", "arguments": {"city": "Осло"}}, {"name": "now", "arguments": {}}]}
ASKED = {"model": "skill-1", "max_tokens": 99, "messages": [{"role": "user", "content": "six by seven?"}]}
WEATHER = [{"role": "user", "content": "the weather?"}]
TOOLS = [
    {"name": "weather", "description": "tells it", "input_schema": {"type": "object"}},
    {"name": "now", "input_schema": {"type": "object"}},
]


@pytest.fixture
async def emulator(start):
    known = [entry((say("user", "six by seven?"),), TEXT), entry((say("user", "the weather?"),), CALL)]
    known.append(entry((say("system", "Be brief."), say("user", "hello?")), "Hi."))
    return await start(Index(each for each in known if each is not None))


@pytest.fixture
async def sdk(emulator) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=emulator.root, api_key="sk-ant-x", max_retries=0) as client:
        yield client


async def test_a_whole_answer_with_its_usage(sdk, emulator):
    got = await sdk.messages.create(**ASKED)
    (record,) = emulator.ledger.records()
    assert ([block.text for block in got.content], got.stop_reason) == ([TEXT], "end_turn")
    assert (got.usage.input_tokens, got.usage.output_tokens) == (record.input, record.output)
    assert (got.model, got.role, got.id[:4]) == ("skill-1", "assistant", "msg_")


async def test_what_the_system_says_is_heard(sdk):
    got = await sdk.messages.create(
        model="skill-1", max_tokens=9, system="Be brief.", messages=[{"role": "user", "content": "hello?"}]
    )
    assert got.content[0].text == "Hi."


async def test_a_streamed_answer_with_its_usage(sdk, emulator):
    async with sdk.messages.stream(**ASKED) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        got = await stream.get_final_message()
    (record,) = emulator.ledger.records()
    assert text == got.content[0].text == TEXT
    assert (got.usage.input_tokens, got.usage.output_tokens) == (record.input, record.output)
    assert got.stop_reason == "end_turn"


async def test_the_raw_events_come_in_their_order(sdk):
    stream = await sdk.messages.create(**ASKED, stream=True)
    kinds = [event.type async for event in stream]
    deltas = ["content_block_delta"] * kinds.count("content_block_delta")
    assert kinds == [
        *("message_start", "content_block_start", *deltas, "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
    assert len(deltas) == 9


@pytest.mark.parametrize("streamed", [False, True])
async def test_tool_calls_and_their_results(sdk, streamed):
    asked = {"model": "skill-1", "max_tokens": 99, "tools": TOOLS}
    if streamed:
        async with sdk.messages.stream(**asked, messages=WEATHER) as stream:
            first = await stream.get_final_message()
    else:
        first = await sdk.messages.create(**asked, messages=WEATHER)
    assert [(block.name, block.input) for block in first.content] == [
        ("weather", {"city": "Осло"}),
        ("now", {}),
    ]
    assert first.stop_reason == "tool_use"
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"} for block in first.content
    ]
    said = [block.model_dump(exclude_none=True) for block in first.content]
    history = [*WEATHER, {"role": "assistant", "content": said}, {"role": "user", "content": results}]
    after = await sdk.messages.create(**asked, messages=history)
    assert after.content[0].text == "Done."


async def test_an_answer_is_cut_at_the_bound_that_every_request_has(sdk):
    got = await sdk.messages.create(**{**ASKED, "max_tokens": 3})
    assert (got.content[0].text, got.stop_reason) == (TEXT[:12], "max_tokens")


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ("400", anthropic.BadRequestError, "invalid_request_error"),
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("403", anthropic.PermissionDeniedError, "permission_error"),
        ("404", anthropic.NotFoundError, "not_found_error"),
        ("429", anthropic.RateLimitError, "rate_limit_error"),
        ("500", anthropic.InternalServerError, "api_error"),
        ("529", anthropic.InternalServerError, "overloaded_error"),
    ],
)
async def test_an_error_is_of_the_sdks_own_class_and_names_its_type(emulator, fault, error, kind):
    address = f"{emulator.root}/f/{fault}"
    async with AsyncAnthropic(base_url=address, api_key="sk-ant-x", max_retries=0) as sdk:
        with pytest.raises(error) as caught:
            await sdk.messages.create(**ASKED)
    assert caught.value.status_code == int(fault)
    assert caught.value.body["error"]["type"] == kind


async def test_a_connection_that_ends_without_an_answer_is_an_error_of_connection(emulator):
    address = f"{emulator.root}/f/fin"
    async with AsyncAnthropic(base_url=address, api_key="sk-ant-x", max_retries=0) as sdk:
        with pytest.raises(anthropic.APIConnectionError):
            await sdk.messages.create(**ASKED)


async def test_an_error_within_a_stream_is_raised(emulator):
    address = f"{emulator.root}/f/s_err"
    async with AsyncAnthropic(base_url=address, api_key="sk-ant-x", max_retries=0) as sdk:
        with pytest.raises(anthropic.APIStatusError, match="The model crashed"):
            async with sdk.messages.stream(**ASKED) as stream:
                await stream.get_final_message()


async def test_the_models_are_listed(sdk):
    assert "skill-1" in [model.id async for model in sdk.models.list()]
    assert (await sdk.models.retrieve("judge")).display_name == "judge"

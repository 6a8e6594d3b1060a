"""The official `openai` SDK as a client of the emulator gets what it expects of OpenAI."""

from __future__ import annotations

from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from assay.emulator.index import Index, entry
from assay.message import say

TEXT = "Forty-two, that is 42 — сорок два."
CALL = {"calls": [{"name": "weather", "arguments": {"city": "Осло"}}, {"name": "now", "arguments": {}}]}
ASKED = [{"role": "user", "content": "six by seven?"}]
WEATHER = [{"role": "user", "content": "the weather?"}]
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}},
]


@pytest.fixture
async def emulator(start):
    known = [entry((say("user", "six by seven?"),), TEXT), entry((say("user", "the weather?"),), CALL)]
    return await start(Index(each for each in known if each is not None))


@pytest.fixture
async def sdk(emulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=emulator.url, api_key="sk-x", max_retries=0) as client:
        yield client


async def test_a_whole_answer_with_its_usage(sdk, emulator):
    got = await sdk.chat.completions.create(model="skill-1", messages=ASKED)
    (record,) = emulator.ledger.records()
    assert (got.choices[0].message.content, got.choices[0].finish_reason) == (TEXT, "stop")
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (record.input, record.output)
    assert got.model == "skill-1"


async def test_a_streamed_answer_with_its_usage(sdk, emulator):
    stream = await sdk.chat.completions.create(
        model="skill-1", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    (record,) = emulator.ledger.records()
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == record.output


async def test_the_streaming_helper_puts_the_answer_together(sdk):
    async with sdk.chat.completions.stream(model="skill-1", messages=WEATHER, tools=TOOLS) as stream:
        got = await stream.get_final_completion()
    calls = got.choices[0].message.tool_calls
    assert [(c.function.name, c.function.arguments) for c in calls] == [
        ("weather", '{"city":"Осло"}'),
        ("now", "{}"),
    ]
    assert got.choices[0].finish_reason == "tool_calls"


async def test_tool_calls_and_their_results(sdk):
    first = await sdk.chat.completions.create(model="skill-1", messages=WEATHER, tools=TOOLS)
    message = first.choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["weather", "now"]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    history = [*WEATHER, message.model_dump(exclude_none=True), *results]
    after = await sdk.chat.completions.create(model="skill-1", messages=history, tools=TOOLS)
    assert after.choices[0].message.content == "Done."


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("404", openai.NotFoundError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("fin", openai.APIConnectionError),
    ],
)
async def test_an_error_is_of_the_sdks_own_class(emulator, fault, error):
    address = f"{emulator.root}/f/{fault}/v1"
    async with AsyncOpenAI(base_url=address, api_key="sk-x", max_retries=0) as sdk:
        with pytest.raises(error) as caught:
            await sdk.chat.completions.create(model="skill-1", messages=ASKED)
    if isinstance(caught.value, openai.APIStatusError):
        assert caught.value.status_code == int(fault)
        assert caught.value.body["message"]


async def test_an_error_within_a_stream_is_raised(emulator):
    async with AsyncOpenAI(base_url=f"{emulator.root}/f/s_err/v1", api_key="sk-x", max_retries=0) as sdk:
        stream = await sdk.chat.completions.create(model="skill-1", messages=ASKED, stream=True)
        with pytest.raises(openai.APIError, match="The model crashed"):
            [chunk async for chunk in stream]


async def test_a_retry_after_is_waited_for_and_the_second_attempt_succeeds(emulator):
    address = f"{emulator.root}/f/429:ra=10;form=ms;times=1/v1"
    async with AsyncOpenAI(base_url=address, api_key="sk-x", max_retries=1) as sdk:
        got = await sdk.chat.completions.create(model="skill-1", messages=ASKED)
    assert got.choices[0].message.content == TEXT
    assert [record.status for record in emulator.ledger.records()] == [429, 200]


async def test_the_models_are_listed(sdk):
    assert "skill-1" in [model.id async for model in sdk.models.list()]
    assert (await sdk.models.retrieve("judge")).id == "judge"

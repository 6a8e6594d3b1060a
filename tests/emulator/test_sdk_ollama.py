"""The official `ollama` SDK as a client of the emulator gets what it expects of Ollama."""

from __future__ import annotations

from collections.abc import AsyncIterator

import ollama
import pytest

from assay.emulator.index import Index, entry
from assay.message import say

TEXT = "Forty-two, that is 42 — сорок два."
CALL = {"calls": [{"name": "weather", "arguments": {"city": "Осло"}}, {"name": "now", "arguments": {}}]}
ASKED = {"model": "skill-1", "messages": [{"role": "user", "content": "six by seven?"}]}
WEATHER = [{"role": "user", "content": "the weather?"}]
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}},
]


@pytest.fixture
async def emulator(start):
    known = [entry((say("user", "six by seven?"),), TEXT), entry((say("user", "the weather?"),), CALL)]
    known.append(entry((say("system", "Be brief."), say("user", "hello?")), "Hi."))
    return await start(Index(each for each in known if each is not None))


async def talking(address: str) -> AsyncIterator[ollama.AsyncClient]:
    client = ollama.AsyncClient(host=address)
    yield client
    await client._client.aclose()  # the SDK has no word for it


@pytest.fixture
async def sdk(emulator):
    async for client in talking(emulator.root):
        yield client


async def test_a_whole_answer_with_its_counters(sdk, emulator):
    got = await sdk.chat(**ASKED, options={"num_ctx": 4096, "seed": 7})
    (record,) = emulator.ledger.records()
    assert (got.message.content, got.done, got.done_reason) == (TEXT, True, "stop")
    assert (got.prompt_eval_count, got.eval_count) == (record.input, record.output)
    assert (got.model, got.message.role) == ("skill-1", "assistant")


async def test_a_streamed_answer_with_its_counters(sdk, emulator):
    parts = [part async for part in await sdk.chat(**ASKED, stream=True)]
    (record,) = emulator.ledger.records()
    assert "".join(part.message.content for part in parts) == TEXT
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (parts[-1].prompt_eval_count, parts[-1].eval_count) == (record.input, record.output)
    assert parts[0].eval_count is None


@pytest.mark.parametrize("streamed", [False, True])
async def test_tool_calls_and_their_results(sdk, streamed):
    if streamed:
        parts = [p async for p in await sdk.chat("skill-1", WEATHER, tools=TOOLS, stream=True)]
        calls = [call for part in parts for call in part.message.tool_calls or ()]
    else:
        calls = list((await sdk.chat("skill-1", WEATHER, tools=TOOLS)).message.tool_calls or ())
    assert [(call.function.name, dict(call.function.arguments)) for call in calls] == [
        ("weather", {"city": "Осло"}),
        ("now", {}),
    ]
    said = {"role": "assistant", "content": "", "tool_calls": [call.model_dump() for call in calls]}
    results = [{"role": "tool", "tool_name": call.function.name, "content": "sunny"} for call in calls]
    after = await sdk.chat("skill-1", [*WEATHER, said, *results], tools=TOOLS)
    assert after.message.content == "Done."


async def test_a_prompt_is_completed(sdk):
    got = await sdk.generate("skill-1", "hello?", system="Be brief.")
    assert (got.response, got.done) == ("Hi.", True)
    parts = [part async for part in await sdk.generate("skill-1", "six by seven?", stream=True)]
    assert "".join(part.response for part in parts) == TEXT


async def test_an_answer_is_cut_at_the_number_of_tokens_to_predict(sdk):
    got = await sdk.chat(**ASKED, options={"num_predict": 3})
    assert (got.message.content, got.done_reason) == (TEXT[:12], "length")


@pytest.mark.parametrize("fault", ["400", "401", "404", "429", "500", "503"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_has_its_status_and_its_text(emulator, fault, streamed):
    async for sdk in talking(f"{emulator.root}/f/{fault}"):
        with pytest.raises(ollama.ResponseError) as caught:
            got = await sdk.chat(**ASKED, stream=streamed)
            [part async for part in got]
        assert caught.value.status_code == int(fault)
        assert caught.value.error
        assert "{" not in caught.value.error


async def test_an_error_within_a_stream_is_raised(emulator):
    async for sdk in talking(f"{emulator.root}/f/s_err"):
        with pytest.raises(ollama.ResponseError, match="The model crashed"):
            [part async for part in await sdk.chat(**ASKED, stream=True)]


async def test_the_models_are_listed_with_their_digests(sdk):
    for listed in (await sdk.list(), await sdk.ps()):
        found = {model.model: model.digest for model in listed.models}
        assert "skill-1" in found
        assert all(len(digest) == 64 for digest in found.values())

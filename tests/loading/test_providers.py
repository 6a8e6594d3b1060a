"""The providers by name: the wire that each is spoken to in, its key, and what enters a play key."""

import json
from contextlib import AsyncExitStack

import pytest
from msgspec import structs

from assay.errors import UsageError
from assay.loading.bind import bound
from assay.loading.environment import Environment
from assay.loading.models import ModelShelf, check
from assay.message import Request, say
from assay.models.ollama_request import NUM_CTX
from assay.plan import ModelChoice, Plan


@pytest.fixture
async def make():
    async with AsyncExitStack() as stack:

        def made(name, environment=None, **choice):
            return ModelShelf(Environment(environment or {}), stack, {}, None).make(
                ModelChoice(name, **choice), []
            )

        yield made


def head_of(model):
    return model._target.head.decode()


def body_of(model):
    return json.loads(model._dialect.write(Request((say("user", "x"),))))


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"])
def test_ollama_is_spoken_to_in_its_own_dialect(make, base_url):
    model = make("ollama/llama3.2:1b", base_url=base_url)
    assert head_of(model).startswith("POST /api/chat HTTP/1.1\r\nhost: 127.0.0.1:11434\r\n")
    assert body_of(model)["model"] == "llama3.2:1b"


def test_its_other_path_is_an_openai_compatible_server(make):
    model = make("openai-compatible/llama3.2:1b", base_url="http://127.0.0.1:11434/v1")
    assert head_of(model).startswith("POST /v1/chat/completions HTTP/1.1\r\n")


def test_anthropic_gets_its_key_in_its_own_header_and_nobody_else_does(make):
    keys = {"ANTHROPIC_API_KEY": "sk-ant-secret"}
    head = head_of(make("anthropic/claude-haiku-4-5", keys))
    assert head.startswith("POST /v1/messages HTTP/1.1\r\nhost: api.anthropic.com\r\n")
    assert "\r\nx-api-key: sk-ant-secret\r\n" in head
    assert "sk-ant-secret" not in head_of(make("anthropic/x", keys, base_url="http://127.0.0.1:1"))
    assert "sk-ant-secret" not in head_of(make("ollama/x", keys))
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY"):
        make("anthropic/claude-haiku-4-5")


def test_the_context_is_always_sent_and_may_be_chosen(make):
    assert body_of(make("ollama/x"))["options"] == {"num_ctx": NUM_CTX}
    assert body_of(make("ollama/x", num_ctx=2048))["options"] == {"num_ctx": 2048}


@pytest.mark.parametrize(("name", "num_ctx"), [("openai-compatible/x", 2048), ("ollama/x", 0)])
def test_a_context_that_cannot_be_is_refused(make, name, num_ctx):
    with pytest.raises(UsageError, match="num_ctx"):
        make(name, num_ctx=num_ctx, base_url="http://127.0.0.1:1/v1")


async def test_another_context_is_another_play_and_none_keeps_the_key(make):
    plan = Plan(task="arithmetic", limit=1, models=(ModelChoice("ollama/x"),))

    async def key(**choice) -> str:
        chosen = structs.replace(plan, models=(ModelChoice("ollama/x", **choice),))
        async with bound(chosen, Environment({}), checked=False) as ready:
            return next(ready.trials()).key

    assert await key() == await key()
    assert len({await key(), await key(num_ctx=2048), await key(num_ctx=4096)}) == 3


@pytest.mark.parametrize("name", ["anthropic/x", "ollama/x"])
async def test_a_server_that_is_down_is_one_clear_error(make, name):
    model = make(name, base_url="http://127.0.0.1:9")
    with pytest.raises(UsageError, match="cannot be reached"):
        await check(model, name)

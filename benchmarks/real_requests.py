"""What a real server is asked: kinds of requests, and how each server ends them.

The tiny model says a script where the message names one (see tiny_model.py) and noise
otherwise. `ends` is what was seen of each server, as docs/servers.md tells it: an end is a
finish, an error class, or `cancelled`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import jsonschema_rs
from msgspec import structs

from assay.keys import JSON
from assay.message import Message, Reply, Request, Sampling, Text, ToolCall, ToolSpec, say

LLAMA, TRANSFORMERS = "llama", "transformers"

SAID = "The answer is forty-two — сорок два, of course."
CITY: JSON = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = ToolSpec("get_weather", "The weather of a city.", CITY)
PERSON: JSON = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "sex": {"enum": ["f", "m"]}},
    "required": ["age", "sex"],
    "additionalProperties": False,
}


CONTACT: JSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "email": {"type": "string", "format": "email"},
    },
    "required": ["name", "age", "email"],
    "additionalProperties": False,
}
LONG = 400
"""Tokens of an answer that a model of noise seldom needs more than."""


@dataclass(frozen=True)
class Kind:
    """One kind: its name, the request (streamed or not), the ends, and what a reply must hold."""

    name: str
    request: Callable[[bool], Request]
    ends: dict[str, set[str]]
    holds: Callable[[Reply, str], bool] = lambda _reply, _server: True
    model: str | None = None
    cancelled: bool = False


def both(*ends: str) -> dict[str, set[str]]:
    return {LLAMA: set(ends), TRANSFORMERS: set(ends)}


def ends(*, llama: str, transformers: str) -> dict[str, set[str]]:
    return {LLAMA: set(llama.split()), TRANSFORMERS: set(transformers.split())}


def asked(
    text: str,
    most: int = 40,
    *,
    stop: tuple[str, ...] = (),
    tools: tuple[ToolSpec, ...] = (),
    history: tuple[Message, ...] = (),
    schema: JSON = None,
) -> Callable[[bool], Request]:
    """A request that can be had streamed or not."""
    request = Request(
        (*history, say("user", text)),
        tools=tools,
        format="text" if schema is None else "json_schema",
        schema=schema,
        sampling=Sampling(max_tokens=most, temperature=1.0, stop=stop),
    )
    return lambda stream: structs.replace(request, stream=stream)


def schema_of(schema: JSON, most: int = 60) -> Callable[[bool], Request]:
    return asked("Who?", most, schema=schema)


def counted(reply: Reply, most: int = 60) -> bool:
    return reply.usage is not None and reply.usage.input > 0 and 0 < reply.usage.output <= most


def written(reply: Reply, server: str) -> bool:
    """Where the server keeps to a schema, a reply that it ended itself is JSON, if no more."""
    if server == LLAMA and reply.finish == "stop":
        json.loads(reply.text)
    return counted(reply, LONG)


def called(reply: Reply, _server: str) -> bool:
    (call,) = reply.tool_calls
    return call.name == "get_weather" and json.loads(call.arguments) == {"city": "Осло"} and counted(reply)


def thought(reply: Reply, _server: str) -> bool:
    return "forty-two" in reply.reasoning and reply.text.strip() == "It is 42 indeed." and counted(reply)


def noise(reply: Reply, _server: str) -> bool:
    """Whether it is that of the request: no other's tool call, thought or text."""
    return counted(reply) and not reply.tool_calls and "forty" not in reply.text + reply.reasoning


def stopped(reply: Reply, server: str) -> bool:
    return counted(reply) and (reply.text == "The answer is forty" if server == LLAMA else reply.text == SAID)


def nothing(stream: bool) -> Request:
    return Request((), sampling=Sampling(max_tokens=12), stream=stream)


def by_schema(reply: Reply, server: str) -> bool:
    """Where the server keeps to a schema, a reply that it ended itself is valid."""
    if server == TRANSFORMERS or reply.finish != "stop":
        return counted(reply)
    return bool(jsonschema_rs.is_valid(PERSON, json.loads(reply.text)))


EARLIER = (
    say("user", "The weather in Oslo?"),
    Message("assistant", (), (ToolCall("call_1", "get_weather", '{"city": "Oslo"}'),)),
    Message("tool", (Text('{"sky": "grey"}'),), tool_call_id="call_1"),
)

KINDS = (
    Kind("text", asked("!say it"), both("stop"), lambda reply, _: reply.text == SAID and counted(reply)),
    Kind("cut by length", asked("Go on", 12), both("length", "stop"), noise),
    Kind("tool call", asked("!call it", tools=(WEATHER,)), both("tool_calls"), called),
    Kind("tool result", asked("!say", tools=(WEATHER,), history=EARLIER), both("stop")),
    Kind("thoughts", asked("!think"), both("stop"), thought),
    Kind("stop string", asked("!say it", stop=("-two",)), both("stop"), stopped),
    Kind(
        "JSON Schema",
        schema_of(PERSON),
        both("stop", "length"),
        by_schema,
    ),
    Kind(
        "JSON Schema with strings",
        schema_of(CONTACT, LONG),
        ends(llama="stop length overloaded", transformers="length stop"),
        written,
    ),
    Kind(
        "schema with a broken pattern",
        schema_of({"type": "string", "pattern": "^(a"}),
        both("stop", "length"),
        noise,
    ),
    Kind(
        "schema that is none",
        schema_of({"type": "nonsense"}),
        ends(llama="rejected", transformers="length stop"),
        noise,
    ),
    Kind("unknown model", asked("!say it"), ends(llama="stop", transformers="denied"), model="nobody"),
    Kind(
        "longer than the context",
        asked("word " * 5000),
        ends(llama="context_overflow", transformers="length stop"),
        noise,
    ),
    Kind("no message", nothing, ends(llama="length stop", transformers="overloaded"), noise),
    Kind("cancelled midway", asked("Go on", 1000), both("cancelled"), cancelled=True),
)

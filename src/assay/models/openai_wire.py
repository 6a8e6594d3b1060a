"""The shapes of OpenAI's chat completions that a reply is read from; all else is skipped."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assay.keys import JSON
from assay.message import Finish, Usage


class WireFunction(Struct, frozen=True, gc=False):
    """A function's name and arguments, or a piece of them; some servers send an object."""

    name: str | None = None
    arguments: JSON = None

    @property
    def argument_text(self) -> str:
        if self.arguments is None or isinstance(self.arguments, str):
            return self.arguments or ""
        return msgspec.json.encode(self.arguments).decode()


class WireToolCall(Struct, frozen=True, gc=False):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: WireFunction | None = None


class WireMessage(Struct, frozen=True, gc=False):
    """A message, or a piece of one."""

    role: str | None = None
    content: str | list[JSON] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[JSON] | None = None
    refusal: str | None = None
    tool_calls: list[WireToolCall] | None = None
    function_call: WireFunction | None = None


class WireChoice(Struct, frozen=True, gc=False):
    """One of the answers; only the first is ever asked for."""

    index: int = 0
    delta: WireMessage | None = None
    message: WireMessage | None = None
    finish_reason: str | None = None


class WireAnswer(Struct, frozen=True, gc=False):
    """A completion, or a chunk of one. An error may stand in its place."""

    choices: list[WireChoice] | None = None
    usage: JSON = None
    model: str | None = None
    system_fingerprint: str | None = None
    error: JSON = None
    message: JSON = None
    object: str | None = None


ANSWER = msgspec.json.Decoder(WireAnswer)

_FINISH = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,
    "eos_token": Finish.STOP,
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
    "refusal": Finish.REFUSAL,
}


def finish_of(reason: str) -> Finish:
    """The finish that a server's reason stands for."""
    return _FINISH.get(reason, Finish.UNKNOWN)


def parts_text(content: str | list[JSON] | None, *names: str) -> str:
    """The text of a content that may be text, nothing, or a list of parts.

    `names` are the fields of a part that hold text; without them it is `text`.
    """
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[JSON] = []
    for part in content:
        if isinstance(part, dict):
            texts += [part.get(name) for name in names or ("text",)]
        elif not names:
            texts.append(part)
    return "".join(text for text in texts if isinstance(text, str))


def thoughts(content: list[JSON]) -> str:
    """The reasoning that stands among the parts of a content, as text or as parts of its own."""
    inner = [part.get("thinking") for part in content if isinstance(part, dict)]
    return "".join(parts_text(each) for each in inner if isinstance(each, (str, list)))


def usage_of(value: JSON) -> Usage | None:
    """The usage that a server reports; None where a count is missing or is not one."""
    if not isinstance(value, dict):
        return None
    given, made = count(value.get("prompt_tokens")), count(value.get("completion_tokens"))
    if given is None or made is None:
        return None
    cached = count(_inside(value, "prompt_tokens_details", "cached_tokens"))
    if cached is None:
        cached = count(value.get("prompt_cache_hit_tokens"))
    reasoning = count(_inside(value, "completion_tokens_details", "reasoning_tokens"))
    return Usage(given, made, cached or 0, reasoning or 0)


def _inside(value: dict[str, JSON], outer: str, inner: str) -> JSON:
    details = value.get(outer)
    return details.get(inner) if isinstance(details, dict) else None


def count(value: JSON) -> int | None:
    """A count of tokens; None for what is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

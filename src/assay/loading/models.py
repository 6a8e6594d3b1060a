"""Models by name: `provider/name` to an object that speaks the provider's wire."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from assay.case import Case
from assay.errors import CallError, ErrorClass, UsageError
from assay.keys import JSON
from assay.loading import files
from assay.loading.environment import Environment
from assay.loading.weights import check_weights
from assay.models.anthropic import AnthropicModel
from assay.models.http_model import HttpModel
from assay.models.huggingface import HuggingFaceModel
from assay.models.ollama import OllamaModel
from assay.models.ollama_request import NUM_CTX
from assay.models.openai import OpenAIModel
from assay.models.openai_request import LengthField
from assay.models.recorded import RecordedModel
from assay.plan import ModelChoice, Weights
from assay.plugins import made
from assay.ports import Model
from assay.transport.client import Client
from assay.transport.sink import Clocks


class Provider(Struct, frozen=True):
    """Where a provider answers and which variables hold its key and another address of it.

    `listed` says that its list of models is complete, so that a name which is not in it is wrong;
    `wire` which dialect it speaks.
    """

    base_url: str | None
    key: str | None = None
    address: str | None = None
    needs_key: bool = False
    length_field: LengthField = "max_tokens"
    listed: bool = False
    wire: Literal["openai", "anthropic", "ollama"] = "openai"


PROVIDERS = {
    "openai": Provider(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        needs_key=True,
        length_field="max_completion_tokens",
        listed=True,
    ),
    "groq": Provider(
        "https://api.groq.com/openai/v1", "GROQ_API_KEY", "GROQ_BASE_URL", needs_key=True, listed=True
    ),
    "vllm": Provider("http://127.0.0.1:8000/v1", "VLLM_API_KEY", "VLLM_BASE_URL", listed=True),
    "anthropic": Provider(
        "https://api.anthropic.com",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        needs_key=True,
        listed=True,
        wire="anthropic",
    ),
    "ollama": Provider("http://127.0.0.1:11434", None, "OLLAMA_BASE_URL", listed=True, wire="ollama"),
    "openai-compatible": Provider(None),
}
"""Providers by name. Ollama is spoken to in its own dialect; its `/v1` path is `openai-compatible`."""

OTHERS = {
    "emulated": "the embedded emulator: skill-0.8, agent, client, judge, fault-NAME",
    "recorded": "answers produced elsewhere: recorded/FILE#FIELD",
    "hf": "weights on this machine, by transformers: hf/FOLDER",
    "python": "a model of your own: python:MODULE:FACTORY",
}

MATCHING = ("id", "input", "question", "prompt")
"""Fields by which a row of recorded answers is matched to a case, in order of preference."""


class ModelShelf:
    """Makes the models of one run. They share one client, which `stack` closes; `emulator` is the
    base URL of the embedded one, if it runs.
    """

    def __init__(
        self,
        environment: Environment,
        stack: AsyncExitStack,
        timeouts: dict[str, float],
        emulator: str | None,
    ) -> None:
        self._environment = environment
        self._stack = stack
        self._clocks = _clocks(timeouts)
        self._emulator = emulator
        self._client: Client | None = None

    def make(self, choice: ModelChoice, cases: Iterable[Case]) -> Model:
        """The model of a choice; `cases` are those that recorded answers are matched to."""
        name, asked = choice.name, choice.asked
        provider, _, rest = asked.partition("/")
        if choice.num_ctx is not None and (provider != "ollama" or choice.num_ctx < 1):
            raise UsageError(
                f"num_ctx {choice.num_ctx} for {name}", fix="it is for ollama/NAME alone, and 1 or more"
            )
        if (choice.adapter is not None or choice.weights != Weights()) and provider != "hf":
            raise UsageError(f"adapter and weights for {name}", fix="they are for hf/FOLDER alone")
        if asked.startswith("python:"):
            model: Model = made(asked, "model")
            return model
        if not rest:
            raise UsageError(f"the model {name!r} has no name after the slash", fix=f"write {provider}/NAME")
        if provider == "recorded":
            return RecordedModel(name, recorded_answers(rest, cases))
        if provider == "hf":
            return self._local(name, Path(rest), choice)
        if provider == "emulated":
            return self._emulated(name, rest, choice)
        if provider not in PROVIDERS:
            known = [*PROVIDERS, *OTHERS]
            raise UsageError(f"unknown provider in {asked!r}", fix=files.did_you_mean(provider, known))
        return self._remote(name, rest, choice, PROVIDERS[provider])

    def _emulated(self, name: str, rest: str, choice: ModelChoice) -> Model:
        from assay.emulator.index import Index
        from assay.emulator.registry import NAMES, behaviour_for

        if behaviour_for(rest, Index()) is None:
            raise UsageError(f"the emulator knows no model {rest!r}", fix=f"it knows {NAMES}")
        base_url = choice.base_url or self._emulator
        if base_url is None:
            raise UsageError(f"{name} has no server", fix="add --base-url")
        _check_url(base_url)
        return OpenAIModel(name, rest, base_url, None, self._shared(), clocks=self._clocks)

    def _local(self, name: str, folder: Path, choice: ModelChoice) -> Model:
        adapter = None if choice.adapter is None else Path(choice.adapter)
        fingerprint = check_weights(name, folder, adapter)
        model = HuggingFaceModel(
            name,
            folder,
            adapter=adapter,
            device=choice.weights.device,
            dtype=choice.weights.dtype,
            batch=choice.weights.batch,
            fingerprint=fingerprint,
        )
        self._stack.push_async_callback(model.close)
        return model

    def _remote(self, name: str, rest: str, choice: ModelChoice, provider: Provider) -> Model:
        base_url, key = self._address(name, choice, provider)
        headers = choice.headers
        if provider.wire == "anthropic":
            return AnthropicModel(
                name, rest, base_url, key, self._shared(), headers=headers, clocks=self._clocks
            )
        if provider.wire == "ollama":
            num_ctx = NUM_CTX if choice.num_ctx is None else choice.num_ctx
            return OllamaModel(
                name,
                rest,
                base_url,
                key,
                self._shared(),
                num_ctx=num_ctx,
                headers=headers,
                clocks=self._clocks,
            )
        return OpenAIModel(
            name,
            rest,
            base_url,
            key,
            self._shared(),
            headers=headers,
            clocks=self._clocks,
            length_field=provider.length_field if base_url == provider.base_url else "max_tokens",
        )

    def _address(self, name: str, choice: ModelChoice, provider: Provider) -> tuple[str, str | None]:
        """Where the model answers, and the key that is bound to that place."""
        environment = self._environment
        if choice.base_url is not None:
            _check_url(choice.base_url)
            key = environment.secret(choice.key_variable, name) if choice.key_variable else None
            return choice.base_url, key
        base_url = environment.get(provider.address or "") or provider.base_url
        if base_url is None:
            raise UsageError(f"{name} needs an address", fix="add --base-url http://HOST:PORT/v1")
        _check_url(base_url)
        variable = choice.key_variable or provider.key
        if variable is None:
            return base_url, None
        if provider.needs_key and base_url == provider.base_url:
            return base_url, environment.secret(variable, name)
        return base_url, environment.get(variable)

    def _shared(self) -> Client:
        if self._client is None:
            self._client = Client()
            self._stack.push_async_callback(self._client.close)
        return self._client


def _clocks(timeouts: dict[str, float]) -> Clocks:
    for name, seconds in timeouts.items():
        if name not in Clocks.__struct_fields__:
            fix = files.did_you_mean(name, Clocks.__struct_fields__)
            raise UsageError(f"unknown timeout {name!r}", fix=fix)
        if seconds <= 0:
            raise UsageError(f"timeout {name} is {seconds:g}", fix="give seconds above 0")
    return Clocks(**timeouts)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if "@" not in url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise UsageError(f"{url!r} is no address", fix="write http://HOST:PORT/v1")
    if "@" in url:  # not shown: what stands before it may be a secret
        raise UsageError("an address must not hold a user or password", fix="use --key-variable NAME")


def recorded_answers(rest: str, cases: Iterable[Case]) -> dict[str, str]:
    """Recorded replies by case id, from `FILE#FIELD` (FIELD defaults to `reply`)."""
    file, _, chosen = rest.partition("#")
    path, wanted = Path(file), chosen or "reply"
    found: dict[str, str] = {}
    for number, _, row in files.read_rows(path):
        if wanted not in row:
            raise UsageError(
                f"{path}, line {number}: no field {wanted!r}", fix=files.did_you_mean(wanted, row)
            )
        match = next((str(row[field]) for field in MATCHING if field in row), None)
        if match is None:
            raise UsageError(
                f"{path}, line {number}: nothing to match a case by", fix=f"give it one of {MATCHING}"
            )
        found[match] = _text(row[wanted])
    answers = {}
    for case in cases:
        reply = found.get(case.name) if case.name in found else found.get(case.input_text)
        if reply is not None:
            answers[case.id] = reply
    if not answers:
        raise UsageError(f"{path}: no row matches a case", fix="rows match by id, input, question or prompt")
    return answers


def _text(value: JSON) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


async def check(model: Model, asked: str) -> str | None:
    """Asks a server for its models before anything runs; local weights are loaded. `asked` is the
    `provider/name` of the model.

    Raises UsageError where nobody answers, the key is refused, or a complete list lacks the name.
    An odd answer is no reason to stop: it comes back as a warning.
    """
    if isinstance(model, HuggingFaceModel):
        await model.load()
        return None
    if not isinstance(model, HttpModel):
        return None
    provider, _, wanted = asked.partition("/")
    try:
        names = await model.list_models()
    except CallError as failure:
        if failure.error in {ErrorClass.CONNECT, ErrorClass.DENIED}:
            fix = "start the server or mend --base-url"
            if failure.error is ErrorClass.DENIED:
                fix = "check the key and what it may use"
            raise UsageError(f"{model.name} cannot be reached: {failure}", fix=fix) from None
        return f"{model.name}: the check of its server says {failure}"
    if provider in PROVIDERS and PROVIDERS[provider].listed and names and wanted not in names:
        raise UsageError(f"{model.name}: the server has no such model", fix=files.did_you_mean(wanted, names))
    return None

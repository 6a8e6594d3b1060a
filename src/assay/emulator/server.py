"""The emulator: a deterministic server on loopback that speaks model wires and keeps the truth."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote

import msgspec
from msgspec import Struct, structs

from assay.emulator import anthropic, ollama
from assay.emulator.anthropic import AnthropicMessages
from assay.emulator.behaviour import Answer, Behaviour
from assay.emulator.capacity import Capacity, Gate, Refused, capacity_of
from assay.emulator.choice import Choice
from assay.emulator.connection import Connection, HttpRequest, Life, Planned
from assay.emulator.delivery import JSON_TYPE, Delivery, Ready, plain, with_headers
from assay.emulator.fault import Chosen
from assay.emulator.faults import OK
from assay.emulator.hook import RECEIVER, Hook, Received
from assay.emulator.index import Index, digest_of
from assay.emulator.ledger import Ledger, Record
from assay.emulator.ollama import OllamaChat, OllamaGenerate
from assay.emulator.openai import OpenAIChat
from assay.emulator.pace import Pace, Rhythm, Timing
from assay.emulator.proxy import Proxy, toxics_of
from assay.emulator.registry import LISTED, NAMES, behaviour_for
from assay.emulator.wire import (
    TOKEN_LENGTH,
    Heard,
    Identity,
    Refusal,
    Tokens,
    Wire,
    input_tokens,
    output_tokens,
)
from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Finish

LOOPBACK = "127.0.0.1"
NDJSON_TYPE = b"application/x-ndjson"


class _Came(Struct, frozen=True):
    """A request, the digest of its body, which attempt at that it is, and what is known of it."""

    request: HttpRequest
    digest: str
    attempt: int
    prompt: str = ""
    model: str = ""
    stream: bool = False


class Emulator:
    """Serves on loopback from `start` to `stop`, or as an async context manager.

    The same requests under the same index, timing and choice of faults get the same bytes (but for
    the wall-clock second in them), whatever their order. `port` 0 takes a free one.
    """

    def __init__(
        self,
        index: Index | None = None,
        *,
        timing: Timing | None = None,
        choice: Choice | None = None,
        ledger: Ledger | None = None,
        capacity: Capacity | None = None,
        life: Life | None = None,
        rhythms: Mapping[str, Rhythm] | None = None,
        hook_reply: JSON = None,
        proxy: Proxy | None = None,
        port: int = 0,
    ) -> None:
        self.index = Index() if index is None else index
        self.timing = Timing() if timing is None else timing
        self.choice = Choice() if choice is None else choice
        self._ledger = Ledger() if ledger is None else ledger
        self._gate = Gate(Capacity() if capacity is None else capacity)
        self._life = Life() if life is None else life
        self._rhythms = {} if rhythms is None else dict(rhythms)
        self._proxy = proxy
        self._port = port
        dialects = (OpenAIChat(), AnthropicMessages(), OllamaChat(), OllamaGenerate(), Hook(hook_reply))
        self._wires: dict[str, Wire] = {wire.path: wire for wire in dialects}
        self._behaviours: dict[str, Behaviour] = {RECEIVER: Received()}
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._server: asyncio.Server | None = None
        self._pace: Pace | None = None
        self._empty = asyncio.Event()

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def pace(self) -> Pace:
        if self._pace is None:
            raise RuntimeError("the emulator has not been started")
        return self._pace

    @property
    def gate(self) -> Gate:
        return self._gate

    @property
    def life(self) -> Life:
        return self._life

    @property
    def root(self) -> str:
        """The address under which /ledger, /stats, /capacity and /reset lie as well: http://host:port."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """The base URL for a client of the OpenAI wire."""
        return self.root + "/v1"

    async def start(self) -> str:
        """Listens; returns the base URL. Raises UsageError where the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), LOOPBACK, self._port, backlog=4096
            )
        except (OSError, OverflowError) as problem:
            raise UsageError(
                f"the emulator cannot listen on port {self._port}: {problem}",
                fix="choose another port, or 0 for a free one",
            ) from problem
        self._pace = Pace(loop)
        self._port = self._server.sockets[0].getsockname()[1]
        return self.url

    async def stop(self) -> None:
        """Stops listening, drops every client, closes the ledger's file."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        if self._connections:
            self._empty.clear()
            await self._empty.wait()
        await self._server.wait_closed()
        self._server = None
        self.pace.close()
        self._ledger.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def joined(self, connection: Connection) -> int:
        self._connections.add(connection)
        self._accepted += 1
        return self._accepted

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def handle(self, request: HttpRequest) -> Planned:
        """What a request gets."""
        target, _, query = request.target.partition("?")
        fault, path = _direct(target)
        wire = self._wires.get(path)
        if wire is None:
            return Planned(self._page(request, path, query))
        if request.method != "POST":
            return Planned(plain(405, wire.error(405, "method_not_allowed", "POST is needed here.")))
        header = request.headers.get(b"x-fault")
        return self._chat(wire, request, fault if header is None else header.decode("latin-1"))

    def _chat(self, wire: Wire, request: HttpRequest, direct: str | None) -> Planned:
        digest = hashlib.sha256(request.body).hexdigest()[:32]
        came = _Came(request, digest, self._ledger.attempt(digest))
        try:
            heard = wire.read(request.body)
            asked = heard.asked
            behaviour = self._behaviour(asked.model)
            prompt = digest_of(asked.messages)
            chosen = self._chosen(direct, asked.model, prompt, digest, came.attempt)
        except Refusal as refusal:
            delivery = plain(refusal.status, wire.error(refusal.status, refusal.code, refusal.message))
            return Planned(delivery, self._entered(came, "refused", delivery))
        identity = Identity(f"chatcmpl-{digest[:20]}-{came.attempt}", _now())
        ready = self._ready(wire, heard, behaviour, prompt, identity)
        came = structs.replace(came, prompt=prompt, model=asked.model, stream=heard.stream)
        admitted = self._gate.admit(ready.tokens.input + ready.tokens.output, wire.path)
        if isinstance(admitted, Refused):
            body = wire.error(admitted.status, admitted.code, admitted.message)
            delivery = plain(admitted.status, body, extra=admitted.headers)
            return Planned(delivery, self._entered(came, "limited", delivery))
        if not chosen.fault.applies(ready):
            chosen = OK
        delivery = chosen.deliver(ready)
        if admitted:
            delivery = with_headers(delivery, admitted)
        record = self._entered(came, chosen.text, delivery, ready, billed=chosen.fault.billed)
        return Planned(delivery, record, self._gate.turn(prompt, asked.seed))

    def _entered(
        self,
        came: _Came,
        fault: str,
        delivery: Delivery,
        ready: Ready | None = None,
        *,
        billed: bool = False,
    ) -> Record:
        """The ledger's record of a request and of what it gets."""
        record = Record(
            n=self._ledger.next_number,
            conn=came.request.conn,
            arrived=came.request.arrived,
            request=came.digest,
            prompt=came.prompt,
            model=came.model,
            attempt=came.attempt,
            fault=fault,
            stream=came.stream,
            status=delivery.status,
            may_bill=billed,
        )
        if ready is not None:
            record.input, record.output = ready.tokens.input, ready.tokens.output
            record.text, record.truth = ready.answer.text, ready.answer.truth
        self._ledger.add(record)
        return record

    def _ready(
        self, wire: Wire, heard: Heard, behaviour: Behaviour, prompt: str, identity: Identity
    ) -> Ready:
        asked = heard.asked
        answer = _limited(behaviour.answer(asked), asked.max_tokens)
        tokens = Tokens(input_tokens(asked.messages, asked.tools), output_tokens(answer))
        factor = self.timing.factor(prompt, asked.seed)
        rhythm = (self._rhythms.get(prompt) or self._rhythms.get("*")) if self._rhythms else None
        return Ready(
            wire,
            heard,
            answer,
            tokens,
            identity=identity,
            timing=self.timing,
            factor=factor,
            rhythm=rhythm,
        )

    def _behaviour(self, model: str) -> Behaviour:
        """The behaviour of a model, made once. Raises Refusal for a name that nothing stands for."""
        known = self._behaviours.get(model)
        if known is None:
            known = behaviour_for(model, self.index)
            if known is None:
                message = f"The model {model[:80]!r} does not exist; there are {NAMES}."
                raise Refusal(404, "model_not_found", message)
            if len(self._behaviours) < 1000:
                self._behaviours[model] = known
        return known

    def _chosen(self, direct: str | None, model: str, prompt: str, request: str, attempt: int) -> Chosen:
        try:
            return self.choice.pick(direct, model, prompt, request, attempt)
        except UsageError as problem:
            raise Refusal(400, "unknown_fault", f"{problem.problem}; {problem.fix}") from problem

    def _page(self, request: HttpRequest, path: str, query: str) -> Delivery:
        """The answers that are no chat."""
        if path == "/models" or path.startswith("/models/"):
            return self._models(unquote(path[len("/models/") :]), request)
        if path.startswith("/api/"):
            return self._ollama_page(path)
        if (page := self._own_page(request, path, query)) is not None:
            return page
        message = f"Nothing is at {request.method[:10]} {path[:80]}."
        return plain(404, self._wires[OpenAIChat.path].error(404, "not_found", message))

    def _own_page(self, request: HttpRequest, path: str, query: str) -> Delivery | None:
        """What only an emulator has: ledger, counts, capacity, reset."""
        if path == "/ledger":
            return self._show_ledger(query)
        if path == "/stats":
            return _json(200, {**self._ledger.stats(), "connections": len(self._connections)})
        if path == "/capacity":
            return self._bear(request)
        if path == "/toxics" and self._proxy is not None:
            return self._spoil(self._proxy, request)
        if path == "/reset" and request.method == "POST":
            self._ledger.reset()
            return _json(200, {"reset": True})
        return None

    def _bear(self, request: HttpRequest) -> Delivery:
        """What it can bear, changed first where a POST names some of it."""
        if request.method == "POST":
            try:
                self._gate.change(capacity_of(_decoded(request.body), self._gate.capacity))
            except UsageError as problem:
                return _json(400, {"error": {"message": f"{problem.problem}; {problem.fix}"}})
        return _json(200, self._gate.view())

    def _spoil(self, proxy: Proxy, request: HttpRequest) -> Delivery:
        """The toxics of the proxy, all of them changed first by a POST."""
        if request.method == "POST":
            try:
                proxy.toxics = toxics_of(_decoded(request.body))
            except UsageError as problem:
                return _json(400, {"error": {"message": f"{problem.problem}; {problem.fix}"}})
        return _json(200, list(proxy.toxics))

    def _ollama_page(self, path: str) -> Delivery:
        """Ollama's lists; all models are in memory."""
        if path == "/api/tags":
            return _json(200, ollama.tags(LISTED))
        if path == "/api/ps":
            return _json(200, ollama.loaded(LISTED))
        if path == "/api/version":
            return _json(200, {"version": ollama.VERSION})
        return _json(404, {"error": "404 page not found"})

    def _models(self, name: str, request: HttpRequest) -> Delivery:
        """The list of models or one of them, as the asker's dialect has it."""
        theirs = b"anthropic-version" in request.headers
        if not name:
            data = [_model(each) for each in LISTED]
            return _json(200, anthropic.models(LISTED) if theirs else {"object": "list", "data": data})
        if behaviour_for(name, self.index) is not None:
            return _json(200, anthropic.model(name) if theirs else _model(name))
        message = f"The model {name[:80]!r} does not exist; there are {NAMES}."
        return plain(404, self._wires[OpenAIChat.path].error(404, "model_not_found", message))

    def _show_ledger(self, query: str) -> Delivery:
        since = parse_qs(query).get("since", ["0"])[-1]
        if not (since.isascii() and since.isdigit() and len(since) < 16):
            return _json(400, {"error": {"message": "since: the number of a record is needed"}})
        return plain(200, b"".join(self._ledger.lines(int(since))), kind=NDJSON_TYPE)


def _direct(path: str) -> tuple[str | None, str]:
    """The fault that a path asks for (/f/NAME/v1/...), and the path without it and without /v1."""
    fault = None
    if path.startswith("/f/"):
        fault, _, path = path[3:].partition("/")
        fault, path = unquote(fault), "/" + path
    return fault, path.removeprefix("/v1") if path.startswith("/v1/") else path


def _json(status: int, value: JSON) -> Delivery:
    return plain(status, msgspec.json.encode(value), kind=JSON_TYPE)


def _decoded(body: bytes) -> JSON:
    """The JSON of a body; None, which nothing takes, where it is none."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None


def _model(name: str) -> JSON:
    return {"id": name, "object": "model", "created": 0, "owned_by": "assay-emulator"}


def _now() -> int:
    """The wall-clock second."""
    return int(time.time())


def _limited(answer: Answer, max_tokens: int | None) -> Answer:
    """The answer cut to `max_tokens` tokens, if that is fewer; calls are never cut."""
    if max_tokens is None or len(answer.text) <= max_tokens * TOKEN_LENGTH or answer.tool_calls:
        return answer
    return structs.replace(answer, text=answer.text[: max_tokens * TOKEN_LENGTH], finish=Finish.LENGTH)

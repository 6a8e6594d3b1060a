"""A webhook receiver: takes any JSON object, answers the same each time, keeps what came in the ledger."""

from __future__ import annotations

import msgspec

from assay.emulator.behaviour import Answer, Asked
from assay.emulator.wire import Heard, Identity, Refusal, Stream, Tokens
from assay.keys import JSON

RECEIVER = "hook"
"""The name under which the ledger keeps what webhooks brought."""


class Received:
    """Says nothing; its truth is what came."""

    def answer(self, asked: Asked) -> Answer:
        return Answer(truth={"received": asked.schema})


class Hook:
    """POST /hook. Faults are chosen as for models: by the path (/f/NAME/hook), header, script or mix."""

    path = "/hook"
    stream_type = b"application/json"
    idle = b"\n"
    hollow = b"{}"

    def __init__(self, reply: JSON = None) -> None:
        self._reply = msgspec.json.encode({"ok": True} if reply is None else reply)

    def read(self, body: bytes) -> Heard:
        try:
            value: JSON = msgspec.json.decode(body)
        except (ValueError, RecursionError) as problem:
            raise Refusal(400, "invalid_json", f"not JSON: {problem}") from None
        if not isinstance(value, dict):
            raise Refusal(400, "invalid_json", "not a JSON object")
        return Heard(Asked(RECEIVER, (), schema=value))

    def body(self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity) -> bytes:
        del heard, answer, tokens, identity
        return self._reply

    def stream(
        self, heard: Heard, answer: Answer, tokens: Tokens | None, identity: Identity, chunk_tokens: int
    ) -> Stream:
        del chunk_tokens
        return Stream((), (self.body(heard, answer, tokens, identity),), (), (), ())

    def error(self, status: int, code: str, message: str) -> bytes:
        return msgspec.json.encode({"error": {"status": status, "code": code, "message": message}})

    def event(self, payload: JSON, name: str | None = None) -> bytes:
        del name
        return msgspec.json.encode(payload)

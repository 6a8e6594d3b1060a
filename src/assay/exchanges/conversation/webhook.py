"""The session webhook: one signed call before the first line, which may change variables or skip."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from random import Random

import msgspec
from msgspec import Struct, field

from assay.errors import CallError, ErrorClass
from assay.exchanges.conversation.settings import WebhookSettings
from assay.keys import JSON
from assay.ports import Fetch, Fetched

MAX_BODY = 64 * 1024
MAX_VARIABLES = 50
MAX_TEXT = 10_000
PROTECTED = frozenset({"SEED", "ORDER_GOAL", "CLIENT", "START"})
"""Names that no webhook changes unless `allow_override` lists them."""
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_RETRIED = frozenset({408, 425, 429})


class AgentPart(Struct, frozen=True):
    """What a webhook says of the agent."""

    greeting: str | None = None


class Session(Struct, frozen=True):
    """A webhook's answer; every key is optional."""

    session_id: str | None = None
    variables: dict[str, str | float | int | bool | None] = field(default_factory=dict)
    agent: AgentPart = AgentPart()
    state: dict[str, dict[str, JSON]] = field(default_factory=dict)
    skip: bool = False
    reason: str = ""


class WebhookError(Exception):
    """The webhook failed, or asked for what it may not."""


def signed(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The Standard Webhooks signature: v1 and the base64 HMAC-SHA256 of `id.timestamp.body`."""
    raw = secret.removeprefix("whsec_")
    key = base64.b64decode(raw) if secret.startswith("whsec_") else raw.encode()
    mac = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


class Webhook:
    """Calls one address, signed with one secret (which appears in no record)."""

    __slots__ = ("_fetch", "_secret", "_settings")

    def __init__(self, settings: WebhookSettings, fetch: Fetch, secret: str) -> None:
        self._settings = settings
        self._fetch = fetch
        self._secret = secret

    async def init(self, trial: str, payload: Mapping[str, JSON], draw: Random) -> JSON:
        """Posts `session.init`; the recorded outcome: `{"status", "body"}`.

        Raises CallError after the last attempt. The body is text, bounded, and not yet read.
        """
        body = msgspec.json.encode({"type": "session.init", "version": 1, **payload})
        for attempt in range(1, self._settings.attempts + 1):
            last = attempt == self._settings.attempts
            wait = self._wait(attempt, draw)
            try:
                answer = await self._post(f"{trial}.init", body)
            except CallError as error:
                if last or error.error not in (ErrorClass.CONNECT, ErrorClass.TIMEOUT):
                    raise
            else:
                if last or not (answer.status in _RETRIED or answer.status >= 500):
                    return {"status": answer.status, "body": _text(answer)}
                wait = _retry_after(answer, wait)
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _post(self, webhook_id: str, body: bytes) -> Fetched:
        now = int(time.time())
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "assay",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signed(self._secret, webhook_id, now, body),
        }
        return await self._fetch.post(self._settings.url, body, headers)

    def _wait(self, attempt: int, draw: Random) -> float:
        waits = self._settings.waits_s
        base = waits[min(attempt, len(waits)) - 1] if waits else 0.0
        return base * (0.5 + draw.random())


def read_session(outcome: JSON, settings: WebhookSettings) -> Session:
    """The session of a recorded outcome. Raises WebhookError for one that cannot be used."""
    status, body = outcome["status"], outcome["body"]
    if status == 204:
        return Session()
    if status != 200:
        raise WebhookError(f"status {status}")
    if body is None:
        raise WebhookError(f"the answer is longer than {MAX_BODY} bytes or no UTF-8")
    try:
        session = msgspec.json.decode(body, type=Session)
    except msgspec.DecodeError as error:
        raise WebhookError(f"the answer cannot be read: {error}") from error
    _check_variables(session, settings)
    return session


def _check_variables(session: Session, settings: WebhookSettings) -> None:
    if len(session.variables) > MAX_VARIABLES:
        raise WebhookError(f"more than {MAX_VARIABLES} variables")
    for name, value in session.variables.items():
        if not _NAME.match(name) or len(str(value)) > MAX_TEXT:
            raise WebhookError(f"variable {name[:60]!r} has a bad name or is too long")
        allowed = settings.allow_override
        if name not in allowed if allowed is not None else name in PROTECTED:
            raise WebhookError(f"forbidden_override: {name[:60]}")


def _text(answer: Fetched) -> str | None:
    try:
        return answer.body.decode() if len(answer.body) <= MAX_BODY else None
    except UnicodeDecodeError:
        return None


def _retry_after(answer: Fetched, wait: float) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), 10.0) if asked.isascii() and asked.isdigit() else wait

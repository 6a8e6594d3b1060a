"""The session webhook: a signed call before the first line, which may change variables or skip, and one
at the end.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from assay import __version__
from assay.errors import CallError, ErrorClass, UsageError
from assay.exchanges.conversation.settings import WebhookSettings
from assay.keys import JSON
from assay.ports import Fetch, Fetched

MAX_BODY = 64 * 1024
MAX_VARIABLES = 50
MAX_TEXT = 10_000
PROTECTED = frozenset({"SEED", "ORDER_GOAL", "CLIENT", "START", "FAULTS"})
"""Names that no webhook changes unless `allow_override` lists them."""
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_RETRIED = frozenset({408, 425, 429})
_PASSING = frozenset({ErrorClass.CONNECT, ErrorClass.TIMEOUT, ErrorClass.TRANSPORT})
FAILURES, OPEN_SECONDS = 20, 30.0
LONGEST_WAIT = 10.0
"""The most that a Retry-After is heeded."""


class AgentPart(Struct, frozen=True):
    """What a webhook says of the agent."""

    greeting: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None


class Session(Struct, frozen=True):
    """A webhook's answer; every key is optional."""

    session_id: Annotated[str, Meta(max_length=200)] | None = None
    variables: dict[str, str | float | int | bool | None] = field(default_factory=dict)
    agent: AgentPart = AgentPart()
    state: dict[str, dict[str, JSON]] = field(default_factory=dict)
    skip: bool = False
    reason: str = ""


class WebhookError(Exception):
    """The webhook failed, or asked for what it may not."""


def keys_of(secrets: str) -> tuple[bytes, ...]:
    """The keys of a secret, or of several parted by spaces or commas while one takes the place of another.

    `whsec_` is followed by the key in base64; any other secret is its own bytes. Raises UsageError
    for one that is neither.
    """
    found = []
    for secret in secrets.replace(",", " ").split():
        if not secret.startswith("whsec_"):
            found.append(secret.encode())
            continue
        try:
            found.append(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
        except ValueError:
            raise UsageError(
                "WEBHOOK_SECRET begins with whsec_, but no base64 follows", fix="copy the secret whole"
            ) from None
    return tuple(key for key in found if key)


def signed(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The Standard Webhooks signatures, one a key: v1 and the base64 HMAC-SHA256 of `id.timestamp.body`."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    macs = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join("v1," + base64.b64encode(mac).decode() for mac in macs)


class Breaker:
    """After FAILURES sessions in a row have failed, the next ones fail at once for OPEN_SECONDS."""

    __slots__ = ("_clock", "_failures", "_until")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def open(self) -> bool:
        return self._clock() < self._until

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = self._clock() + OPEN_SECONDS


class Webhook:
    """Calls one address, signed with the keys of one secret (which appears in no record)."""

    __slots__ = ("_breaker", "_fetch", "_keys", "_pause", "settings")

    def __init__(
        self,
        settings: WebhookSettings,
        fetch: Fetch,
        secret: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Raises UsageError where there is no secret to sign with."""
        self.settings = settings
        self._fetch = fetch
        self._keys = keys_of(secret)
        self._breaker = Breaker(clock)
        self._pause = pause
        if not self._keys:
            raise UsageError("the webhook has no secret to sign with", fix="set WEBHOOK_SECRET")

    async def init(self, trial: str, payload: Mapping[str, JSON], draw: Random) -> JSON:
        """Posts `session.init`; the recorded outcome: `{"status", "body"}`.

        Raises CallError after the last attempt. The body is text, bounded, and not yet read.
        """
        return await self._told(f"{trial}.init", "session.init", payload, draw)

    async def end(self, id: str, payload: Mapping[str, JSON], draw: Random) -> None:
        """Posts `session.end`, under this webhook-id. Raises CallError and WebhookError where it does not
        get through.
        """
        outcome = await self._told(id, "session.end", payload, draw)
        if not 200 <= outcome["status"] < 300:
            raise WebhookError(f"status {outcome['status']}")

    async def _told(self, id: str, type: str, payload: Mapping[str, JSON], draw: Random) -> JSON:
        if self._breaker.open:
            raise CallError(ErrorClass.CONNECT, f"not called: {FAILURES} sessions in a row have failed")
        body = _ENCODER.encode({"type": type, "version": 1, **payload})
        try:
            outcome = await self._insist(id, body, draw)
        except CallError:
            self._breaker.failed()
            raise
        if outcome["status"] in _RETRIED or outcome["status"] >= 500:
            self._breaker.failed()
        else:
            self._breaker.answered()
        return outcome

    async def _insist(self, id: str, body: bytes, draw: Random) -> JSON:
        """Attempts until one is answered for good, or the last has failed."""
        for attempt in range(1, self.settings.attempts + 1):
            last = attempt == self.settings.attempts
            wait = self._wait(attempt, draw)
            try:
                answer = await self._post(id, body)
            except CallError as error:
                if last or error.error not in _PASSING:
                    raise
            else:
                if last or not (answer.status in _RETRIED or answer.status >= 500):
                    return {"status": answer.status, "body": _text(answer)}
                wait = _retry_after(answer, wait)
            await self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _post(self, webhook_id: str, body: bytes) -> Fetched:
        now = int(time.time())
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": f"assay/{__version__}",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signed(self._keys, webhook_id, now, body),
        }
        return await self._fetch.post(self.settings.url, body, headers)

    def _wait(self, attempt: int, draw: Random) -> float:
        waits = self.settings.waits_s
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
    except (msgspec.DecodeError, RecursionError) as error:
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
    """What the answer asks for, in seconds or as a date, LONGEST_WAIT at most."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_WAIT)
    try:
        ahead = parsedate_to_datetime(asked).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return wait
    return min(max(ahead, 0.0), LONGEST_WAIT)

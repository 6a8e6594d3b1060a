"""What the emulator can bear: rate limits, how many requests at once, service times, freezes. Changeable."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from assay.errors import UsageError
from assay.keys import JSON, unit

HeaderTruth = Literal["none", "true", "high", "low", "azure"]
Pairs = tuple[tuple[str, str], ...]


class Capacity(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of one account and one machine; None is without a limit.

    `rpm` requests and `tpm` tokens a minute, each a token bucket that holds `burst_s` seconds of
    its limit; a request costs its input and its right answer's tokens. `headers` tell of them:
    not, truly, ten times too high, as if nothing were left, or as Azure does (-1 and 0).

    `concurrency` requests are served at once; what comes above that waits in a `queue` of so many,
    first come first served, and is answered by the status `full` when that is full too.

    `service_ms` is the mean of what passes before the first byte of each answer, drawn by the
    request's hash: `fixed`, `exp` or `lognormal` with `sigma`. In the last `freeze_s` of every
    `freeze_every_s` seconds (from the moment of this setting) nothing is sent.
    """

    rpm: float | None = None
    tpm: float | None = None
    burst_s: float = 60.0
    headers: HeaderTruth = "none"
    concurrency: int | None = None
    queue: int = 0
    full: Literal[429, 503, 529] = 429
    service: Literal["fixed", "exp", "lognormal"] = "fixed"
    service_ms: float = 0.0
    sigma: float = 1.0
    freeze_s: float = 0.0
    freeze_every_s: float = 0.0

    def service_seconds(self, prompt: str, seed: int | None) -> float:
        """Seconds before the first byte of the answer to that prompt under that request seed."""
        mean = self.service_ms / 1e3
        if not mean or self.service == "fixed":
            return mean
        share = unit("service", prompt, seed)
        if self.service == "exp":
            return -mean * math.log1p(-share)
        from assay.stats.distributions import normal_quantile  # needed by few, slow to load

        share = min(max(share, 1e-12), 1 - 1e-12)
        return mean * math.exp(self.sigma * normal_quantile(share) - self.sigma**2 / 2)


_POSITIVE = ("rpm", "tpm", "burst_s", "concurrency")
_LARGEST = 1e9


def capacity_of(value: JSON, before: Capacity) -> Capacity:
    """The capacity with the fields of a JSON object changed. Raises UsageError."""
    fix = "give an object with some of " + ", ".join(Capacity.__struct_fields__)
    if not isinstance(value, dict):
        raise UsageError("capacity: not an object", fix=fix)
    try:
        changed = msgspec.convert({**msgspec.to_builtins(before), **value}, Capacity)
    except msgspec.ValidationError as problem:
        raise UsageError(f"capacity: {problem}", fix=fix) from None
    for name in Capacity.__struct_fields__:
        number = getattr(changed, name)
        if isinstance(number, (int, float)) and not (
            0 <= number <= _LARGEST and (number or name not in _POSITIVE)
        ):
            raise UsageError(f"capacity: {name} cannot be {number}", fix="give a number above 0")
    if changed.freeze_s and not changed.freeze_s < changed.freeze_every_s:
        raise UsageError("capacity: freeze_s is not below freeze_every_s", fix="freeze for a part of it")
    return changed


def capacity_from(text: str) -> Capacity:
    """The capacity of `rpm=600,concurrency=8,full=503`. Raises UsageError."""
    value: dict[str, JSON] = {}
    for part in filter(None, text.split(",")):
        name, _, said = part.partition("=")
        try:
            value[name.strip()] = msgspec.json.decode(said, type=int | float)
        except msgspec.DecodeError:
            value[name.strip()] = said
    return capacity_of(value, Capacity())


class Bucket:
    """A token bucket: `rate` units a second, at most `room` of them."""

    def __init__(self, rate: float, room: float, now: float) -> None:
        self.rate = rate
        self.room = room
        self._level = room
        self._at = now

    def resized(self, rate: float, room: float, now: float) -> Bucket:
        """Another bucket with what this one holds, as far as there is room."""
        other = Bucket(rate, room, now)
        other._level = min(room, self.level(now))
        return other

    def level(self, now: float) -> float:
        """How much it holds at that second."""
        self._level = min(self.room, self._level + self.rate * (now - self._at))
        self._at = now
        return self._level

    def wait(self, cost: float, now: float) -> float:
        """Seconds until it holds that much; a cost above its room needs a full one."""
        return max(0.0, (min(cost, self.room) - self.level(now)) / self.rate)

    def take(self, cost: float) -> None:
        """Takes that much, if need be below nothing."""
        self._level -= cost


class Refused(Struct, frozen=True):
    """A request that is turned down: status, code, message, and the headers of that answer."""

    status: int
    code: str
    message: str
    headers: Pairs


class Turn:
    """One request's way through the machine; `start` is called with the ns from which it is served."""

    def __init__(self, gate: Gate, service_ns: int) -> None:
        self._gate = gate
        self._service_ns = service_ns
        self._start: Callable[[int], None] | None = None
        self._holds = False

    def take(self, start: Callable[[int], None]) -> None:
        """Asks to be served: at once, or when it is this one's turn."""
        self._start = start
        self._gate.enter(self)

    def serve(self) -> None:
        """It is this one's turn."""
        self._holds = True
        if self._start is not None:
            self._start(time.monotonic_ns() + self._service_ns)

    def give_back(self) -> None:
        """It is over, also where it never began; a second time does nothing."""
        self._start = None
        holds, self._holds = self._holds, False
        self._gate.leave(self, served=holds)


class Gate:
    """Keeps a capacity over the requests of one server."""

    def __init__(self, capacity: Capacity) -> None:
        self._waiting: deque[Turn] = deque()
        self._busy = 0
        self._buckets: dict[str, Bucket] = {}
        self._zero = 0
        self._calling = False
        self.change(capacity)

    def change(self, capacity: Capacity) -> None:
        """From now on this holds; what is being served is served to its end."""
        self.capacity = capacity
        self._zero = time.monotonic_ns()
        now = self._zero / 1e9
        buckets = {}
        for name, limit in (("requests", capacity.rpm), ("tokens", capacity.tpm)):
            if limit is not None:
                rate, room = limit / 60, limit / 60 * capacity.burst_s
                known = self._buckets.get(name)
                buckets[name] = Bucket(rate, room, now) if known is None else known.resized(rate, room, now)
        self._buckets = buckets
        self._call_next()

    def view(self) -> JSON:
        """The settings, and how much is under way."""
        now = time.monotonic()
        return {
            "capacity": msgspec.to_builtins(self.capacity),
            "serving": self._busy,
            "queued": len(self._waiting),
            "remaining": {name: bucket.level(now) for name, bucket in self._buckets.items()},
        }

    def admit(self, tokens: int, path: str) -> Refused | Pairs:
        """Counts a request against the limits: the headers of its answer, or why it is turned down."""
        now, costs = time.monotonic(), {"requests": 1.0, "tokens": float(tokens)}
        waits = {name: bucket.wait(costs[name], now) for name, bucket in self._buckets.items()}
        slowest = max(waits, key=lambda name: waits[name], default="")
        if slowest and waits[slowest] > 0:
            seconds = waits[slowest]
            wait = (
                ("retry-after", str(math.ceil(seconds))),
                ("retry-after-ms", str(math.ceil(seconds * 1e3))),
            )
            told = () if self.capacity.headers == "none" else wait
            message = f"Rate limit reached for {slowest}: try again in {seconds:.3f} s."
            return Refused(429, "rate_limit_exceeded", message, (*told, *self._headers(now, path)))
        if self._is_full():
            message = f"{self._busy} requests are being served and {len(self._waiting)} wait."
            code = "rate_limit_exceeded" if self.capacity.full == 429 else "overloaded"
            return Refused(self.capacity.full, code, message, self._headers(now, path))
        for name, bucket in self._buckets.items():
            bucket.take(costs[name])
        return self._headers(now, path)

    def turn(self, prompt: str, seed: int | None) -> Turn | None:
        """The way of an admitted request; None where nothing can hold it up."""
        seconds = self.capacity.service_seconds(prompt, seed)
        if self.capacity.concurrency is None and not seconds:
            return None
        return Turn(self, int(seconds * 1e9))

    def thaw(self, due: int) -> int:
        """When what is due at that ns can be sent: the end of the freeze that it falls into."""
        every, frozen = self.capacity.freeze_every_s, self.capacity.freeze_s
        if not frozen:
            return due
        period = int(every * 1e9)
        phase = (due - self._zero) % period
        return due + period - phase if phase >= period - int(frozen * 1e9) else due

    def enter(self, turn: Turn) -> None:
        """Has the turn served when there is room."""
        self._waiting.append(turn)
        self._call_next()

    def leave(self, turn: Turn, *, served: bool) -> None:
        """The turn is over; another one may begin."""
        if served:
            self._busy -= 1
            self._call_next()
        elif turn in self._waiting:
            self._waiting.remove(turn)

    def _is_full(self) -> bool:
        most = self.capacity.concurrency
        return most is not None and self._busy + len(self._waiting) >= most + self.capacity.queue

    def _call_next(self) -> None:
        if self._calling:  # by what a turn of this very loop has brought about: the loop goes on
            return
        most, self._calling = self.capacity.concurrency, True
        try:
            while self._waiting and (most is None or self._busy < most):
                self._busy += 1
                self._waiting.popleft().serve()
        finally:
            self._calling = False

    def _headers(self, now: float, path: str) -> Pairs:
        truth = self.capacity.headers
        if truth == "none":
            return ()
        pairs: list[tuple[str, str]] = []
        for name, bucket in self._buckets.items():
            limit, left = int(bucket.rate * 60), max(0, int(bucket.level(now)))
            reset = (bucket.room - bucket.level(now)) / bucket.rate
            if truth == "high":
                limit, left, reset = limit * 10, limit * 10, 0.0
            elif truth == "low":
                left, reset = 0, 60.0
            elif truth == "azure":
                limit, left, reset = -1, -1, 0.0
            pairs += _told(path, name, limit, left, reset)
        return tuple(pairs)


def _told(path: str, name: str, limit: int, left: int, reset: float) -> Pairs:
    """The headers of one limit as the wire of that path has them."""
    if path == "/messages":
        then = datetime.now(UTC) + timedelta(seconds=reset)
        start, end = f"anthropic-ratelimit-{name}-", then.strftime("%Y-%m-%dT%H:%M:%SZ")
        return ((start + "limit", str(limit)), (start + "remaining", str(left)), (start + "reset", end))
    start = "x-ratelimit-"
    return (
        (f"{start}limit-{name}", str(limit)),
        (f"{start}remaining-{name}", str(left)),
        (f"{start}reset-{name}", duration(reset)),
    )


def duration(seconds: float) -> str:
    """Seconds as OpenAI's headers write them: 12ms, 1.5s, 6m0s, 1h0m0s."""
    if seconds < 1:
        return f"{round(seconds * 1e3)}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{round(rest, 3):g}s"
    if hours:
        return f"{hours:.0f}h{minutes:.0f}m{text}"
    return f"{minutes:.0f}m{text}" if minutes else text

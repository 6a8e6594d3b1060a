"""Where models live: the limits that all models of one address and account share."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from assay.seat.limits import CONCURRENCY, Bucket, Limits
from assay.seat.pulse import Pulse


class Queue(Protocol):
    """Calls that wait for their turn."""

    def advance(self) -> None:
        """Lets go whoever may go now."""
        ...


class Quota:
    """What `limits` leave at a moment: slots, requests and tokens. Times are seconds of one clock.

    `parts` is how many processes have such limits, each its own part of the account's.
    """

    def __init__(self, limits: Limits = Limits(), parts: int = 1) -> None:
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        self._slots = limits.concurrency or CONCURRENCY
        self._requests = None if requests is None else Bucket(requests, parts)
        self._tokens = None if tokens is None else Bucket(tokens, parts)
        self.in_flight = 0

    @property
    def counts_tokens(self) -> bool:
        return self._tokens is not None

    def wait(self, tokens: float, now: float) -> float:
        """Seconds until a call of so many tokens may go, as far as is known; infinite for a slot."""
        if self.in_flight >= self._slots:
            return float("inf")
        wait = 0.0 if self._requests is None else self._requests.wait(1, now)
        return wait if self._tokens is None else max(wait, self._tokens.wait(tokens, now))

    def take(self, tokens: float, now: float) -> None:
        self.in_flight += 1
        if self._requests is not None:
            self._requests.take(1, now)
        self.count(tokens, now)

    def count(self, tokens: float, now: float) -> None:
        """Counts tokens that a call used beyond those that it took (fewer: a negative number)."""
        if self._tokens is not None:
            self._tokens.take(tokens, now)

    def leave(self) -> None:
        self.in_flight -= 1


class Endpoint:
    """One address and account. `pulse` tells whether the process was awake to hear its answers."""

    def __init__(self, name: str, limits: Limits = Limits(), parts: int = 1) -> None:
        self.name = name
        self.quota = Quota(limits, parts)
        self.pulse = Pulse()
        self._queues: deque[Queue] = deque()

    def join(self, queue: Queue) -> None:
        """A model's queue that waits for the endpoint's slots too."""
        self._queues.append(queue)

    def advance(self) -> None:
        """Gives every model's queue its turn, another one first each time."""
        for queue in tuple(self._queues):
            queue.advance()
        self._queues.rotate(-1)

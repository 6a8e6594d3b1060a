"""One model on one endpoint: every call to it passes here, first come, first served."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from functools import partial

from assay.errors import CallError, ErrorClass, StaleConnection, Stopped
from assay.message import Request, Usage
from assay.ports import Stop
from assay.seat.breaker import Breaker
from assay.seat.cubic import Cubic
from assay.seat.endpoint import Endpoint, Quota
from assay.seat.limits import CONCURRENCY, Guess, Limits
from assay.seat.turn import Turn, granted

_REFUSALS = frozenset({ErrorClass.RATE_LIMITED, ErrorClass.OVERLOADED})
_FULL = frozenset({429, 503, 529})
_STRAINING = _REFUSALS | {ErrorClass.CONNECT, ErrorClass.TIMEOUT}

PATIENCE = 10
"""Failures in a row that open the breaker of a run that is no load run."""

_NOW = 1e-6  # a timer may fire a little early, and a bucket lack the last bit of a unit


@dataclass(slots=True)
class Admission:
    """A call that has passed, as the nth in flight: the tokens it was counted for, and what its end
    will mean.
    """

    tokens: float
    nth: int = 0
    generation: int = 0
    probe: bool = False


class RetryBudget:
    """Further attempts at what strains a server: at most `share` of the requests made so far, and
    `least` in a small run. So an outage never multiplies the load.
    """

    def __init__(self, share: float = 0.2, least: int = 64) -> None:
        self._share = share
        self._least = least
        self._requests = self._retries = 0

    def request(self) -> None:
        """A request is made for the first time."""
        self._requests += 1

    def allows(self, failure: CallError) -> bool:
        """Whether it may be tried again, which is then counted."""
        if failure.error not in _STRAINING:
            return True
        if self._retries >= max(self._least, self._share * self._requests):
            return False
        self._retries += 1
        return True


class Lane:
    """The limits, breaker, adaptive concurrency and retry budget of one model on one endpoint.

    A call waits for its model's quota and its endpoint's, for the concurrency that refusals have
    shown to be right, while the server has asked for a pause, and while the breaker is open. In a
    load run (`load`) refusals are what is measured: there the quotas alone hold calls back, and the
    breaker opens for a refused account only. `hold` is the longest that calls are held for the
    server's sake, in seconds; beyond that they are stopped. `parts` processes have such a lane.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits = Limits(),
        *,
        hold: float = 300.0,
        load: bool = False,
        parts: int = 1,
    ) -> None:
        self.endpoint = endpoint
        self.breaker = Breaker(None if load else PATIENCE, hold)
        self.retries = RetryBudget()
        self._quota = Quota(limits, parts)
        self._hold = hold
        self._load = load
        self._window = Cubic(limits.concurrency or CONCURRENCY, cuts=bool(limits.adaptive))
        self._guess = Guess() if self._quota.counts_tokens or endpoint.quota.counts_tokens else None
        self._held_until = -math.inf
        self._waiting: deque[tuple[Admission, Turn]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        endpoint.join(self)

    async def enter(self, request: Request, stop: Stop) -> Admission:
        """Waits until a call may go. Raises Stopped if the run stops first, or the breaker stays open."""
        admission = Admission(self._guess.tokens(request) if self._guess else 0.0)
        now = asyncio.get_running_loop().time()
        if not self._waiting and self._delay(admission, now) == 0:
            self._admit(admission, now)
            return admission
        turn: Turn = asyncio.get_running_loop().create_future()
        self._waiting.append((admission, turn))
        self.advance()
        await granted(turn, stop, partial(self._withdrawn, admission))
        return admission

    def answered(self, admission: Admission, usage: Usage | None) -> None:
        """The call brought a reply."""
        now = asyncio.get_running_loop().time()
        self._left(admission, usage, now)
        self._window.accepted(now)
        if self.breaker.succeeded(probe=admission.probe):
            self._window.restart()
        self.endpoint.advance()

    def failed(self, admission: Admission, failure: CallError) -> None:
        """The call failed. While the server asks to wait, all calls wait."""
        if isinstance(failure, StaleConnection):  # says nothing of the server
            self.dropped(admission)
            return
        now = asyncio.get_running_loop().time()
        self._left(admission, failure.partial.usage, now)
        full = failure.status in _FULL or failure.error is ErrorClass.CONNECT
        if full and not admission.probe:
            self._window.refused(admission.generation, admission.nth, now)
        if self.parks(failure):
            self.breaker.park(failure, now + (failure.retry_after or 0.0), now)
        elif failure.error in _REFUSALS and failure.retry_after is not None and not self._load:
            self._held_until = max(self._held_until, now + failure.retry_after)
            self._window.held(self._held_until)
        if self.breaker.failed(failure, now, probe=admission.probe):
            self._window.restart()
        self.endpoint.advance()

    def dropped(self, admission: Admission) -> None:
        """The call was cancelled, or never sent."""
        self._left(admission, None, asyncio.get_running_loop().time())
        self.breaker.dropped(probe=admission.probe)
        self.endpoint.advance()

    def hear(self, why: str, since: float, until: float) -> None:
        """The breaker has opened in another process of the run."""
        self.breaker.hear(why, since, until)
        self.advance()

    def parks(self, failure: CallError) -> bool:
        """Whether the server asks for a longer wait than calls are held: it is left alone until then."""
        asked = failure.retry_after
        return not self._load and failure.error in _REFUSALS and asked is not None and asked > self._hold

    def advance(self) -> None:
        """Lets go those whose turn has come; wakes again when time alone lets the next one go."""
        now = asyncio.get_running_loop().time()
        while self._waiting:
            admission, turn = self._waiting[0]
            if not turn.done():
                try:
                    delay = self._delay(admission, now)
                except Stopped as stopped:
                    turn.set_exception(stopped)
                else:
                    if delay > 0:
                        self._wake_in(delay)
                        return
                    self._admit(admission, now)
                    turn.set_result(None)
            self._waiting.popleft()

    def _delay(self, admission: Admission, now: float) -> float:
        """Seconds until the call may go, as far as is known; infinite until another one ends."""
        delay = max(self.breaker.wait(now), self._held_until - now)
        if self._quota.in_flight >= self._window.limit:
            return math.inf
        for quota in (self._quota, self.endpoint.quota):
            delay = max(delay, quota.wait(admission.tokens, now))
        return delay if delay > _NOW else 0.0

    def _admit(self, admission: Admission, now: float) -> None:
        admission.generation = self._window.generation
        admission.probe = self.breaker.admit()
        self._quota.take(admission.tokens, now)
        admission.nth = self._quota.in_flight
        self.endpoint.quota.take(admission.tokens, now)

    def _left(self, admission: Admission, usage: Usage | None, now: float) -> None:
        beyond = 0.0
        if usage is not None and self._guess is not None:
            beyond = usage.input + usage.output - admission.tokens
            self._guess.learn(usage.output)
        for quota in (self._quota, self.endpoint.quota):
            quota.leave()
            if beyond:
                quota.count(beyond, now)

    def _withdrawn(self, admission: Admission, had_come: bool) -> None:
        if had_come:
            self.dropped(admission)
        else:
            self.advance()

    def _wake_in(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay < math.inf:
            self._timer = asyncio.get_running_loop().call_later(delay, self.advance)

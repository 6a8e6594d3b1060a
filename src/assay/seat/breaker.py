"""Stops the calls to one model on one endpoint while it cannot answer, and lets one through to see."""

from __future__ import annotations

import math

from assay.errors import CallError, ErrorClass, Stopped

_TRIPPING = frozenset({ErrorClass.CONNECT, ErrorClass.OVERLOADED})
_STILL_DOWN = _TRIPPING | {ErrorClass.TIMEOUT, ErrorClass.TRANSPORT}

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_STRANGER = 30.0
_BROKEN = 500


class Breaker:
    """Closed, it lets every call pass; open, none but probes.

    It opens

    - for good when the account is refused (key, quota, unknown model): no call can succeed;
    - until the time that the server names, when it asks for a longer wait than a trial is held;
    - after `patience` failures in a row to connect or be served. After a pause one call probes;
      each failed probe doubles the pause (1 to 30 s), anything that comes through closes it.

    While it is open calls wait, but none longer than `hold` seconds (30 for a model that has not
    answered once): then they are stopped, and a resumed run makes them. HTTP 500 counts for nothing,
    since it may be the request's doing. `patience` None never opens for failures: a load run keeps
    its load. Times are seconds of one clock.
    """

    def __init__(self, patience: int | None = 10, hold: float = 300.0) -> None:
        self._patience = math.inf if patience is None else patience
        self._hold = hold
        self._failures = 0
        self._why: str | None = None
        self._since = self._until = 0.0
        self._pause = _FIRST_PAUSE
        self._probing = False
        self._answered = False

    @property
    def open(self) -> str | None:
        """Why it is open; None while it is closed."""
        return self._why

    @property
    def opening(self) -> tuple[str, float, float] | None:
        """While it is open: why, since when calls are held, and until when."""
        return None if self._why is None else (self._why, self._since, self._until)

    def hear(self, why: str, since: float, until: float) -> None:
        """It has opened in another process of the run, and so it does here."""
        self._open(why, since, until)

    def wait(self, now: float) -> float:
        """Seconds until a call may pass: 0 for now, infinite while another one probes.

        Raises Stopped where that is longer than a trial is held.
        """
        if self._why is None:
            return 0.0
        if now >= self._until and not self._probing:
            return 0.0
        held = now - self._since
        hold = self._hold if self._answered else min(self._hold, _STRANGER)
        if self._until - now > self._hold or held > hold:
            raise Stopped("circuit")
        return math.inf if self._probing else self._until - now

    def admit(self) -> bool:
        """A call passes; says whether it is the probe."""
        self._probing = self._why is not None
        return self._probing

    def dropped(self, *, probe: bool) -> None:
        """A call that was admitted has ended without an answer of any kind."""
        self._probing = self._probing and not probe

    def succeeded(self, *, probe: bool) -> bool:
        """An answer came; says whether that has ended an outage: only a probe's can."""
        self._failures = 0
        self._answered = True
        if not probe:
            return False
        self._why, self._pause, self._probing = None, _FIRST_PAUSE, False
        return True

    def failed(self, failure: CallError, now: float, *, probe: bool) -> bool:
        """Counts a failure; says whether it has ended an outage (the server answers again)."""
        self.dropped(probe=probe)
        if failure.error is ErrorClass.DENIED:
            self._open(failure.detail, now, math.inf)
        elif probe and failure.error not in _STILL_DOWN:
            return self.succeeded(probe=True)
        elif probe:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._until = max(self._until, now + self._pause)
        elif failure.error in _TRIPPING:
            self._failures += self._why is None and failure.status != _BROKEN
            if self._failures >= self._patience and self._why is None:
                self._open(f"{self._failures} failures in a row, the last: {failure}", now, now + self._pause)
        elif failure.error not in _STILL_DOWN:
            self._failures = 0
        return False

    def park(self, failure: CallError, until: float, now: float) -> None:
        """Opens until the server wants to be asked again."""
        self._open(f"the server asks to wait {until - now:.0f} s: {failure}", until, until)

    def _open(self, why: str, since: float, until: float) -> None:
        """`since` is when calls begin to be held; one that wants them later wins."""
        if self._why is None or until > self._until:
            self._why, self._since, self._until = why, since, until

"""How many calls may be in flight at once, learnt from refusals: CUBIC, with calls in place of packets."""

from __future__ import annotations

_C = 0.4
_BETA = 0.7


class Cubic:
    """A window of calls in flight that never passes `ceiling`. It stands there until the first refusal.

    A refused call that was admitted as the nth in flight says that n - 1 fit: the window falls to
    0.7 of that and comes back as C (t - K)^3 + peak with K = cbrt((peak - window) / C), t seconds
    after it: fast at first, flat around the peak, then faster and faster beyond it (RFC 9438,
    sections 4.2 and 4.6, with its C = 0.4 and beta = 0.7). Beyond the peak the distance from it
    grows e-fold at most in the time of a call, from one call on, so that a long call does not make
    the step into the unknown a large one. After an outage the window starts at one and doubles until where
    it was (slow start). Without `cuts` refusals change nothing, only outages do. Times are seconds
    of one clock.
    """

    def __init__(self, ceiling: int, *, cuts: bool = True) -> None:
        self._ceiling = ceiling
        self._cuts = cuts
        self._window = self._peak = float(ceiling)
        self._slow_until = 0.0
        self._since = 0.0
        self._inflection = 0.0
        self.generation = 0

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return max(1, round(self._window))

    def accepted(self, now: float) -> None:
        """A call was answered: the window may grow."""
        if self._window >= self._ceiling:
            return
        if self._window < self._slow_until:
            self._window = min(self._window + 1, self._slow_until)
            if self._window == self._slow_until:
                self._begin(now, self._slow_until)
            return
        target = self._peak + _C * (now - self._since - self._inflection) ** 3
        beyond = self._window - self._peak
        step = 1.0 if beyond < 0 else max(1.0, beyond) / self._window
        self._window = min(self._window + max(0.0, min(step, target - self._window)), self._ceiling)

    def refused(self, generation: int, nth: int, now: float) -> None:
        """A call was refused that was admitted in `generation`, as the nth in flight.

        What was admitted before the last cut says nothing new.
        """
        if not self._cuts or generation < self.generation:
            return
        self.generation += 1
        peak = max(1.0, min(nth - 1.0, self._ceiling))
        self._slow_until = 0.0
        self._window = max(1.0, _BETA * peak)
        self._begin(now, peak)

    def held(self, until: float) -> None:
        """Nothing is admitted until then: the window does not grow by waiting."""
        self._since = max(self._since, until)

    def restart(self) -> None:
        """After an outage: from one call, doubling until where it was."""
        self.generation += 1
        self._slow_until = max(self._slow_until, self._window)
        self._window = 1.0

    def _begin(self, now: float, peak: float) -> None:
        self._peak, self._since = peak, now
        self._inflection = ((peak - self._window) / _C) ** (1 / 3) if peak > self._window else 0.0

"""Where models live: the limits and the breaker that all seats on one endpoint share."""

from __future__ import annotations

import asyncio

from assay.errors import CallError, ErrorClass, Stopped

_TRIPPING = frozenset({ErrorClass.CONNECT, ErrorClass.OVERLOADED})


class Endpoint:
    """One address and account. At most `concurrency` requests are under way at once.

    The breaker opens when the account is refused (key, quota, unknown model), since no further
    request can succeed, and after `patience` failures in a row to connect or be served. Open, it
    stops this endpoint's trials only.
    """

    def __init__(self, name: str, *, concurrency: int = 1024, patience: int = 50) -> None:
        self.name = name
        self.slots = asyncio.Semaphore(concurrency)
        self._patience = patience
        self._failures = 0
        self._open: str | None = None

    @property
    def open(self) -> str | None:
        """Why the breaker is open; None while it is closed."""
        return self._open

    def check(self) -> None:
        """Raises Stopped where the breaker is open."""
        if self._open is not None:
            raise Stopped("circuit")

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, failure: CallError) -> None:
        """Counts a failure; opens the breaker when it is due."""
        if failure.error is ErrorClass.DENIED:
            self._open = failure.detail
        elif failure.error in _TRIPPING:
            self._failures += 1
            if self._failures >= self._patience:
                self._open = f"{self._failures} failures in a row, the last: {failure}"

"""Where models live: the limits that all seats on one endpoint share, and a breaker for each model."""

from __future__ import annotations

import asyncio

from assay.errors import CallError, ErrorClass, Stopped

_TRIPPING = frozenset({ErrorClass.CONNECT, ErrorClass.OVERLOADED})


class Endpoint:
    """One address and account; at most `concurrency` requests are under way at once."""

    def __init__(self, name: str, *, concurrency: int = 1024) -> None:
        self.name = name
        self.slots = asyncio.Semaphore(concurrency)


class Breaker:
    """Stops the trials of one model on one endpoint, while others go on.

    It opens when the account is refused (key, quota, unknown model), since no further request can
    succeed, and after `patience` failures in a row to connect or be served.
    """

    def __init__(self, patience: int = 50) -> None:
        self._patience = patience
        self._failures = 0
        self._open: str | None = None

    @property
    def open(self) -> str | None:
        """Why it is open; None while it is closed."""
        return self._open

    def check(self) -> None:
        """Raises Stopped where it is open."""
        if self._open is not None:
            raise Stopped("circuit")

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, failure: CallError) -> None:
        """Counts a failure; opens when it is due."""
        if failure.error is ErrorClass.DENIED:
            self._open = failure.detail
        elif failure.error in _TRIPPING:
            self._failures += 1
            if self._failures >= self._patience:
                self._open = f"{self._failures} failures in a row, the last: {failure}"

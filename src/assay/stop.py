"""The signal that ends a run, at once or when what is in play has ended."""

from __future__ import annotations

import asyncio

from assay.errors import StopReason


class Stop:
    """The signal that ends a run: told by the budget, Ctrl-C or a decided comparison.

    `reason` stops every trial at its next call; `closing` lets no further one start, which may be
    told before, so that those in play can end.
    """

    def __init__(self) -> None:
        self._reason: StopReason | None = None
        self._closing: StopReason | None = None
        self._told = asyncio.Event()

    @property
    def reason(self) -> StopReason | None:
        return self._reason

    @property
    def closing(self) -> StopReason | None:
        return self._closing

    def soon(self, reason: StopReason) -> None:
        """Lets no further trial start."""
        self._closing = self._closing or reason

    def now(self, reason: StopReason) -> None:
        """Stops; the first reason stays. Call it from the loop's own thread."""
        if self._reason is None:
            self._reason, self._closing = reason, self._closing or reason
            self._told.set()

    async def wait(self, seconds: float) -> bool:
        """Waits that long, or until the run is told to stop; says whether it was."""
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            pass
        return self._reason is not None

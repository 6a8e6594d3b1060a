"""What a run may spend: the worst case is set aside before a call, what it cost is booked after."""

from __future__ import annotations

import asyncio
from collections import deque
from decimal import Decimal
from functools import partial

from assay.errors import Stopped
from assay.ports import Stop
from assay.seat.turn import Turn, granted


class Budget:
    """Dollars. `limit` None only counts. `spent` starts at what the run has already cost.

    What has been spent and what is set aside never pass the limit together.
    """

    def __init__(self, limit: Decimal | None = None, spent: Decimal = Decimal(0)) -> None:
        self.limit = limit
        self.spent = spent
        self._set_aside = Decimal(0)
        self._waiting: deque[tuple[Decimal, Turn]] = deque()

    async def set_aside(self, worst: Decimal | None, stop: Stop) -> Decimal:
        """Sets aside the worst case of a call and returns it.

        Calls in flight mostly cost less than their worst case: one that does not fit beside them
        waits, in its turn, until they are booked. Where it would not fit even if they cost nothing,
        the run is told to stop. Raises Stopped then, and where the run is stopped meanwhile. With a
        limit, a call whose worst case is unknown cannot be admitted.
        """
        if self.limit is None:
            return Decimal(0)
        if worst is None or self.spent + worst > self.limit:
            stop.now("budget")
            raise Stopped("budget")
        if not self._waiting and self._fits(worst):
            self._set_aside += worst
            return worst
        turn: Turn = asyncio.get_running_loop().create_future()
        self._waiting.append((worst, turn))
        try:
            await granted(turn, stop, partial(self._withdrawn, worst))
        except Stopped as stopped:
            stop.now(stopped.reason)
            raise
        return worst

    def book(self, set_aside: Decimal, cost: Decimal | None) -> None:
        """Gives back what was set aside and books the cost; an unknown cost books the worst case."""
        self._set_aside -= set_aside
        self.spent += set_aside if cost is None else cost
        self._advance()

    def _fits(self, worst: Decimal) -> bool:
        return self.limit is None or self.spent + self._set_aside + worst <= self.limit

    def _withdrawn(self, worst: Decimal, had_come: bool) -> None:
        if had_come:
            self._set_aside -= worst
        self._advance()

    def _advance(self) -> None:
        """Admits those who fit, first come, first served, and refuses those who never will."""
        while self._waiting:
            worst, turn = self._waiting[0]
            if not turn.done():
                if self.limit is not None and self.spent + worst > self.limit:
                    turn.set_exception(Stopped("budget"))
                elif not self._fits(worst):
                    return
                else:
                    self._set_aside += worst
                    turn.set_result(None)
            self._waiting.popleft()

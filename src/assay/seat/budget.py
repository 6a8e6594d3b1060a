"""What a run may spend: the worst case is set aside before a call, what it cost is booked after."""

from __future__ import annotations

from decimal import Decimal

from assay.errors import Stopped, StopReason


class Budget:
    """Dollars. `limit` None only counts. `spent` starts at what the run has already cost."""

    def __init__(self, limit: Decimal | None = None, spent: Decimal = Decimal(0)) -> None:
        self.limit = limit
        self.spent = spent
        self._set_aside = Decimal(0)

    def set_aside(self, worst: Decimal | None) -> Decimal:
        """Sets aside the worst case of a call; raises Stopped where that would pass the limit.

        With a limit, a call whose worst case is unknown cannot be admitted.
        """
        if self.limit is None:
            return Decimal(0)
        reason: StopReason = "budget"
        if worst is None or self.spent + self._set_aside + worst > self.limit:
            raise Stopped(reason)
        self._set_aside += worst
        return worst

    def book(self, set_aside: Decimal, cost: Decimal | None) -> None:
        """Gives back what was set aside and books the cost; an unknown cost books the worst case."""
        self._set_aside -= set_aside
        self.spent += set_aside if cost is None else cost

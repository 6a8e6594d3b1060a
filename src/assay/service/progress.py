"""How far a batch has come: counted as its conversations end, taken up from the record after a restart."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from msgspec import Struct

from assay.ports import Run
from assay.store.figures import Ended, Spending
from assay.store.results import State, state_of
from assay.trial import Call, Event, Status, Trial


class Figures(Struct, frozen=True):
    """What is kept of a batch that has ended: trials by status, scenarios by state, dollars, tokens."""

    statuses: dict[str, int]
    scenarios: dict[str, int]
    cost: Decimal | None
    tokens: int
    rate_per_min: float | None


class Progress:
    """A watcher that counts; `trouble` is why the last conversation that failed did.

    `a_case` is how many trials a scenario has that is played once, and `own`
    how often those are played that are played more than once, by their ids.
    """

    def __init__(
        self,
        a_case: int,
        ended: Iterable[Ended] = (),
        spent: Iterable[Spending] = (),
        own: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.statuses: Counter[str] = Counter()
        self.scenarios: Counter[str] = Counter()
        self.tokens = 0
        self.trouble: str | None = None
        self._a_case = a_case
        self._own = own
        self._open: dict[str, Counter[State]] = {}
        self._cost = Decimal(0)
        self._priced = self._calls = 0
        self._fresh = 0
        self._began = time.monotonic()
        for each in ended:
            self._count(each.case, each.status, each.trials)
        for each_spent in spent:
            self.tokens += each_spent.input + each_spent.output
            self._cost += each_spent.cost
            self._calls += each_spent.requests
            self._priced += each_spent.requests - each_spent.unpriced - each_spent.unknown

    @property
    def ended(self) -> int:
        """Conversations that have their end."""
        return self.statuses.total()

    @property
    def cost(self) -> Decimal | None:
        """Dollars of the calls whose price is known; None where that is none of them."""
        return self._cost if self._priced or not self._calls else None

    @property
    def rate_per_min(self) -> float | None:
        """Conversations that ended a minute, since this process began with the batch."""
        seconds = time.monotonic() - self._began
        return round(self._fresh / seconds * 60, 2) if self._fresh else None

    @property
    def figures(self) -> Figures:
        """What is kept of it."""
        return Figures(dict(self.statuses), dict(self.scenarios), self.cost, self.tokens, self.rate_per_min)

    def close_open(self) -> None:
        """Counts scenarios by the repeats that were played, where no more will be."""
        for case, held in list(self._open.items()):
            self._scenario(case, held)

    def on_start(self, run: Run, held: int) -> None: ...

    def on_event(self, trial: str, event: Event) -> None: ...

    def on_call(self, call: Call) -> None:
        if call.origin != "live":
            return
        self._calls += 1
        if call.cost is not None:
            self._priced += 1
            self._cost += call.cost
        usage = call.reply.usage
        self.tokens += usage.input + usage.output if usage is not None else 0

    def on_trial(self, trial: Trial) -> None:
        if trial.status is not Status.PLAYED and trial.status is not Status.NOT_RUN:
            self._fresh += 1
        if trial.status in (Status.FAILED, Status.INVALID):
            self.trouble = _trouble(trial)
        self._count(trial.case.id, trial.status, 1)

    def on_end(self, run: Run) -> None: ...

    def _count(self, case: str, status: Status, trials: int) -> None:
        if status in (Status.PLAYED, Status.NOT_RUN):
            return
        self.statuses[status.value] += trials
        held = self._open.setdefault(case, Counter())
        held[state_of(status)] += trials
        if held.total() >= self._a_case * self._own.get(case, 1):
            self._scenario(case, held)

    def _scenario(self, case: str, held: Counter[State]) -> None:
        states: tuple[State, ...] = ("failed", "completed", "skipped")
        self.scenarios[next(state for state in states if held[state])] += 1
        del self._open[case]


def _trouble(trial: Trial) -> str:
    """Why a conversation failed. What an outside party answered is not repeated, but for its status."""
    outcome = trial.transcript.outcome
    reason = f"{outcome.reason}: {outcome.detail}" if outcome.reason == "webhook_error" else outcome.reason
    return f"{trial.case.name[:80]}: {trial.detail} ({reason[:200]})"

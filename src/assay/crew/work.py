"""Which trials are still to be handed out, who has which, and which of them kill their workers."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from assay.trial import Phase

TRIES = 3
"""Deaths of its worker after which a trial is played no more."""


class Item(NamedTuple):
    """A trial by its place in the plan, and the second at which it is due."""

    position: int
    due: float


class Work:
    """Hands out `arrivals` in their order, each to one worker at a time.

    What a worker had when it died is handed out again. A trial that was in play at two deaths is
    played by a worker that has nothing else, so that a third one is surely its doing. `phase` tells
    the phase of a trial that is handed out now and due at a second: a run by duration ends as soon
    as no trial of its window is in play any more.
    """

    def __init__(self, arrivals: Iterator[Item], phase: Callable[[float], Phase], tries: int = TRIES) -> None:
        self._arrivals = arrivals
        self._phase = phase
        self._tries = tries
        self._exhausted = False
        self._again: deque[Item] = deque()
        self._alone: deque[Item] = deque()
        self._lonely: set[int] = set()
        self._handed: defaultdict[int, dict[int, Item]] = defaultdict(dict)
        self._begun: defaultdict[int, set[int]] = defaultdict(set)
        self._counted: set[int] = set()
        self._deaths: Counter[int] = Counter()

    @property
    def done(self) -> bool:
        """Whether every trial has ended, or no more is to be played."""
        return self._exhausted and not (self._again or self._alone or any(self._handed.values()))

    def again(self, position: int) -> bool:
        """Whether the trial has been handed out before."""
        return position in self._deaths

    def take(self, worker: int) -> Item | None:
        """The next trial for a worker; None where there is none for it now."""
        mine = self._handed[worker]
        if self._lonely & mine.keys():
            return None
        item: Item | None
        if self._alone and not mine:
            item = alone = self._alone.popleft()
            self._lonely.add(alone.position)
        else:
            item = self._again.popleft() if self._again else self._next()
        if item is not None:
            mine[item.position] = item
        return item

    def began(self, worker: int, position: int) -> None:
        """The trial is in play."""
        self._begun[worker].add(position)

    def ended(self, worker: int, position: int) -> None:
        """The trial has its end."""
        self._handed[worker].pop(position, None)
        self._begun[worker].discard(position)
        self._lonely.discard(position)
        self._counted.discard(position)

    def lost(self, worker: int) -> list[int]:
        """The worker has died. Gives the trials that are to be played no more, as it was their doing."""
        handed, begun = self._handed.pop(worker, {}), self._begun.pop(worker, set())
        given_up: list[int] = []
        for item in sorted(handed.values(), reverse=True):
            position = item.position
            self._lonely.discard(position)
            self._deaths[position] += position in begun
            if position in begun and len(begun) == 1 and self._deaths[position] >= self._tries:
                self._counted.discard(position)
                given_up.append(position)
            elif position in begun and self._deaths[position] >= self._tries - 1:
                self._alone.appendleft(item)
            else:
                self._again.appendleft(item)
        return given_up

    def _next(self) -> Item | None:
        if self._exhausted:
            return None
        item = next(self._arrivals, None)
        if item is None:
            self._exhausted = True
            return None
        phase = self._phase(item.due)
        if phase == "window":
            self._counted.add(item.position)
        elif phase == "tail" and not self._counted:
            self._exhausted = True
            self._again.clear()
            self._handed.clear()
            return None
        return item

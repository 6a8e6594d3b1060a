"""When trials start. Pure: every instant is drawn from the seed before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat
from typing import Protocol

from msgspec import Struct

from assay.keys import random_stream


class Schedule(Protocol):
    """`slots` trials at most are in play at once; `dues` gives start times, seconds from zero."""

    @property
    def slots(self) -> int: ...

    @property
    def open(self) -> bool:
        """Whether arrivals come at their own times rather than when a slot is free."""
        ...

    def dues(self) -> Iterator[float]: ...


class Closed(Struct, frozen=True, tag="closed", tag_field="kind", forbid_unknown_fields=True):
    """A closed loop: the next trial starts when a slot is free."""

    slots: int = 64

    @property
    def open(self) -> bool:
        return False

    def dues(self) -> Iterator[float]:
        return repeat(0.0)


class Constant(Struct, frozen=True, tag="constant", tag_field="kind", forbid_unknown_fields=True):
    """One arrival every 1 / rate seconds; `rate` in arrivals a second."""

    rate: float
    slots: int = 4096

    @property
    def open(self) -> bool:
        return True

    def dues(self) -> Iterator[float]:
        return (n / self.rate for n in count())


class Poisson(Struct, frozen=True, tag="poisson", tag_field="kind", forbid_unknown_fields=True):
    """Independent arrivals: exponential gaps with mean 1 / rate seconds, drawn from `seed`."""

    rate: float
    slots: int = 4096
    seed: int = 0

    @property
    def open(self) -> bool:
        return True

    def dues(self) -> Iterator[float]:
        draw, at = random_stream(self.seed, "schedule", "poisson"), 0.0
        while True:
            at += draw.expovariate(self.rate)
            yield at


AnySchedule = Closed | Constant | Poisson
"""Every schedule that a plan can name by its `kind`."""

"""The table of one trial: its seats, random streams, working clock and effects."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from random import Random

from msgspec import structs

from assay.errors import CallError, ErrorClass
from assay.keys import JSON, random_stream
from assay.ports import Effect, Seat
from assay.seat.place import Place
from assay.seat.play import Play
from assay.seat.seat import TrialSeat
from assay.trial import Call, Event


class TrialTable:
    """Implements `ports.Table` for one play.

    The first place, the one under test, sends the trial's own seed; each other role sends one of
    its own, so that two models of one conversation never draw alike.
    """

    def __init__(self, play: Play, seed: int, places: Sequence[Place], repeat: int = 0) -> None:
        self._play = play
        self.seed = seed
        self.repeat = repeat
        self.seats: Mapping[str, Seat] = {
            place.role: TrialSeat(place, play, seed if not n else self._own_seed(place.role))
            for n, place in enumerate(places)
        }

    def _own_seed(self, role: str) -> int:
        return self.random(f"seed.{role}").getrandbits(31)

    @property
    def run(self) -> str:
        return self._play.run

    @property
    def trial(self) -> str:
        return self._play.trial

    @property
    def stopping(self) -> bool:
        return self._play.stop.reason is not None

    @property
    def spent(self) -> Decimal:
        return self._play.spent

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every attempt of this play, replayed ones too, in order."""
        return tuple(self._play.calls)

    def random(self, name: str) -> Random:
        return random_stream(self.seed, name)

    def unguessable(self, name: str) -> Random:
        return random_stream(int(self._play.store.secret, 16), self.trial, name)

    def clock(self) -> float:
        return self._play.clock()

    def emit(self, event: Event) -> None:
        for watcher in self._play.watchers:
            watcher.on_event(self.trial, event)

    async def effect(self, name: str, key: str, act: Callable[[], Awaitable[JSON]]) -> JSON:
        """Raises CallError where the act failed, also when that failure is replayed."""
        held = self._play.record.effect(name, key)
        if held is not None:
            return _result(held)
        self._play.check()
        effect = Effect(self.run, self.trial, name, key)
        began = time.monotonic_ns()
        await self._play.store.reserve_effect(effect)
        try:
            settled = structs.replace(effect, settled=True, result=await act())
        except CallError as failure:
            settled = structs.replace(effect, settled=True, error=f"{failure.error}: {failure.detail}")
        self._play.waited(time.monotonic_ns() - began)
        self._play.store.settle_effect(settled)
        return _result(settled)


def _result(effect: Effect) -> JSON:
    if effect.error is None:
        return effect.result
    error, _, detail = effect.error.partition(": ")
    raise CallError(ErrorClass(error), detail)

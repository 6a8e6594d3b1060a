"""What the store already holds of a trial: replies to replay, attempts to count on from, effects."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import msgspec

from assay.message import Request
from assay.ports import Effect, Held
from assay.trial import Call, CallState

_ENCODER = msgspec.json.Encoder(order="deterministic")


def request_hash(model: str, request: Request) -> str:
    """32 hex digits over what is asked of which model.

    The case reference is left out since it is never sent, and streaming since it changes no answer.
    """
    asked = msgspec.structs.replace(request, case=None, stream=False)
    return hashlib.blake2b(model.encode() + b"\0" + _ENCODER.encode(asked), digest_size=16).hexdigest()


class Record:
    """The replayable part of what is held of one play key.

    A settled success is found by (role, request hash, occurrence); failed and unknown attempts are
    only counted, so that numbering goes on.
    """

    def __init__(self, held: Held) -> None:
        self._done: dict[tuple[str, str, int], Call] = {}
        self._tried: dict[tuple[str, int], int] = defaultdict(int)
        self._effects = {(e.name, e.key): e for e in held.effects if e.settled}
        for call in held.calls:
            slot = (call.role, call.ordinal)
            self._tried[slot] = max(self._tried[slot], call.attempt)
            if call.state is CallState.DONE:
                self._done.setdefault((call.role, call.request_hash, call.occurrence), call)

    def success(self, role: str, asked: str, occurrence: int) -> Call | None:
        """The settled success of the nth time that this role asked just this."""
        return self._done.get((role, asked, occurrence))

    def tried(self, role: str, ordinal: int) -> int:
        """How many attempts are recorded at this request of the role."""
        return self._tried.get((role, ordinal), 0)

    def effect(self, name: str, key: str) -> Effect | None:
        return self._effects.get((name, key))

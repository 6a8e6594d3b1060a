"""What a model or an endpoint may be asked for in a minute and at once, and the bucket that holds to it."""

from __future__ import annotations

import math

from msgspec import Struct

from assay.message import Request

CONCURRENCY = 1024
"""Calls in flight at once where nothing else is said."""

_SAVED = 0.25
_CHARACTERS_A_TOKEN = 4
_TOKENS_A_MESSAGE = 4
_FIRST_GUESS = 256.0


class Limits(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The limits of an account at its provider; None means none.

    `tokens_per_minute` counts prompts and replies. `adaptive` says whether refusals (429, 5xx)
    lower the number of calls in flight. It is for servers that refuse when they are full: where a
    few percent are refused at random, it would hold the number near ten. None means no.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int | None = None
    adaptive: bool | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a limit that is not above 0."""
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
            given = getattr(self, name)
            if given is not None and not 0 < given < math.inf:
                raise ValueError(f"{name} is {given:g}: give a number above 0")


class Bucket:
    """A token bucket: `per_minute` units flow in evenly, and those of a quarter of a second (or one
    unit) at most wait in it, so that no window of the provider's sees more than its share.

    What asks for more than it ever holds goes when it is full, and leaves a debt. Times are
    seconds of one clock. Where `parts` processes have an equal part of a limit each, a part may save
    as much as the whole would: a small bucket under two limits at once loses a tenth of both.
    """

    def __init__(self, per_minute: float, parts: int = 1) -> None:
        self._rate = per_minute / 60
        self._room = max(self._rate * parts * _SAVED, 1.0)
        self._level = self._room
        self._at = 0.0

    def wait(self, units: float, now: float) -> float:
        """Seconds until so many units are there; 0 if they are."""
        self._fill(now)
        return max(0.0, (min(units, self._room) - self._level) / self._rate)

    def take(self, units: float, now: float) -> None:
        """Takes them; a negative number gives back."""
        self._fill(now)
        self._level = min(self._level - units, self._room)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._level + (now - self._at) * self._rate, self._room)
            self._at = now


class Guess:
    """How many tokens a call will count for, before it is sent: four characters of prompt a token,
    and max_tokens, or else what replies have lately been.
    """

    def __init__(self) -> None:
        self._output = _FIRST_GUESS

    def tokens(self, request: Request) -> float:
        prompt = sum(
            len(message.text) / _CHARACTERS_A_TOKEN + _TOKENS_A_MESSAGE for message in request.messages
        )
        limit = request.sampling.max_tokens
        return prompt + (self._output if limit is None else limit)

    def learn(self, output: int) -> None:
        self._output += (output - self._output) / 16

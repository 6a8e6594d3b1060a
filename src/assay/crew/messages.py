"""What a run's first process and its workers say to each other, as frames of MessagePack."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

import msgspec
from msgspec import Struct

from assay.errors import StopReason
from assay.keys import JSON
from assay.message import Arrivals
from assay.plan import Plan
from assay.ports import Run
from assay.store.arrivals import pack, unpack
from assay.store.joined import Membership
from assay.trial import Call, Event, Trial


class Welcome(Struct, frozen=True, tag=1, array_like=True):
    """What a worker is: its share of the plan, its place in the record, and what it needs to bind them.

    `watched` says whether somebody listens to the run; `path` is where Python finds modules; `workers`
    is how many there are.
    """

    plan: Plan
    run: Run
    membership: Membership
    environment: dict[str, str]
    path: list[str]
    emulator: str | None
    workers: int
    budgeted: bool
    watched: bool


class Begin(Struct, frozen=True, tag=2, array_like=True):
    """All workers are there: second 0 of the run by the monotonic clock, which they share."""

    zero: float


class Play(Struct, frozen=True, tag=3, array_like=True):
    """A trial to be played; `again` where another worker may have recorded some of it."""

    position: int
    due: float
    again: bool


class NoMore(Struct, frozen=True, tag=4, array_like=True):
    """Nothing is left to be handed out."""


class Kept(Struct, frozen=True, tag=5, array_like=True):
    """The rows of these numbers are committed."""

    numbers: list[int]


class Refused(Struct, frozen=True, tag=6, array_like=True):
    """The rows of that number were not kept."""

    number: int
    text: str


class Granted(Struct, frozen=True, tag=7, array_like=True):
    """The dollars that were asked for are set aside, or `refused` says why they are not."""

    ticket: int
    refused: StopReason | None


class Halt(Struct, frozen=True, tag=8, array_like=True):
    """No further trial starts, and `at_once` no further call either."""

    reason: StopReason
    at_once: bool


class Opened(Struct, frozen=True, tag=12, array_like=True):
    """The breaker of a model on an endpoint has opened in one process; so it does in the others.

    The times are of the monotonic clock.
    """

    endpoint: str
    model: str
    why: str
    since: float
    until: float


Told: TypeAlias = Welcome | Begin | Play | NoMore | Kept | Refused | Granted | Halt | Opened


class Ready(Struct, frozen=True, tag=1, array_like=True):
    """The worker's plan is bound."""


class Want(Struct, frozen=True, tag=2, array_like=True):
    """The worker can take so many more trials."""

    count: int


class Began(Struct, frozen=True, tag=3, array_like=True):
    """A trial is in play."""

    position: int


class Ended(Struct, frozen=True, tag=4, array_like=True):
    """A trial has its end, on record; `not_run` says why it is not."""

    position: int
    not_run: str


class Rows(Struct, frozen=True, tag=5, array_like=True):
    """Rows by table, to be committed together. They are numbered as they come, from 1."""

    tables: Sequence[tuple[str, Sequence[tuple[JSON, ...]]]]


class SetAside(Struct, frozen=True, tag=6, array_like=True):
    """The worst case of a call is to be set aside; None where it cannot be told."""

    ticket: int
    worst: Decimal | None


class Book(Struct, frozen=True, tag=7, array_like=True):
    """What was set aside is given back, and the cost booked; None where it is not known."""

    set_aside: Decimal
    cost: Decimal | None


class Heard(Struct, frozen=True, tag=8, array_like=True):
    """What the run's watchers are told."""

    call: Call | None = None
    trial: Trial | None = None
    key: str = ""
    event: Event | None = None


class Alive(Struct, frozen=True, tag=9, array_like=True):
    """The worker's event loop turns."""


class Broken(Struct, frozen=True, tag=10, array_like=True):
    """The run cannot go on: the error's kind and text, and what a person can do."""

    kind: str
    text: str
    fix: str


class Finished(Struct, frozen=True, tag=11, array_like=True):
    """The worker has nothing in play and takes no more."""


Said: TypeAlias = (
    Ready | Want | Began | Ended | Rows | SetAside | Book | Heard | Alive | Broken | Finished | Opened
)


def _as_bytes(value: object) -> bytes:
    if isinstance(value, Arrivals):
        return pack(value)
    raise NotImplementedError(type(value).__name__)


def _from_bytes(kind: type, raw: object) -> object:
    if kind is Arrivals and isinstance(raw, bytes):
        return unpack(raw)
    raise NotImplementedError(kind.__name__)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_as_bytes)
told_of = msgspec.msgpack.Decoder(Told, dec_hook=_from_bytes).decode
said_of = msgspec.msgpack.Decoder(Said, dec_hook=_from_bytes).decode


def frame(message: Told | Said) -> bytes:
    """The message with its length before it.

    Raises UnicodeEncodeError or OverflowError for a lone surrogate or a number beyond 64 bits.
    """
    raw = _ENCODER.encode(message)
    return len(raw).to_bytes(4, "little") + raw

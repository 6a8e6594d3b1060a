"""Why strict replay finds no reply: the first thing in which a request is not the recorded one."""

from __future__ import annotations

from collections.abc import Iterable

from assay.errors import ReplayMiss
from assay.message import Message, Request
from assay.ports import Store, Where
from assay.trial import Call, CallState

SHOWN = 120
"""Characters of a message that are shown, around the first difference."""


class Elsewhere:
    """What other plays of a case hold of one role's nth request, whatever their key.

    A changed prompt of one role makes another key, and leaves the first requests of the others as
    they were: those are replayed, and the first one that differs is named.
    """

    def __init__(self, store: Store, case: str, role: str, ordinal: int) -> None:
        self._what = f"the record holds no reply to request {ordinal} of the {role}"
        self._held = [
            call
            for trial in store.trials(Where(case=case))
            for call in trial.calls
            if (call.role, call.ordinal) == (role, ordinal)
        ]

    def success(self, asked: str) -> Call | None:
        """The newest settled success of just this request."""
        done = (call for call in reversed(self._held) if call.state is CallState.DONE)
        return next((call for call in done if call.request_hash == asked), None)

    def miss(self, request: Request) -> ReplayMiss:
        """The error that names what differs from the newest recorded request (of this seed, if any)."""
        if not self._held:
            return ReplayMiss(f"{self._what}: no recorded play of this case came so far")
        seeded = [call for call in self._held if call.request.sampling.seed == request.sampling.seed]
        return ReplayMiss(f"{self._what}: {difference((seeded or self._held)[-1].request, request)}")


def difference(held: Request, request: Request) -> str:
    """The first message that differs, else the part of the request that does."""
    for number, (old, new) in enumerate(zip(held.messages, request.messages, strict=False), 1):
        if old != new:
            return f"message {number} ({new.role}) differs: {_apart(old, new)}"
    if len(held.messages) != len(request.messages):
        return f"it has {len(request.messages)} messages, the recorded one has {len(held.messages)}"
    parts = _parts(held, request)
    return f"{', '.join(parts)} differ" if parts else "the model differs"


def _parts(held: Request, request: Request) -> list[str]:
    names = ("tools", "tool_choice", "format", "schema", "sampling")
    return [name for name in names if getattr(held, name) != getattr(request, name)]


def _apart(old: Message, new: Message) -> str:
    if old.role != new.role:
        return f"recorded as {old.role}"
    at = _first_difference(old.text, new.text)
    if at is None:
        return "its tool calls"
    start = max(0, at - SHOWN // 3)
    return f"recorded {_excerpt(old.text, start)}, now {_excerpt(new.text, start)}"


def _first_difference(old: str, new: str) -> int | None:
    if old == new:
        return None
    pairs: Iterable[tuple[str, str]] = zip(old, new, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))


def _excerpt(text: str, start: int) -> str:
    shown = text[start : start + SHOWN]
    before = "…" if start else ""
    after = "…" if start + SHOWN < len(text) else ""
    return repr(f"{before}{shown}{after}")

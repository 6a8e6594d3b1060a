"""Why strict replay finds no reply: the first thing in which a request is not the recorded one."""

from __future__ import annotations

from collections.abc import Iterable

from assay.errors import ReplayMiss
from assay.message import Message, Request
from assay.ports import Store, Where
from assay.trial import Call

SHOWN = 120
"""Characters of a message that are shown, around the first difference."""


def replay_miss(store: Store, case: str, role: str, ordinal: int, request: Request) -> ReplayMiss:
    """The error for a request that the record does not hold.

    It is held against what this role was asked at the same place of the newest recorded play of the
    case, whatever its key: a changed prompt makes another key.
    """
    what = f"the record holds no reply to request {ordinal} of the {role}"
    held = _recorded(store, case, role, ordinal)
    if held is None:
        return ReplayMiss(f"{what}: this case has no recorded request there")
    return ReplayMiss(f"{what}: {difference(held.request, request)}")


def _recorded(store: Store, case: str, role: str, ordinal: int) -> Call | None:
    newest = None
    for trial in store.trials(Where(case=case)):
        found = [call for call in trial.calls if call.role == role and call.ordinal == ordinal]
        newest = found[-1] if found else newest
    return newest


def difference(held: Request, request: Request) -> str:
    """The first message that differs, else the part of the request that does."""
    for number, (old, new) in enumerate(zip(held.messages, request.messages, strict=False), 1):
        if old != new:
            return f"message {number} ({new.role}) differs: {_apart(old, new)}"
    if len(held.messages) != len(request.messages):
        return f"it has {len(request.messages)} messages, the recorded one has {len(held.messages)}"
    parts = _parts(held, request)
    return f"{', '.join(parts)} differ" if parts else "the messages are the same: model or seed differ"


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

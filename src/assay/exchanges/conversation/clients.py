"""The customer's side of a conversation: the rules of the agenda, a script, or a recorded run.

A client model is in `client_model.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, Protocol

from msgspec import Struct

from assay.agenda import Brief, Line, Reason, next_move
from assay.errors import UsageError
from assay.exchanges.conversation.loops import Spoken, normalised
from assay.exchanges.conversation.settings import ScriptLine

Flaw = Literal[
    "malformed", "empty", "reasoning_leak", "role_flip", "goal_leak", "ungrounded_fact", "unknown_revealed"
]
"""Why a line of a client model is asked for once more."""


class Said(Struct, frozen=True):
    """What a client says; with a `reason` it hangs up. `malformed` says that no line can be read in it.

    `diverged` is the turn from which the agent's lines are no more those of the recorded run.
    """

    text: str
    reason: Reason | None = None
    call: str | None = None
    malformed: bool = False
    diverged: int | None = None


class Client(Protocol):
    """Answers the spoken lines so far; never sees a tool call."""

    @property
    def errs(self) -> bool:
        """Whether its lines can be at fault: a model's, which may be asked for another one."""
        ...

    async def answer(self, lines: Sequence[Spoken], flaws: Sequence[Flaw]) -> Said:
        """`flaws` says why the answers before this one could not be used."""
        ...


class RulesClient:
    """The agenda: needs no model."""

    errs = False

    def __init__(self, brief: Brief, seed: int) -> None:
        self._brief = brief
        self._seed = seed

    async def answer(self, lines: Sequence[Spoken], flaws: Sequence[Flaw]) -> Said:
        del flaws
        move = next_move(self._brief, [Line(line.side, line.text) for line in lines], self._seed)
        return Said(move.say, move.reason)


class ScriptedClient:
    """Says its lines in order, and hangs up with the last.

    A line whose `when` does not hold gives way to its `else`, or is passed over where it has none.
    """

    errs = False

    def __init__(self, script: Sequence[str | ScriptLine]) -> None:
        self._script = [ScriptLine(line) if isinstance(line, str) else line for line in script]
        self._next = 0

    async def answer(self, lines: Sequence[Spoken], flaws: Sequence[Flaw]) -> Said:
        del flaws
        heard = _since_own_line(lines)
        while self._next < len(self._script):
            line = self._script[self._next]
            self._next += 1
            text = line.say if holds(line, heard) else line.otherwise
            if text is not None:
                return Said(text, line.hang_up or ("goal_done" if self._next == len(self._script) else None))
        return Said("", "gave_up")


def holds(line: ScriptLine, heard: Sequence[Spoken]) -> bool:
    """Whether a line of a script may be said: no condition, or one that the agent's last turn meets."""
    if line.when is None:
        return True
    if isinstance(line.when, str):
        pattern = compiled(line.when)
        return any(pattern.search(spoken.text) is not None for spoken in heard)
    return any(line.when.tool in spoken.tools for spoken in heard)


class Find(Protocol):
    """A compiled pattern, as far as a script needs it."""

    def search(self, text: str) -> object | None: ...


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Find:
    """A pattern of a script, case aside. Raises UsageError for one that RE2 does not take."""
    import re2  # type: ignore[import-untyped]  # it ships no types; loaded where it is used

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        found: Find = re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0] if error.args else error
        told = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        problem = f"script: when {pattern[:60]!r} is no pattern: {told[:100]}"
        raise UsageError(problem, fix="write it as RE2 has it") from error
    return found


def checked_script(script: Sequence[str | ScriptLine]) -> None:
    """Raises UsageError for a line whose `when` is no pattern."""
    for line in script:
        if isinstance(line, ScriptLine) and isinstance(line.when, str):
            compiled(line.when)


def _since_own_line(lines: Sequence[Spoken]) -> list[Spoken]:
    """The agent's lines since the client last spoke."""
    own = max((at for at, line in enumerate(lines) if line.side == "client"), default=-1)
    return list(lines[own + 1 :])


class Recorded(Struct, frozen=True):
    """A recorded conversation: its lines, and how the client ended it if it did."""

    lines: tuple[Spoken, ...]
    reason: Reason | None = None
    seed: int = 0


class ReplayClient:
    """Says the client's lines of a recorded conversation, one a turn, whatever the agent says.

    As long as the agent's lines are those of the record the call is the recorded one; the turn from
    which they are not is told with each line. The record's last line hangs up as it did there.
    """

    errs = False

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._own = [line.text for line in recorded.lines if line.side == "client"]

    async def answer(self, lines: Sequence[Spoken], flaws: Sequence[Flaw]) -> Said:
        del flaws
        turn = sum(line.side == "client" for line in lines)
        diverged = divergence(lines, self._recorded.lines)
        if turn >= len(self._own):
            return Said("", self._recorded.reason or "gave_up", diverged=diverged)
        last = turn == len(self._own) - 1
        return Said(self._own[turn], self._recorded.reason if last else None, diverged=diverged)


def divergence(lines: Sequence[Spoken], recorded: Sequence[Spoken]) -> int | None:
    """The first turn, from 1, at which these lines are not the recorded ones; None while they are."""
    for turn, line in enumerate(lines, 1):
        if turn > len(recorded):
            return turn
        held = recorded[turn - 1]
        if held.side != line.side or normalised(held.text) != normalised(line.text):
            return turn
    return None

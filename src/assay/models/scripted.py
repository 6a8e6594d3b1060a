"""A model that says what it is told to: for tests, and for users who try their own parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from assay.errors import CallError, ErrorClass
from assay.message import Finish, Reply, Request
from assay.ports import Capabilities, OnRead

Line = str | Reply | CallError
"""What a scripted model does at one request: says a text, gives a reply, raises an error."""

Script = Iterable[Line] | Callable[[Request], Line]


class ScriptedModel:
    """Follows a script: lines in their order, or a function of the request.

    `requests` keeps what it was asked. A list that has come to its end raises
    CallError(REJECTED).
    """

    def __init__(self, name: str, script: Script, capabilities: Capabilities | None = None) -> None:
        self._name = name
        self._capabilities = Capabilities(timed=False) if capabilities is None else capabilities
        self._next = script if callable(script) else _in_order(script)
        self.requests: list[Request] = []
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def ask(self, request: Request, on_read: OnRead | None = None) -> Reply:
        """What the script says next."""
        self.requests.append(request)
        line = self._next(request)
        if isinstance(line, CallError):
            raise line
        reply = Reply(line, finish=Finish.STOP) if isinstance(line, str) else line
        if on_read is not None and reply.text:
            on_read(reply.text)
        return reply

    async def close(self) -> None:
        self.closed = True


def _in_order(lines: Iterable[Line]) -> Callable[[Request], Line]:
    left = iter(lines)
    over = CallError(ErrorClass.REJECTED, "the script has no more lines")

    def following(_request: Request) -> Line:
        return next(left, over)

    return following

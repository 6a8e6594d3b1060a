"""A row of the table of faults: its name, what it does, what a right client reports, who can meet it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from assay.emulator.delivery import Delivery, Ready
from assay.errors import ErrorClass

Group = Literal["none", "connection", "status", "body", "stream", "tools"]
Needs = Literal["any", "stream", "body"]
Act = Callable[[Ready, Mapping[str, str]], Delivery]

TIMES = "times"
"""Every fault takes it: only the first so many attempts at equal requests meet the fault."""

_MEETS = {"any": "any request", "stream": "streams", "body": "unstreamed"}


class Fault(Struct, frozen=True):
    """One way to misbehave.

    `error` is what a right client reports; None where it gets a reply, whole or flagged.
    `billed` says whether the tokens are charged. `detectable` is False where valid framing
    carries a wrong answer, so that no client can know. `needs` is the kind of request that can
    meet it, `calls` whether only an answer of tool calls can, `paths` the wires by their paths
    (none: all of them). Others are answered right, and the ledger says "ok".
    """

    name: str
    group: Group
    about: str
    act: Act
    error: ErrorClass | None = None
    billed: bool = False
    detectable: bool = True
    needs: Needs = "any"
    calls: bool = False
    paths: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()

    def applies(self, ready: Ready) -> bool:
        """Whether the request that this reply is for can meet this fault."""
        if self.needs != "any" and (self.needs == "stream") != ready.heard.stream:
            return False
        if self.calls and not ready.answer.tool_calls:
            return False
        return not self.paths or ready.wire.path in self.paths

    @property
    def meets(self) -> str:
        """Which requests can meet it, for people."""
        who = _MEETS[self.needs] + (" answered by tool calls" if self.calls else "")
        return who + (" at " + ", ".join(self.paths) if self.paths else "")


class Chosen(Struct, frozen=True):
    """A fault with its parameters, defaults filled in."""

    fault: Fault
    values: tuple[tuple[str, str], ...] = ()

    def on_attempt(self, attempt: int) -> bool:
        """Whether the attempt of that number (from 1) meets it."""
        times = dict(self.values).get(TIMES, "")
        return not times or attempt <= int(times)

    def deliver(self, ready: Ready) -> Delivery:
        """The reply as this fault delivers it."""
        return self.fault.act(ready, dict(self.values))

    @property
    def text(self) -> str:
        """NAME or NAME:k=v,..., with the parameters that differ from their defaults."""
        defaults = dict(self.fault.parameters)
        said = [f"{key}={value}" for key, value in self.values if defaults.get(key) != value]
        return self.fault.name + (":" + ",".join(said) if said else "")

"""One call of a tool by a model: checked, carried out, and spoilt where a fault is to strike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from assay.errors import AssayError
from assay.keys import JSON
from assay.world.faults import LOST, FaultKind, FaultRule, Injected
from assay.world.overlay import Overlay
from assay.world.tables import thaw
from assay.world.tools import Tool, error_code, refused

if TYPE_CHECKING:
    from assay.world.world import World


class ToolFault(AssayError):
    """A tool's own function broke: the fault of the world, never of the model that called it."""


class Answer(Struct, frozen=True):
    """What came of a call. `text` is what the model is told: the value as JSON, or what a fault has
    left of it. `injected` names the fault; `seconds` is what the call took on the world's clock.
    """

    value: JSON
    text: str
    injected: FaultKind | None = None
    seconds: float = 0.0

    @property
    def record(self) -> dict[str, JSON]:
        """What a transcript keeps of it beside the text."""
        kept: dict[str, JSON] = {"value": self.value, "error": error_code(self.value)}
        return kept if self.injected is None else {**kept, "injected": self.injected}


def called(world: World, overlay: Overlay, name: str, arguments: str, tool_call_id: str) -> Answer:
    """Carries a tool call out on an overlay; whatever the model did wrong is an error value.

    An answer that is an error leaves no write behind. An injected fault counts as no error of the
    model's. Raises ToolFault where the tool's own function breaks.
    """
    tool = world.tools.get(name)
    if tool is None:
        overlay.errors += 1
        return _said(refused("UNKNOWN_TOOL", f"there is no tool {name[:80]!r}"))
    ordinal, rule = overlay.strikes(name, reads=tool.effect == "read")
    overlay.begin(tool_call_id)
    if rule is not None and rule.kind in ("error", "timeout"):
        return _unreached(overlay, rule, Injected(name, ordinal, rule.kind))
    read = tool.read(arguments)
    if isinstance(read, str):
        overlay.errors += 1
        overlay.argument_errors += 1
        return _said(refused("INVALID_ARGUMENT", read))
    if rule is None:
        value = _carried_out(world, overlay, tool, read)
        if error_code(value) is None:
            overlay.recovered(name)
        else:
            overlay.errors += 1
        return _said(value, seconds=tool.takes)
    overlay.injected.append(Injected(name, ordinal, rule.kind))
    return _spoilt(world, overlay, tool, read, rule)


def _unreached(overlay: Overlay, rule: FaultRule, fault: Injected) -> Answer:
    """The call never reaches its tool."""
    overlay.injected.append(fault)
    if rule.kind == "error":
        return _said(_UNAVAILABLE, rule)
    overlay.now += timedelta(seconds=rule.seconds)
    return _said(_TIMEOUT, rule, seconds=rule.seconds)


def _spoilt(
    world: World, overlay: Overlay, tool: Tool, arguments: Mapping[str, JSON], rule: FaultRule
) -> Answer:
    """The call reaches its tool, and something goes wrong about it."""
    if rule.kind == "stale_read":
        return _said(_carried_out(world, overlay.at_start(), tool, arguments), rule, seconds=tool.takes)
    value = _carried_out(world, overlay, tool, arguments)
    if rule.kind == "duplicate_delivery":
        _carried_out(world, overlay, tool, arguments)
    if rule.kind == "empty":
        return _said(_emptied(value), rule, seconds=tool.takes)
    if rule.kind == "malformed":
        whole = _said(value, rule, seconds=tool.takes)
        return msgspec.structs.replace(whole, text=whole.text[: max(1, len(whole.text) // 2)])
    if rule.kind in ("latency", "commit_then_timeout"):
        overlay.now += timedelta(seconds=rule.seconds)
        shown = _TIMEOUT if rule.kind == "commit_then_timeout" else value
        return _said(shown, rule, seconds=tool.takes + rule.seconds)
    return _said(value, rule, seconds=tool.takes)


def _carried_out(world: World, overlay: Overlay, tool: Tool, arguments: Mapping[str, JSON]) -> JSON:
    """The tool's own answer: a repeated request's first one, what it requires and lacks, or its work."""
    overlay.now += timedelta(seconds=tool.takes)
    request = None if tool.idempotent_by is None else arguments.get(tool.idempotent_by)
    if request is not None and (held := overlay.answered.get((tool.name, str(request)))) is not None:
        if held[0] == arguments and isinstance(held[1], Mapping):
            return {**held[1], "repeated": True}
        return refused(
            "DUPLICATE", f"{tool.idempotent_by} {str(request)[:80]!r} was used for another request"
        )
    mark = len(overlay.journal)
    try:
        value = _lacking(overlay, tool, arguments) or thaw(tool.function(overlay, **arguments))
    except Exception as error:
        raise ToolFault(f"tool {tool.name} of world {world.name}: {error!r}") from error
    if error_code(value) is not None:
        overlay.roll_back(mark)
    elif tool.effect == "read" and len(overlay.journal) > mark:
        raise ToolFault(f"tool {tool.name} of world {world.name} is declared `read` but wrote")
    elif request is not None:
        overlay.answered[tool.name, str(request)] = (arguments, value)
    return value


def _lacking(overlay: Overlay, tool: Tool, arguments: Mapping[str, JSON]) -> JSON:
    """The error of the first requirement that is not met; None where all are."""
    found = (requirement(overlay, arguments) for requirement in tool.requires)
    return next((thaw(error) for error in found if error is not None), None)


def _emptied(value: JSON) -> JSON:
    """The answer with nothing in it: its lists without items, or nothing at all."""
    if isinstance(value, Mapping) and any(isinstance(each, list) for each in value.values()):
        return {key: [] if isinstance(each, list) else each for key, each in value.items()}
    return {}


def _said(value: JSON, rule: FaultRule | None = None, *, seconds: float = 0.0) -> Answer:
    text = msgspec.json.encode(value).decode()
    return Answer(value, text, None if rule is None else rule.kind, seconds)


def recovery(injected: list[Injected]) -> dict[str, JSON]:
    """How many faults struck, how many of them kept an answer away, and how many of those the model
    got over: it called the tool again and was answered.
    """
    lost = [each for each in injected if each.kind in LOST]
    return {
        "injected": [msgspec.to_builtins(each) for each in injected],
        "lost": len(lost),
        "recovered": sum(each.recovered for each in lost),
    }


_UNAVAILABLE = refused("UNAVAILABLE", "the service cannot be reached now")
_TIMEOUT = refused("TIMEOUT", "the service did not answer in time")

"""Tool use: whether the right calls were made, with the right arguments (load.md part 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from msgspec import Struct

from assay.keys import JSON
from assay.message import ToolCall, ToolSpec
from assay.scorers.assignment import best_assignment
from assay.scorers.leaves import equal, kind
from assay.scorers.rule import Rule, alternatives, broken_case, not_applicable
from assay.scorers.schemas import SchemaCheck, schema_checker
from assay.scorers.strict_json import ParseError, parse
from assay.trial import EventKind, Score, Transcript, Trial

MAX_CALLS = 64
"""Calls that are compared; more are counted, and count against the model."""

NAME = "tool_call_accuracy"
WHOLE = "tool_call_whole"

Same = Callable[[JSON, JSON], bool]

_IGNORED = str.maketrans("", "", " ,./-_*^")


class Made(Struct, frozen=True):
    """A call as it was made: its arguments' value, or None with the reason why they have none."""

    name: str
    arguments: JSON
    fault: str = ""


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A call that is expected; an argument `{any_of: [...]}` lists its allowed values, and with
    `optional: true` it may be left out.
    """

    name: str
    arguments: dict[str, JSON] = {}


def calls_made(transcript: Transcript) -> tuple[ToolCall, ...]:
    """The calls that reached the other side, once each, in order; discarded lines have none."""
    made: dict[tuple[str | None, str, int], ToolCall] = {}
    for event in transcript.events:
        if event.kind in (EventKind.SAID, EventKind.TOOL_CALL) and event.message and event.delivered:
            _gather(made, event.call, event.message.tool_calls, single=event.kind is EventKind.TOOL_CALL)
    final = transcript.final
    if final is not None:
        _gather(made, final.call, final.tool_calls, single=False)
    return tuple(made.values())


def _gather(
    made: dict[tuple[str | None, str, int], ToolCall],
    reply: str | None,
    calls: Iterable[ToolCall],
    *,
    single: bool,
) -> None:
    """Adds what is new. One reply's call may be told by its line and by an event of its own: it is
    the same where id and place agree; an event of its own has no place, so the first of that id.
    """
    for place, call in enumerate(calls):
        key = (reply, call.id, 0 if single or call.id else place)
        made.setdefault(key, call)


def tool_calls(*, loose: bool = False, whole: bool = False) -> Rule:
    """Accuracy, success and number of tool calls; `case.target` is `{calls: [{name, arguments}]}`.

    accuracy = matched / max(expected, made), over the best pairing (in order where the target has
    `ordered: true`); a pair is worth 0 with another name, else its matching arguments / (expected +
    unknown ones), each top-level argument compared whole. An argument left out equals its schema's
    default. success: at least one well-formed call (known name, arguments that parse and meet
    their schema), or none where none is expected. `loose` compares texts without case, blanks and
    , . / - _ * ^ (as the Berkeley leaderboard does); `whole` adds `tool_call_whole`, accuracy 1 or not.
    """
    valid = schema_checker()
    settings = {name: True for name, given in {"loose": loose, "whole": whole}.items() if given}

    def check(trial: Trial) -> tuple[Score, ...]:
        target = trial.case.target
        if not isinstance(target, dict) or "calls" not in target:
            return (not_applicable(NAME, "the case's target names no calls"),)
        wanted = _expected(target["calls"])
        if wanted is None:
            return (broken_case(NAME, "the target's calls are not a list of {name, arguments}"),)
        made = calls_made(trial.transcript)
        offered = {tool.name: tool for tool in trial.case.tools}
        read = [_read(call, offered, valid) for call in made[:MAX_CALLS]]
        measure = partial(_worth, same=_same_loosely if loose else equal)
        worth = [[measure(want, call, offered.get(want.name)) for call in read] for want in wanted]
        accuracy = _accuracy(wanted, read, len(made), worth, ordered=target.get("ordered") is True)
        scores = (accuracy, _success(wanted, read), Score("num_tool_calls", float(len(made))))
        return (*scores, Score(WHOLE, accuracy.value == 1.0, accuracy.reason)) if whole else scores

    return Rule(NAME, 1, settings, check)


def _expected(calls: JSON) -> list[Wanted] | None:
    if not isinstance(calls, list):
        return None
    wanted = []
    for call in calls:
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return None
        arguments = call.get("arguments", {})
        if not isinstance(arguments, dict):
            return None
        wanted.append(Wanted(call["name"], arguments))
    return wanted


def _read(call: ToolCall, offered: Mapping[str, ToolSpec], valid: SchemaCheck) -> Made:
    name = call.name[:200]
    try:
        arguments = parse(call.arguments) if call.arguments.strip() else {}
    except ParseError as error:
        return Made(name, None, f"arguments: {error}")
    if not isinstance(arguments, dict):
        return Made(name, None, f"arguments: an object expected, {kind(arguments)} found")
    if call.name not in offered:
        return Made(name, arguments, "no such tool was offered" if offered else "")
    try:
        found = valid(offered[call.name].parameters, arguments)
    except ValueError as error:
        return Made(name, arguments, f"the tool's schema is broken: {error}")
    return Made(name, arguments, str(found.errors[0]) if found.errors else "")


def _accuracy(
    wanted: list[Wanted], made: list[Made], count: int, worth: list[list[float]], *, ordered: bool
) -> Score:
    if not wanted and not count:
        return Score(NAME, 1.0, "no call expected, none made")
    pairs = _in_order(worth) if ordered else best_assignment(worth)
    matched = sum(worth[row][column] for row, column in pairs)
    named = [(row, column) for row, column in pairs if wanted[row].name == made[column].name]
    details = {
        "matched": matched,
        "expected": len(wanted),
        "made": count,
        "names": len(named),
        "arguments": [round(worth[row][column], 6) for row, column in named],
        "extra": count - len(named),
        "missing": len(wanted) - len(named),
    }
    reason = f"{len(named)} of {len(wanted)} expected calls made, {count} in all"
    return Score(NAME, matched / max(len(wanted), count), reason, details=details)


def _in_order(worth: list[list[float]]) -> list[tuple[int, int]]:
    """The pairing of greatest worth that keeps both orders (as the longest common subsequence)."""
    rows, columns = len(worth), len(worth[0]) if worth else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            best[row][column] = max(
                worth[row][column] + best[row + 1][column + 1], best[row + 1][column], best[row][column + 1]
            )
    pairs, row, column = [], 0, 0
    while row < rows and column < columns:
        if best[row][column] == best[row + 1][column]:
            row += 1
        elif best[row][column] == best[row][column + 1]:
            column += 1
        else:
            pairs.append((row, column))
            row, column = row + 1, column + 1
    return pairs


def _worth(want: Wanted, call: Made, tool: ToolSpec | None, same: Same) -> float:
    if want.name != call.name or not isinstance(call.arguments, dict):
        return 0.0
    properties = _properties(tool)
    needed = {
        name for name, value in want.arguments.items() if name in call.arguments or not _optional(value)
    }
    names = needed | {
        name for name, value in call.arguments.items() if not _is_default(properties, name, value)
    }
    if not names:
        return 1.0
    right = sum(_argument_right(want.arguments, call.arguments, properties, name, same) for name in names)
    return right / len(names)


def _argument_right(
    wanted: dict[str, JSON], given: dict[str, JSON], properties: dict[str, JSON], name: str, same: Same
) -> bool:
    if name not in wanted:
        return False
    field = properties.get(name)
    field = field if isinstance(field, dict) else {}
    if name in given:
        value = given[name]
    elif "default" in field:
        value = field["default"]
    else:
        return False
    accepted = wanted[name]
    listed = tuple(accepted["any_of"]) if _optional(accepted) else alternatives(accepted)
    return any(_matches(each, value, field, same) for each in listed)


def _optional(wanted: JSON) -> bool:
    """Whether an argument may be left out: `{any_of: [...], optional: true}`."""
    whole = isinstance(wanted, dict) and wanted.keys() == {"any_of", "optional"}
    return whole and isinstance(wanted["any_of"], list) and wanted["optional"] is True


def _matches(wanted: JSON, given: JSON, field: dict[str, JSON], same: Same) -> bool:
    """Typed equality, where an integer field takes no number spelt with a point."""
    if field.get("type") == "integer" and isinstance(given, float):
        return False
    return same(wanted, given)


def _same_loosely(wanted: JSON, given: JSON) -> bool:
    return equal(_loose(wanted), _loose(given))


def _loose(value: JSON) -> JSON:
    if isinstance(value, str):
        return value.translate(_IGNORED).lower().replace("'", '"')
    if isinstance(value, list):
        return [_loose(each) for each in value]
    return {key: _loose(each) for key, each in value.items()} if isinstance(value, dict) else value


def _properties(tool: ToolSpec | None) -> dict[str, JSON]:
    parameters = tool.parameters if tool is not None else None
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return properties if isinstance(properties, dict) else {}


def _is_default(properties: dict[str, JSON], name: str, value: JSON) -> bool:
    field = properties.get(name)
    return isinstance(field, dict) and "default" in field and equal(field["default"], value)


def _success(wanted: list[Wanted], made: list[Made]) -> Score:
    if not wanted:
        reason = f"no call expected, {len(made)} made" if made else ""
        return Score("tool_call_success", not made, reason)
    faults = [f"{call.name}: {call.fault}" for call in made if call.fault]
    if any(not call.fault for call in made):
        return Score("tool_call_success", True)
    return Score("tool_call_success", False, "; ".join(faults[:3]) or "no call was made")

"""Tool calls: accuracy, success and number."""

import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from assay.keys import JSON
from assay.message import Message, Reply, Text, ToolCall
from assay.scorers.assignment import best_assignment
from assay.scorers.tool_calls import MAX_CALLS, calls_made, tool_calls
from assay.trial import Event, EventKind, Outcome, Transcript

WEATHER = (
    "weather",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "default": 1},
            "limit": {"type": "number"},
        },
        "required": ["city"],
        "additionalProperties": False,
    },
)


def _want(*calls: tuple[str, JSON], **more: bool) -> JSON:
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in calls], **more}


@pytest.mark.parametrize(
    ("calls", "target", "accuracy", "success"),
    [
        ([("weather", '{"city": "Oslo"}')], _want(("weather", {"city": "Oslo"})), 1, True),
        ([("weather", '{"city": "Oslo", "days": 1}')], _want(("weather", {"city": "Oslo"})), 1, True),
        ([("weather", '{"city": "Oslo"}')], _want(("weather", {"city": "Oslo", "days": 1})), 1, True),
        ([("weather", '{"city": "Oslo", "days": 2}')], _want(("weather", {"city": "Oslo"})), 1 / 2, True),
        ([("weather", '{"city": "Oslo", "x": 2}')], _want(("weather", {"city": "Oslo"})), 1 / 2, False),
        ([("weather", '{"city": "Rome"}')], _want(("weather", {"city": "Oslo"})), 0, True),
        ([("weather", '{"city": "NYC"}')], _want(("weather", {"city": {"any_of": ["NY", "NYC"]}})), 1, True),
        (
            [("weather", '{"city": "A", "days": 2.0}')],
            _want(("weather", {"city": "A", "days": 2})),
            1 / 2,
            True,
        ),
        (
            [("weather", '{"city": "A", "limit": 5}')],
            _want(("weather", {"city": "A", "limit": 5.0})),
            1,
            True,
        ),
        ([("weather", '{"city": true}')], _want(("weather", {"city": 1})), 0, False),
        ([("weather", '{"city": "Oslo"')], _want(("weather", {"city": "Oslo"})), 0, False),
        ([("weather", "[]")], _want(("weather", {"city": "Oslo"})), 0, False),
        ([("rain", "{}")], _want(("weather", {"city": "Oslo"})), 0, False),
        ([("rain", "{}")], _want(("rain", {})), 1, False),
        ([], _want(("weather", {"city": "Oslo"})), 0, False),
        ([], _want(), 1, True),
        ([("weather", '{"city": "Oslo"}')], _want(), 0, False),
        (
            [("weather", '{"city": "B"}'), ("weather", '{"city": "A"}')],
            _want(("weather", {"city": "A"}), ("weather", {"city": "B"})),
            1,
            True,
        ),
        (
            [("weather", '{"city": "B"}'), ("weather", '{"city": "A"}')],
            _want(("weather", {"city": "A"}), ("weather", {"city": "B"}), ordered=True),
            1 / 2,
            True,
        ),
        (
            [("weather", '{"city": "A"}'), ("weather", '{"city": "A"}')],
            _want(("weather", {"city": "A"})),
            1 / 2,
            True,
        ),
        ([("weather", '{"__proto__": {}, "city": "A"}')], _want(("weather", {"city": "A"})), 1 / 2, False),
    ],
)
def test_calls_are_paired_with_those_expected(played, calls, target, accuracy, success):
    trial = played("", target, calls=calls, tools=[WEATHER])
    scores = {score.name: score for score in tool_calls().check(trial)}
    assert scores["tool_call_accuracy"].value == pytest.approx(accuracy)
    assert scores["tool_call_success"].value is success
    assert scores["num_tool_calls"].value == len(calls)


def test_ten_thousand_calls_are_counted_but_not_all_compared(played):
    trial = played("", _want(("weather", {"city": "A"})), calls=[("weather", '{"city": "A"}')] * 10000)
    accuracy, _, number = tool_calls().check(trial)
    assert number.value == 10000
    assert accuracy.value == pytest.approx(1 / 10000)
    assert MAX_CALLS < 10000


@pytest.mark.parametrize("target", [None, "x", {"answer": 1}])
def test_a_target_without_calls_is_not_applicable(played, target):
    assert tool_calls().check(played("", target))[0].unscored == "not_applicable"


@pytest.mark.parametrize("calls", ["x", [1], [{"name": 3}], [{"name": "a", "arguments": []}]])
def test_a_target_with_broken_calls_is_the_cases_fault(played, calls):
    assert tool_calls().check(played("", {"calls": calls}))[0].unscored == "scorer_error"


def test_a_call_told_twice_is_one_call_and_a_discarded_one_none():
    call, other = ToolCall("1", "a", "{}"), ToolCall("1", "b", "{}")
    line = Message("assistant", (Text("x"),), (call,))
    again = Reply(tool_calls=(other,), call="agent.1.1")
    events = (
        Event(EventKind.DISCARDED, "agent", line, "agent.9.1"),
        Event(EventKind.SAID, "agent", line, "agent.0.1", delivered=False),
        Event(EventKind.SAID, "agent", line, "agent.0.1"),
        Event(EventKind.TOOL_CALL, "agent", Message("assistant", (), (call,)), "agent.0.1"),
        Event(EventKind.SAID, "agent", again.message, "agent.1.1"),
    )
    assert calls_made(Transcript(events, Outcome("answered"), again)) == (call, other)


def test_calls_without_ids_are_told_apart_by_their_place(played):
    calls = tuple(structs.replace(ToolCall("", "a", "{}")) for _ in range(3))
    reply = Reply(tool_calls=calls, call="c.0.1")
    events = (Event(EventKind.SAID, "c", reply.message, "c.0.1"),)
    assert len(calls_made(Transcript(events, Outcome("answered"), reply))) == 3


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 9).map(float), min_size=width, max_size=width), min_size=1, max_size=4
        )
    )
)
def test_no_other_pairing_is_worth_more(worth):
    pairs = best_assignment(worth)
    rows, columns = len(worth), len(worth[0])
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == min(rows, columns)
    if rows <= columns:
        best = max(sum(worth[r][c] for r, c in enumerate(p)) for p in permutations(range(columns), rows))
    else:
        best = max(sum(worth[r][c] for c, r in enumerate(p)) for p in permutations(range(rows), columns))
    assert sum(worth[row][column] for row, column in pairs) == best


OPTIONAL = {"any_of": [2, 3], "optional": True}


@pytest.mark.parametrize(
    ("arguments", "accuracy"),
    [
        ('{"city": "Oslo"}', 1),
        ('{"city": "Oslo", "limit": 3}', 1),
        ('{"city": "Oslo", "limit": 4}', 1 / 2),
        ('{"limit": 3}', 1 / 2),
    ],
)
def test_an_optional_argument_may_be_left_out_but_not_be_wrong(played, arguments, accuracy):
    target = _want(("weather", {"city": "Oslo", "limit": OPTIONAL}))
    trial = played("", target, calls=[("weather", arguments)], tools=[WEATHER])
    assert tool_calls().check(trial)[0].value == pytest.approx(accuracy)


@pytest.mark.parametrize("limit", [{"any_of": 2, "optional": True}, {"any_of": [2], "optional": "yes"}])
def test_what_only_looks_optional_is_a_value(played, limit):
    trial = played(
        "", _want(("weather", {"city": "x", "limit": limit})), calls=[("weather", '{"city": "x"}')]
    )
    assert tool_calls().check(trial)[0].value == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("said", "wanted", "loosely", "strictly"),
    [
        ("april 1 2024", "April 1, 2024", 1, 0),
        ("it's", 'it"s', 1, 0),
        ("April 2", "April 1", 0, 0),
        (["New-York"], ["new york"], 1, 0),
        ({"a": "X"}, {"a": "x"}, 1, 0),
        (1, "1", 0, 0),
    ],
)
def test_loose_texts_differ_in_no_case_blank_or_mark(played, said, wanted, loosely, strictly):
    call = ("f", json.dumps({"x": said}))
    trial = played("", _want(("f", {"x": wanted})), calls=[call])
    assert tool_calls(loose=True).check(trial)[0].value == loosely
    assert tool_calls().check(trial)[0].value == strictly


@pytest.mark.parametrize(("city", "right"), [("Oslo", True), ("Rome", False)])
def test_whole_adds_whether_all_of_it_is_right(played, city, right):
    target = _want(("weather", {"city": city, "days": 3}))
    trial = played("", target, calls=[("weather", '{"city": "Oslo", "days": 3}')], tools=[WEATHER])
    assert [score.name for score in tool_calls().check(trial)][-1] == "num_tool_calls"
    last = tool_calls(whole=True).check(trial)[-1]
    assert (last.name, last.value) == ("tool_call_whole", right)


def test_settings_that_are_left_out_keep_the_identity_of_stored_scores():
    assert tool_calls().settings == {}
    assert tool_calls(loose=True).settings == {"loose": True}

"""Tools whose answers were written down or recorded, and what a tool may declare."""

import json

import pytest

from assay.errors import UsageError
from assay.loading.worlds import read_world
from assay.world.declared import declaration, declared_world
from assay.world.tools import error_code

PARAMETERS = {"required": ["city"], "properties": {"city": {"type": "string"}, "day": {"type": "number"}}}
TOOL = {"name": "weather", "effect": "read", "description": {"en": "Weather."}, "parameters": PARAMETERS}
ANSWERS = [{"answer": "sun"}, {"answer": "rain"}, {"when": {"city": "Омск"}, "answer": "snow"}]


def world(tool, functions=None, recorded=None):
    document = {"world": "w", "tables": {}, "tools": [{**TOOL, **tool}]}
    return declared_world(declaration(document), {}, functions or {}, recorded)


def asked(shop, overlay, **arguments):
    return shop.call(overlay, "weather", json.dumps(arguments))


def test_a_scripted_tool_answers_by_argument_else_in_order_and_the_last_answer_stays():
    shop = world({"kind": "scripted", "answers": ANSWERS})
    overlay = shop.open({})
    given = [asked(shop, overlay, city=city) for city in ("Тверь", "Омск", "Тверь", "Омск", "Тверь")]
    assert given == ["sun", "snow", "rain", "snow", "rain"]
    assert asked(shop, shop.open({}), city="Тверь") == "sun"


def test_a_scripted_tool_without_an_answer_says_so():
    shop = world({"kind": "scripted", "answers": ANSWERS[2:]})
    assert error_code(asked(shop, shop.open({}), city="Тверь")) == "UNAVAILABLE"
    with pytest.raises(UsageError, match="has no answers"):
        world({"kind": "scripted"})


ROWS = [
    {"tool": "weather", "arguments": {"city": "Омск", "day": 1}, "answer": "snow"},
    {"tool": "other", "arguments": {"city": "Омск", "day": 1}, "answer": "none"},
    {"tool": "weather", "arguments": {"city": "Омск", "day": 1}, "answer": "sun"},
]


def test_a_replayed_tool_gives_the_recorded_answers_of_equal_calls(tmp_path):
    document = {"world": "w", "tables": {}, "tools": [{**TOOL, "kind": "replay", "recorded": "calls.jsonl"}]}
    (tmp_path / "world.yaml").write_text(json.dumps(document))
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    shop = read_world(tmp_path / "world.yaml")
    overlay = shop.open({})
    assert [asked(shop, overlay, city="Омск", day=day) for day in (1, 1.0, 1)] == ["snow", "sun", "sun"]
    assert error_code(asked(shop, overlay, city="Тверь", day=1)) == "UNAVAILABLE"


def test_a_recorded_row_out_of_form_is_refused():
    with pytest.raises(UsageError, match="row 1 is no recorded call"):
        world({"kind": "replay"}, recorded={"weather": [{"tool": "weather"}]})


def weather(overlay, city, day=0):
    return {"city": city, "now": overlay.now.isoformat()}


def requires_city(overlay, arguments):
    return None if arguments.get("city") else {"error": {"code": "NOT_FOUND", "message": "no city"}}


def test_a_tool_that_takes_time_moves_the_clock():
    shop = world({"takes": 90, "requires": ["city"]}, {"weather": weather, "requires_city": requires_city})
    overlay = shop.open({"CURRENT_DATE": "2025-06-08"})
    assert asked(shop, overlay, city="Омск")["now"] == "2025-06-08T10:01:30+00:00"
    assert error_code(asked(shop, overlay, city="")) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ({"requires": ["sea"]}, "has no function"),
        ({"idempotent_by": "request"}, "is no argument of it"),
        ({"kind": "magic"}, "magic"),
    ],
)
def test_what_a_tool_declares_must_be_there(tool, says):
    with pytest.raises(UsageError, match=says):
        world(tool, {"weather": weather})

"""Worlds: overlays over an immutable base, calls, journals and differences."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.world.declared import declaration, declared_world
from assay.world.difference import readable
from assay.world.overlay import stacked
from assay.world.tables import Table
from assay.world.tools import MAX_ARGUMENTS, Tool, error_code, refused
from assay.world.world import ToolFault, World


def take(world, sku, qty):
    row = world.get("goods", sku)
    if row is None:
        return refused("NOT_FOUND", f"no {sku}")
    world.change("goods", sku, stock=row["stock"] - qty)
    if row["stock"] < qty:
        return refused("OUT_OF_STOCK", "too few")
    return {"left": row["stock"] - qty, "qty": qty}


def spoil(world):
    row = world.get("goods", "A")
    row["tags"].append("spoilt")


def peek(world):
    world.put("goods", "C", {"sku": "C", "stock": 1})
    return {}


NUMBER = {
    "type": "object",
    "required": ["sku", "qty"],
    "properties": {"sku": {"type": "string"}, "qty": {"type": "number"}},
}


@pytest.fixture
def world():
    goods = Table(
        "goods",
        "sku",
        [{"sku": "A", "stock": 5, "tags": ["red", "big"]}, {"sku": "B", "stock": 0, "tags": ["red"]}],
        indexes=["tags"],
        id_pattern="G-{seq:03d}",
    )
    tools = [
        Tool("take", take, effect="write", descriptions={"en": "Takes.", "ru": "Берёт."}, parameters=NUMBER),
        Tool("spoil", spoil, effect="write", descriptions={"en": "Breaks."}, parameters={}),
        Tool("peek", peek, effect="read", descriptions={"en": "Writes though it says read."}, parameters={}),
    ]
    return World("shop", [goods], tools)


def test_a_write_stays_in_its_own_overlay(world):
    one, two = world.open({}), world.open({})
    assert world.call(one, "take", '{"sku": "A", "qty": 2}', "c1") == {"left": 3, "qty": 2}
    assert one.get("goods", "A")["stock"] == 3
    assert two.get("goods", "A")["stock"] == 5
    assert world.tables["goods"].rows["A"]["stock"] == 5


def test_every_write_is_journalled_with_its_call(world):
    overlay = world.open({})
    world.call(overlay, "take", '{"sku": "A", "qty": 2}', "c9")
    (write,) = overlay.journal
    assert (write.seq, write.tool_call_id, write.table, write.key) == (0, "c9", "goods", "A")
    assert (write.before["stock"], write.after["stock"]) == (5, 3)


def test_an_answer_that_is_an_error_leaves_no_write_behind(world):
    overlay = world.open({})
    assert error_code(world.call(overlay, "take", '{"sku": "A", "qty": 9}')) == "OUT_OF_STOCK"
    assert overlay.journal == []
    assert overlay.get("goods", "A")["stock"] == 5
    assert overlay.difference() == {}
    assert overlay.errors == 1


def test_a_number_is_one_number_however_it_is_spelt(world):
    value = world.call(world.open({}), "take", '{"sku": "A", "qty": 2.0}')
    assert value == {"left": 3, "qty": 2}
    assert isinstance(value["qty"], int)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"sku": "A"}', "qty"),
        ('{"sku": "A", "qty": "2"}', "/qty"),
        ('{"sku": "A", "qty": 1, "size": 3}', "size"),
        ("[]", "object"),
        ("{", "not JSON"),
        ('{"sku": "A", "qty": NaN}', "not JSON"),
        ("[" * 5000, "deeper"),
        ('{"sku": "' + "A" * MAX_ARGUMENTS + '"}', "longer"),
    ],
)
def test_bad_arguments_are_an_error_value_that_says_where(world, arguments, says):
    overlay = world.open({})
    value = world.call(overlay, "take", arguments)
    assert error_code(value) == "INVALID_ARGUMENT"
    assert says in value["error"]["message"]
    assert len(value["error"]["message"]) <= 300
    assert overlay.argument_errors == 1
    assert overlay.journal == []


def test_brackets_within_a_text_are_no_nesting(world):
    value = world.call(world.open({}), "take", json.dumps({"sku": '\\"[{' * 99, "qty": 1}))
    assert error_code(value) == "NOT_FOUND"


def test_an_unknown_tool_is_an_error_value(world):
    overlay = world.open({})
    assert error_code(world.call(overlay, "steal", "{}")) == "UNKNOWN_TOOL"
    assert overlay.journal == []


@given(st.text(alphabet=string.printable + "ё\ud800", max_size=200))
def test_no_argument_text_breaks_a_world(text):
    tool = Tool("take", take, effect="write", descriptions={}, parameters=NUMBER)
    world = World("shop", [Table("goods", "sku", [{"sku": "A", "stock": 5}])], [tool])
    assert error_code(world.call(world.open({}), "take", text)) is not None


def test_a_tool_cannot_change_the_base_from_within_a_row(world):
    with pytest.raises(ToolFault, match="spoil"):
        world.call(world.open({}), "spoil", "")
    assert world.tables["goods"].rows["A"]["tags"] == ("red", "big")


def test_a_read_tool_that_writes_is_the_worlds_fault(world):
    with pytest.raises(ToolFault, match="declared `read`"):
        world.call(world.open({}), "peek", "{}")


def test_an_index_finds_records_as_they_are_now(world):
    overlay = world.open({})
    overlay.change("goods", "A", tags=["blue"])
    overlay.put("goods", "C", {"sku": "C", "stock": 1, "tags": ["red"]})
    assert [row["sku"] for row in overlay.find("goods", "tags", "red")] == ["B", "C"]
    assert [row["sku"] for row in overlay.find("goods", "tags", "blue")] == ["A"]
    overlay.remove("goods", "B")
    assert [row["sku"] for row in overlay.rows("goods")] == ["A", "C"]
    with pytest.raises(KeyError):
        overlay.find("goods", "stock", 5)


def test_new_keys_follow_the_pattern_and_are_free(world):
    overlay = world.open({})
    first = overlay.new_key("goods")
    overlay.put("goods", first, {"sku": first})
    assert (first, overlay.new_key("goods")) == ("G-003", "G-004")


def test_a_difference_names_what_was_added_removed_and_changed(world):
    overlay = world.open({})
    overlay.change("goods", "A", stock=4)
    overlay.remove("goods", "B")
    overlay.put("goods", "C", {"sku": "C"})
    assert overlay.difference() == {
        "goods": {
            "added": {"C": {"sku": "C"}},
            "removed": {"B": {"sku": "B", "stock": 0, "tags": ["red"]}},
            "changed": {"A": {"stock": [5, 4]}},
        }
    }
    lines = readable(overlay.difference())
    assert 'goods: added C {"sku": "C"}' in lines
    assert "goods: changed A: stock 5 -> 4" in lines


def test_what_was_changed_and_changed_back_is_no_difference(world):
    overlay = world.open({})
    overlay.change("goods", "A", stock=4)
    overlay.change("goods", "A", stock=5)
    assert overlay.difference() == {}
    assert len(overlay.journal) == 2


def test_a_patch_is_where_the_trial_starts_and_no_difference(world):
    overlay = world.open({}, {"goods": {"A": {"stock": 1}, "B": None, "Z": {"stock": 7}}})
    assert overlay.get("goods", "A") == {"sku": "A", "stock": 1, "tags": ("red", "big")}
    assert overlay.get("goods", "B") is None
    assert overlay.get("goods", "Z") == {"sku": "Z", "stock": 7}
    assert overlay.difference() == {}
    overlay.change("goods", "A", stock=0)
    assert overlay.difference()["goods"]["changed"] == {"A": {"stock": [1, 0]}}


def test_a_patch_of_an_unknown_table_is_refused(world):
    with pytest.raises(UsageError, match="no table 'money'"):
        world.open({}, {"money": {}})


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (5, "goods, record 'A': is no object"),
        (["x"], "is no object"),
        ({"stock": "lots"}, "stock is a text, and a number elsewhere"),
        ({"stock": True}, "stock is a boolean"),
        ({"tags": {"red": 1}}, "tags is an object, and a list elsewhere"),
    ],
)
def test_a_patch_that_no_tool_could_read_is_refused(world, row, says):
    with pytest.raises(UsageError, match=says):
        world.open({}, {"goods": {"A": row}})


def test_a_patch_over_a_patch_goes_before_it_and_keeps_the_rest():
    first = {"goods": {"A": {"stock": 1, "tags": ["x"]}, "B": None}, "other": {"K": {"n": 1}}}
    both = stacked(first, {"goods": {"A": {"stock": 9}, "C": {"stock": 2}}})
    assert both == {
        "goods": {"A": {"stock": 9, "tags": ["x"]}, "B": None, "C": {"stock": 2}},
        "other": {"K": {"n": 1}},
    }
    assert first["goods"]["A"]["stock"] == 1


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01"])
def test_a_date_from_which_no_day_can_be_counted_is_refused(world, date):
    with pytest.raises(UsageError, match="cannot count days"):
        world.open({"CURRENT_DATE": date})


def test_a_date_that_is_none_is_refused(world):
    with pytest.raises(UsageError, match="CURRENT_DATE 'soon'"):
        world.open({"CURRENT_DATE": "soon"})
    assert world.open({"CURRENT_DATE": "2025-06-08 Sunday"}).now.isoformat() == "2025-06-08T10:00:00+00:00"


def test_tools_are_told_in_the_asked_language_else_in_english(world):
    assert [spec.description for spec in world.specs("ru")][:2] == ["Берёт.", "Breaks."]
    assert world.specs("ru")[0].parameters["additionalProperties"] is False


def test_the_fingerprint_follows_data_and_tools(world):
    other = World("shop", [Table("goods", "sku", [{"sku": "A", "stock": 6}])], world.tools.values())
    same = World("shop", world.tables.values(), world.tools.values())
    assert world.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("rows", "says"),
    [([{"x": 1}], "row 1: no text"), ([{"sku": "A"}, {"sku": "A"}], "row 2: sku 'A' stands twice")],
)
def test_rows_without_keys_of_their_own_are_refused(rows, says):
    with pytest.raises(UsageError, match=says):
        Table("goods", "sku", rows)


def test_a_function_that_does_not_take_the_declared_arguments_is_refused():
    with pytest.raises(UsageError, match="does not take its parameters"):
        Tool("spoil", spoil, effect="write", descriptions={}, parameters=NUMBER)


DECLARED = {
    "world": "shop",
    "tables": {"goods": {"key": "sku", "types": {"stock": "integer", "tags": "list", "price": "number"}}},
    "tools": [{"name": "take", "effect": "write", "description": {"en": "T"}, "parameters": NUMBER}],
}


def test_a_declared_world_reads_the_text_of_its_columns():
    rows = {"goods": [{"sku": "A", "stock": "5", "tags": "red | big", "price": "0.50"}]}
    world = declared_world(declaration(DECLARED), rows, {"take": take})
    assert world.tables["goods"].rows["A"] == {"sku": "A", "stock": 5, "tags": ("red", "big"), "price": 0.5}


def test_a_declaration_tells_what_is_wrong_and_where():
    with pytest.raises(UsageError, match=r"no function in tools\.py"):
        declared_world(declaration(DECLARED), {}, {})
    with pytest.raises(UsageError, match="row 1: stock 'many' is no integer"):
        declared_world(declaration(DECLARED), {"goods": [{"sku": "A", "stock": "many"}]}, {"take": take})
    with pytest.raises(UsageError, match=r"shop\.yaml"):
        declaration({**DECLARED, "colour": 1}, "shop.yaml")

"""JSON inside a reply."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.scorers.extracted import extract, json_extracted

OBJECTS = frozenset({"object"})
SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("text", "value", "method"),
    [
        ('{"a": 1}', {"a": 1}, "strict"),
        (' [1, "}"] \n', [1, "}"], "strict"),
        ("17", 17, "strict"),
        ('```json\n{"a": 1}\n```', {"a": 1}, "fenced"),
        ('Here:\n~~~~\n{"a": 1}\n~~~~\nDone.', {"a": 1}, "fenced"),
        ('```\nno\n```\n```json\n{"a": 2}\n```', {"a": 2}, "fenced"),
        ('It is {"a": {"b": [1, 2]}}, I think.', {"a": {"b": [1, 2]}}, "prose"),
        ('say {a} then {"b": 2}', {"b": 2}, "prose"),
        ('{x: {"b": 2}}', {"b": 2}, "prose"),
        ('{x: {"a": 1} {"b": 2}}', {"a": 1}, "prose"),
        ('[{"a": 1} }', {"a": 1}, "prose"),
        ('```\n{"a": 1}\n~~~\n', {"a": 1}, "prose"),
        ('````\n{"a": 1}\n```\n````', {"a": 1}, "prose"),
        ('```\n{"a":\n\n1}\n```', {"a": 1}, "fenced"),
        ('````\n```\n{"a": 1}\n```\n````', {"a": 1}, "prose"),
        ('He said "x {"a": 1}', {"a": 1}, "prose"),
        ('[1, {"a": 1}', {"a": 1}, "prose"),
        ('{"a": "}"} and {"a": 2}', {"a": "}"}, "prose"),
        ('```json\n{"a": 1}', {"a": 1}, "prose"),
    ],
)
def test_a_value_is_found_alone_in_fences_and_in_prose(text, value, method):
    found = extract(text)
    assert (found.value, found.method) == (value, method)
    assert json.loads(text[found.start : found.end]) == value


@pytest.mark.parametrize(
    "text", ["", "no", '{"a": 1', "{'a': 1}", "{]", '{"a": NaN}', '{"a": 1, "a": 2}', "``` {x} ```"]
)
def test_nothing_is_repaired_and_nothing_made_up(text):
    assert extract(text) is None


def test_a_value_of_another_type_than_asked_for_is_passed_over():
    assert extract('as in [1]: {"a": 1}', OBJECTS).value == {"a": 1}
    assert extract("as in [1]").value == [1]
    assert extract("as in [1]", OBJECTS) is None


@pytest.mark.parametrize(
    ("text", "found", "meets"),
    [
        ('So: {"a": 1}', True, True),
        ('So: {"a": "1"}', True, False),
        ("[1]", True, False),
        ("see [1]", False, False),
        ("nothing", False, False),
        (None, False, False),
    ],
)
def test_the_extracted_value_is_checked_against_the_schema(played, text, found, meets):
    one, two = json_extracted().check(played(text, schema=SCHEMA))
    assert (one.name, one.value) == ("json_extracted", found)
    assert (two.name, two.value, two.unscored) == ("json_extracted_schema", meets, None)


def test_without_a_schema_only_the_value_is_looked_for(played):
    one, two = json_extracted().check(played('see [1]: {"a": 1}', {"a": 1}))
    assert one.value is True
    assert two.unscored == "not_applicable"


def test_the_details_say_how_and_where_it_was_found(played):
    one, _ = json_extracted().check(played('So: {"a": 1}', {}))
    assert one.details == {"method": "prose", "start": 4, "end": 12, "value": {"a": 1}}


def test_a_broken_schema_is_its_owners_fault(played):
    with pytest.raises(UsageError):
        json_extracted(schema={"type": "nothing"})
    assert json_extracted().check(played("{}", schema={"type": 7}))[1].unscored == "scorer_error"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), _VALUES), st.text("abc .,!\n", max_size=20))
def test_an_object_is_found_again_in_any_prose(value, prose):
    written = json.dumps(value)
    assert extract(f"{prose}{written}{prose}").value == value


@given(st.text('{}[]"\\ab:,1`\n~', max_size=60))
def test_what_is_found_is_strict_json_in_its_place(text):
    found = extract(text)
    assert found is None or json.loads(text[found.start : found.end]) == found.value


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "```\n~~~\n" * 20_000, "~" * 200_000, '{"' * 100_000, "[1]" * 60_000, "{x" * 99_999],
)
def test_hostile_replies_are_searched_in_linear_time(played, text):
    began = time.process_time()
    json_extracted().check(played(text, {}))
    assert time.process_time() - began < 2

"""JSON replies against their schema and their target."""

import socket
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Finish
from assay.scorers.alignment import Fields
from assay.scorers.leaves import Differences, compare, equal, first_difference, leaf_count
from assay.scorers.schemas import MAX_ERRORS
from assay.scorers.structured import json_exact, json_fields, json_schema, json_valid

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
        "mail": {"type": "string", "format": "email"},
    },
    "required": ["name"],
    "additionalProperties": False,
}

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, 2.0])
    | st.text("ab/~", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "finish", "refusal", "code"),
    [
        ('{"a": 1}', Finish.STOP, "", None),
        ('{"a": 1', Finish.LENGTH, "", "length"),
        ("", Finish.STOP, "I cannot", "refusal"),
        ("Sorry", Finish.REFUSAL, "", "refusal"),
        ("", Finish.STOP, "", "empty"),
        ("[1,]", Finish.STOP, "", "trailing_comma"),
        (None, Finish.STOP, "", "empty"),
    ],
)
def test_a_reply_is_valid_json_or_has_a_code(played, text, finish, refusal, code):
    (score,) = json_valid().check(played(text, finish=finish, refusal=refusal))
    assert (score.value, score.unscored) == (code is None, None)
    assert (score.details or {}).get("code") == code


@pytest.mark.parametrize(
    ("text", "keyword", "pointer"),
    [
        ('{"name": "Ann", "age": 3}', None, None),
        ('{"name": "Ann", "age": 3.0}', None, None),
        ('{"name": "ann"}', "pattern", "/name"),
        ('{"name": "Ann", "age": "3"}', "type", "/age"),
        ('{"name": "Ann", "mail": "nobody"}', "format", "/mail"),
        ('{"age": 3}', "required", ""),
        ('{"name": "Ann", "x/y": 1}', "additionalProperties", ""),
    ],
)
def test_a_reply_meets_its_schema_or_the_first_miss_is_named(played, text, keyword, pointer):
    (score,) = json_schema().check(played(text, schema=PERSON))
    assert score.value is (keyword is None)
    if keyword is not None:
        first = score.details["errors"][0]
        assert (first["keyword"], first["pointer"]) == (keyword, pointer)
        assert score.reason.startswith(keyword)


def test_the_cases_schema_comes_before_the_settings(played):
    rule = json_schema(schema={"type": "string"})
    assert rule.check(played('"x"'))[0].value is True
    assert rule.check(played('"x"', schema={"type": "number"}))[0].value is False
    assert rule.check(played("no"))[0].details["code"] == "other"


def test_without_any_schema_the_score_is_not_applicable(played):
    assert json_schema().check(played("1"))[0].unscored == "not_applicable"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "http://example.invalid/other"},
        {"type": "nothing"},
        {"pattern": "("},
        "text",
        [],
    ],
)
def test_a_broken_schema_is_nobodys_wrong_answer_and_nothing_is_fetched(played, schema):
    assert json_schema().check(played("1", schema=schema))[0].unscored == "scorer_error"
    with pytest.raises(UsageError):
        json_schema(schema=schema)


def test_a_reference_to_a_server_or_a_file_is_not_followed(played, tmp_path):
    (tmp_path / "any.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0)
        port = canary.getsockname()[1]
        for reference in (f"http://127.0.0.1:{port}/any.json", (tmp_path / "any.json").as_uri()):
            (score,) = json_schema().check(played("1", schema={"$ref": reference}))
            assert score.unscored == "scorer_error"
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_errors_are_counted_and_listed_up_to_a_bound(played):
    text = "[" + ",".join(['"x"'] * 500) + "]"
    (score,) = json_schema().check(played(text, schema={"items": {"type": "integer"}}))
    assert score.details["count"] == 500
    assert len(score.details["errors"]) == MAX_ERRORS
    assert all(len(error["message"]) <= 300 for error in score.details["errors"])


def test_long_texts_are_not_quoted_whole(played):
    (score,) = json_schema().check(played('"' + "x" * 100000 + '"', schema={"type": "integer"}))
    assert len(score.reason) < 500


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=(a|aa)+b)(a|a?)+$", r"^(a|a?)+\1$"])
def test_a_hostile_pattern_ends_soon(played, pattern):
    began = time.perf_counter()
    (score,) = json_schema().check(played('"' + "a" * 5000 + '!"', schema={"pattern": pattern}))
    assert score.value is False
    assert time.perf_counter() - began < 1


def test_a_compiled_schema_is_kept(played):
    rule, trial = json_schema(), played('{"name": "Ann"}', schema=PERSON)
    rule.check(trial)
    began = time.perf_counter()
    for _ in range(200):
        rule.check(trial)
    assert (time.perf_counter() - began) / 200 < 1e-3


@pytest.mark.parametrize(
    ("text", "target", "right", "says"),
    [
        ('{"b": 2, "a": 1.0}', {"a": 1, "b": 2}, True, ""),
        ("true", 1, False, "number expected, boolean found"),
        ("1", True, False, "boolean expected, number found"),
        ('"1"', 1, False, "number expected, string found"),
        ("[1, 2]", [2, 1], False, "at /0"),
        ("[1]", [1, 2], False, "2 elements expected"),
        ('{"a": {}}', {"a": {"b": 1}}, False, "at /a/b: missing"),
        ('{"a": 1, "b/c": 2}', {"a": 1}, False, "at /b~1c: unexpected"),
        ('{"a": null}', {"a": 0}, False, "at /a"),
        ('"b"', {"any_of": ["a", "b"]}, True, ""),
        ("null", {"any_of": [None]}, True, ""),
        ("9007199254740993", 9007199254740992.0, False, "at the root"),
        ("not json", {}, False, "other"),
        (None, {}, False, "no final reply"),
        ("1", {"any_of": []}, False, "no value"),
    ],
)
def test_json_equality_is_typed_and_the_first_difference_is_told(played, text, target, right, says):
    (score,) = json_exact().check(played(text, target))
    assert (score.value, score.unscored) == (right, None)
    assert says in score.reason


@given(_VALUES, _VALUES)
def test_equality_is_symmetric_and_agrees_with_the_difference_told(a, b):
    assert equal(a, b) == equal(b, a) == (first_difference(a, b) is None)


@given(_VALUES)
def test_equality_ignores_the_order_of_keys(value):
    def turned(v: JSON) -> JSON:
        if isinstance(v, dict):
            return {key: turned(v[key]) for key in reversed(list(v))}
        return [turned(item) for item in v] if isinstance(v, list) else v

    assert equal(value, turned(value))
    assert equal(value, msgspec.json.decode(msgspec.json.encode(value)))


@pytest.mark.parametrize(
    ("text", "target", "settings", "shares"),
    [
        ('{"a": 1, "b": 2}', {"a": 1, "b": 2}, {}, (1, 1)),
        ('{"a": 1}', {"a": 1, "b": 2}, {}, (1, 1 / 2)),
        ('{"a": 1, "b": 2, "c": 3, "d": 4}', {"a": 1, "b": 2}, {}, (1 / 2, 1)),
        ('{"a": [1, 2, 3]}', {"a": [1, 5, 3]}, {}, (2 / 3, 2 / 3)),
        ('{"a": true}', {"a": 1}, {}, (0, 0)),
        ('{"a": {}}', {"a": {}}, {}, (1, 1)),
        ('{"a": {}}', {"a": {"b": 1, "c": 2}}, {}, (0, 0)),
        ('{"a": {"0": 1}}', {"a": [1]}, {}, (0, 0)),
        ('{"a": 1.04}', {"a": 1}, {"tolerance": 0.05}, (1, 1)),
        ('{"a": true}', {"a": 1}, {"tolerance": 5}, (0, 0)),
        ('{"a": " New  YORK"}', {"a": "new york"}, {"fold": True}, (1, 1)),
        ('{"a": "New"}', {"a": "new"}, {}, (0, 0)),
        ("3", 3, {}, (1, 1)),
    ],
)
def test_fields_are_matched_leaf_by_leaf(played, text, target, settings, shares):
    precision, recall = shares
    (score,) = json_fields(**settings).check(played(text, target))
    assert score.details["precision"] == pytest.approx(precision)
    assert score.details["recall"] == pytest.approx(recall)
    both = precision + recall
    assert score.value == pytest.approx(2 * precision * recall / both if both else 0)


def test_what_is_missing_unexpected_or_wrong_is_listed(played):
    (score,) = json_fields().check(played('{"a": 1, "x": 2, "l": [1]}', {"a": 2, "b": {"c": 1}, "l": [1]}))
    parts = {name: score.details[name] for name in ("missing", "unexpected", "wrong")}
    assert parts == {"missing": ["/b"], "unexpected": ["/x"], "wrong": ["/a"]}
    assert score.reason == "missing /b; unexpected /x; wrong /a"


def test_the_best_of_several_targets_counts(played):
    (score,) = json_fields().check(played('{"a": 1}', {"any_of": [{"b": 1}, {"a": 1}]}))
    assert score.value == 1


def test_invalid_json_has_no_fields(played):
    assert json_fields().check(played("{", {"a": 1}))[0].value == 0.0


@given(_VALUES, _VALUES)
def test_fields_are_all_right_exactly_where_values_are_equal(a, b):
    matched = compare(a, b, Fields(), Differences())
    assert 0 <= matched <= min(leaf_count(a), leaf_count(b))
    assert (matched == leaf_count(a) == leaf_count(b)) == equal(a, b)

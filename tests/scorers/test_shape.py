"""The shape of JSON values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.scorers.shape import shape, structure


def test_a_shape_is_the_set_of_paths_and_types():
    assert shape({"a": [1, {"b": None}], "c/d": "x"}) == {
        ("", "object"),
        ("/a", "array"),
        ("/a/*", "number"),
        ("/a/*", "object"),
        ("/a/*/b", "null"),
        ("/c~1d", "string"),
    }


@pytest.mark.parametrize(
    ("reply", "target", "value"),
    [
        ('{"a": 1}', {"a": 2}, 1.0),
        ('{"a": [1, 2, 3]}', {"a": [9]}, 1.0),
        ('{"a": "1"}', {"a": 1}, 1 / 3),
        ('{"a": 1, "b": 2}', {"a": 1}, 2 / 3),
        ("[]", {}, 0.0),
        ("{", {}, 0.0),
        (None, {}, 0.0),
        ('{"a": 1}', {"any_of": [{"b": 1}, {"a": 1}]}, 1.0),
    ],
)
def test_the_shape_is_compared_with_the_targets(played, reply, target, value):
    (score,) = structure().check(played(reply, target))
    assert (score.name, score.value) == ("structure_match", pytest.approx(value))


def test_what_differs_and_the_shape_itself_are_kept(played):
    (score,) = structure().check(played('{"a": "1", "b": 1}', {"a": 1}))
    assert score.details == {
        "missing": ["/a: number"],
        "unexpected": ["/a: string", "/b: number"],
        "shape": ["/a: string", "/b: number", "the root: object"],
    }


def test_without_a_target_there_is_nothing_to_compare(played):
    assert structure().check(played("{}"))[0].unscored == "not_applicable"
    assert structure().check(played("{}", {"any_of": []}))[0].unscored == "scorer_error"


@given(st.lists(st.integers()))
def test_the_length_of_a_list_is_no_part_of_its_shape(items):
    assert shape([*items, 1]) == shape([1])

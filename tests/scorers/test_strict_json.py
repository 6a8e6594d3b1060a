"""Strict JSON: what is refused, and why."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.scorers.strict_json import MAX_DEPTH, ParseError, parse


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "empty", (1, 1)),
        ("  \n", "empty", None),
        ('```json\n{"a": 1}\n```', "fenced", (1, 1)),
        ('Here: {"a": 1}', "prose_around", (1, 1)),
        ('{"a": 1} as asked', "prose_around", (1, 10)),
        ('{"a": 1}\n{"b": 2}', "two_values", (2, 1)),
        ('{"a": 1,}', "trailing_comma", None),
        ("[1, 2,\n]", "trailing_comma", None),
        ("{'a': 1}", "single_quotes", (1, 2)),
        ("[NaN]", "nan", (1, 2)),
        ('{"NaN": "NaN", "a":\n -Infinity}', "nan", (2, 2)),
        ('{"a": 1, "b": {"a": 1}, "a": 2}', "duplicate_key", (1, 25)),
        ('{"a": 1, "\\u0061": 2}', "duplicate_key", (1, 10)),
        ('"\\ud800"', "other", (1, 2)),
        ('"\ud800"', "other", (1, 2)),
        ('"\\ud83d\\u0041"', "other", (1, 2)),
        ('"\\udc00"', "other", (1, 2)),
        ("[" * 100000, "other", (1, MAX_DEPTH + 1)),
        ('{"a":' * 200 + "1" + "}" * 200, "other", None),
        ("[1e999]", "other", (1, 2)),
        ("9" * 5000, "other", (1, 1)),
        ("\ufeff{}", "other", (1, 1)),
        ('"a\tb"', "other", None),
        ("01", "two_values", None),
        ("+1", "other", None),
        ("tru", "other", None),
        ('{"a": 1', "other", None),
        ("{} //x", "prose_around", None),
    ],
)
def test_a_text_that_is_no_json_is_refused_with_its_code_and_place(text, code, place):
    with pytest.raises(ParseError) as error:
        parse(text)
    assert error.value.code == code
    if place is not None:
        assert (error.value.line, error.value.column) == place


@pytest.mark.parametrize(
    "text",
    [
        ' {"a": [1, -0, 1.5e3, true, null]}\r\n',
        '"\\ud83d\\ude00 😀 \\\\ud800"',
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        '"' + "[" * 500 + '\\"' + '"',
        '"NaN"',
        "[]" * 0 + "3",
    ],
)
def test_valid_json_is_its_value(text):
    assert parse(text) == json.loads(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES, st.booleans())
def test_whatever_json_writes_is_read_back(value, ascii_only):
    assert parse(json.dumps(value, ensure_ascii=ascii_only)) == value


def _refuse(name):
    raise ValueError(name)


def _pairs(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)


@given(
    st.text(alphabet='{}[]",:\\u0d8aANInf-+.eE123 \n')
    | _VALUES.map(json.dumps).map(lambda t: t.replace(",", ",,", 1))
)
def test_nothing_is_accepted_that_strict_hooks_refuse(text):
    try:
        mine = parse(text)
    except ParseError:
        return
    theirs = json.loads(text, parse_constant=_refuse, object_pairs_hook=_pairs)
    assert mine == theirs
    json.dumps(mine, ensure_ascii=False).encode()


@given(st.text())
def test_any_text_is_a_value_or_a_parse_error_with_a_place(text):
    try:
        value = parse(text)
    except ParseError as error:
        assert 1 <= error.line <= text.count("\n") + 1  # noqa: PT017  both ways are right
        assert error.column >= 1  # noqa: PT017  as above
    else:
        assert not isinstance(value, float) or math.isfinite(value)

"""Texts and numbers inside a reply."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.scorers.text import contains, numbers, numeric


@pytest.mark.parametrize(
    ("reply", "target", "settings", "found"),
    [
        ("The answer is Paris.", "paris", {}, True),
        ("It costs 19.", "9", {}, False),
        ("It costs 19.", "9", {"words": False}, True),
        ("заказ номер ORD-7 принят", "номер ord-7", {}, True),
        ("a (b+)+ c", "(b+)+", {"punctuation": True}, True),
        ("I said no", {"any_of": ["yes", "no"]}, {}, True),
        ("nothing", {"any_of": ["yes", "no"]}, {}, False),
        (None, "x", {}, False),
    ],
)
def test_a_target_is_found_in_the_reply(played, reply, target, settings, found):
    assert contains(**settings).check(played(reply, target))[0].value is found


def test_an_empty_target_is_the_cases_fault_and_contained_in_nothing(played):
    assert contains().check(played("anything", "!"))[0].unscored == "scorer_error"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$1,234.50", ["1234.50"]),
        ("1 500 рублей", ["1500"]),
        ("1\u00a0234\u202f567 1\u00a0234\u00a0567,89", ["1234", "567", "1234567.89"]),
        ("1'000 1_000", ["1000", "1000"]),
        ("12,345,678", ["12345678"]),
        ("1.234.567,5", ["1234567.5"]),
        ("3,14 1,2345 0,125", ["3.14", "1.2345", "0.125"]),
        ("-5 =-5 (-5) −5 -$4", ["-5", "-5", "-5", "-5", "-4"]),
        ("16 - 3 - 4 = 9, 3-4, a-5", ["16", "3", "4", "9", "3", "4", "5"]),
        ("50% 1e3 2.5E-2 .5", ["50", "1000", "0.025", "0.5"]),
        ("5 m2, CO2, 5², x2024", ["5", "5"]),
        ("USD500 #18 **18** __18__ 18.", ["500", "18", "18", "18", "18"]),
        ("<<9*2=18>>18", ["9", "2", "18", "18"]),
        ("５００", ["500"]),
        ("two, ½, NaN, inf", []),
    ],
)
def test_numbers_are_read_as_people_write_them(text, found):
    assert list(numbers(text)) == [Decimal(one) for one in found]


@given(st.text(alphabet="0123456789.,'- eE+$_−x", max_size=60))
def test_any_text_gives_finite_numbers(text):
    assert all(number.is_finite() for number in numbers(text))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_printed_number_is_read_back(number):
    assert list(numbers(f"It is {number:,} in all")) == [number]


def test_hostile_texts_are_read_in_linear_time():
    began = time.perf_counter()
    for text in ("1,111" * 20000, "9" * 100000, "1.111." * 20000, "1 " * 50000, "-" * 100000):
        list(numbers(text))
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("reply", "target", "settings", "right"),
    [
        ("First 3, then 4. A: 7", 7, {}, True),
        ("A: 7 of 9", 7, {}, False),
        ("the answer is 70,000 dollars", "70,000", {}, True),
        ("18.00", 18, {}, True),
        ("0.3333", 1 / 3, {"abs": 0.001}, True),
        ("0.3333", 1 / 3, {}, False),
        ("101", 100, {"rel": 0.01}, True),
        ("102", 100, {"rel": 0.01}, False),
        ("-7", 7, {}, False),
        ("#### 12 apples, 5 left", 12, {"after": "####"}, True),
        ("12", 12, {"after": "####"}, False),
        ("5 or 6", {"any_of": [6, "7"]}, {}, True),
        ("none", 0, {}, False),
        ("", 0, {}, False),
        (None, 0, {}, False),
        ("9" * 5000, 1, {}, False),
        ("1" + "0" * 40 + "1", "1" + "0" * 40 + "0", {}, False),
    ],
)
def test_the_replys_number_is_the_targets(played, reply, target, settings, right):
    (score,) = numeric(**settings).check(played(reply, target))
    assert (score.value, score.unscored) == (right, None)


@pytest.mark.parametrize("target", ["none", True, [1], {"any_of": [1, "x"]}])
def test_a_target_without_a_number_is_the_cases_fault(played, target):
    assert numeric().check(played("1", target))[0].unscored == "scorer_error"


def test_a_negative_tolerance_is_refused():
    with pytest.raises(UsageError):
        numeric(abs=-1)

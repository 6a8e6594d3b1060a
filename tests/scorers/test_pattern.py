"""Patterns that people write."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.scorers.claims import PLACED_CLAIM
from assay.scorers.pattern import BadPattern, finder, regex


@pytest.mark.parametrize(
    ("reply", "settings", "right"),
    [
        ("order ORD-17 is placed", {"pattern": r"ORD-\d+"}, True),
        ("order ord-17 is placed", {"pattern": r"ORD-\d+"}, True),
        ("order ord-17 is placed", {"pattern": r"ORD-\d+", "case": True}, False),
        ("order ORD-17", {"pattern": r"ORD-\d+", "whole": True}, False),
        ("ORD-17", {"pattern": r"ORD-\d+", "whole": True}, True),
        ("ORD-17.", {"pattern": r"ORD-\d+", "whole": True}, False),
        ("ВАШ ЗАКАЗ", {"pattern": "заказ"}, True),
        ("мой заказ.", {"pattern": r"(?:^|[^\pL])заказ(?:$|[^\pL])"}, True),
        ("мой заказчик", {"pattern": r"(?:^|[^\pL])заказ(?:$|[^\pL])"}, False),
        ("a\nb", {"pattern": "^b$"}, False),
        ("a\nb", {"pattern": "(?m)^b$"}, True),
        ("\ud800 x", {"pattern": "x"}, True),
        (None, {"pattern": "x"}, False),
        ("", {"pattern": "x"}, False),
    ],
)
def test_a_pattern_is_found_in_the_reply(played, reply, settings, right):
    (score,) = regex(**settings).check(played(reply))
    assert (score.value, score.unscored) == (right, None)


def test_the_target_is_the_pattern_where_none_is_set(played):
    assert regex().check(played("It is 42.", r"\b4\d\b"))[0].value is True
    assert regex().check(played("It is 52.", {"any_of": ["a{3}", r"5\d"]}))[0].value is True
    assert regex().check(played("It is 62.", {"any_of": ["a{3}", r"5\d"]}))[0].value is False
    assert regex().check(played("x"))[0].unscored == "not_applicable"


def test_a_target_that_is_no_pattern_is_the_cases_fault(played):
    (score,) = regex().check(played("x", "(?=x)"))
    assert score.unscored == "scorer_error"
    assert "invalid perl operator" in score.reason


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "missing )"),
        ("(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape"),
        ("a" * 20_000, "20000 characters"),
        (r"\bзаказ\b", "ASCII letters only"),
        (r"заказ \w+", "ASCII letters only"),
        ("(((a{100}){100}){100})", "repetition"),
    ],
)
def test_a_setting_that_is_no_pattern_is_refused_with_the_reason(pattern, says, capfd):
    with pytest.raises(UsageError) as error:
        regex(pattern=pattern)
    assert says in error.value.problem
    assert "regex: pattern" in error.value.problem
    assert capfd.readouterr().err == ""


def test_an_escaped_backslash_before_a_letter_is_no_word_mark():
    assert finder(r"путь\\bin")(r"путь\bin") is not None


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "(a?){50}a{50}"])
def test_a_pattern_takes_linear_time(played, pattern):
    rule = regex(pattern=pattern)
    began = time.process_time()
    rule.check(played("a" * 100_000 + "!"))
    assert time.process_time() - began < 2


@given(st.text(max_size=20), st.text(max_size=50))
def test_any_pattern_compiles_or_is_refused_and_matches_any_text(pattern, text):
    with suppress(BadPattern):
        found = finder(pattern)(text)
        assert found is None or isinstance(found, str)


@pytest.mark.parametrize(
    ("line", "claimed"),
    [
        ("Ваш заказ оформлен", True),
        ("Ваш заказ ORD-1 уже принят, спасибо", True),
        ("Заказ создан!", True),
        ("Заказ размещён.", True),
        ("Оформила ваш заказ", True),
        ("Ваш заказ оформлен?", False),
        ("Ваш заказ принят ?", False),
        ("Ваш заказ принят\u00a0?", False),
        ("Заказ не нужен. Принято", False),
        ("заказ непринятый", False),
        ("заказ принятие", False),
        ("your order has been placed", True),
        ("I placed your order", True),
        ("shall I place the order", False),
    ],
)
def test_the_built_in_claim_finds_statements_and_no_questions(line, claimed):
    assert (finder(PLACED_CLAIM)(line) is not None) is claimed

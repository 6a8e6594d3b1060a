"""Equality after SQuAD's normalisation."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.message import Finish
from assay.ports import Table
from assay.scorers.exact import LONGEST, exact, normalise

NO_TABLE = cast("Table", None)  # a rule never looks at its table


@pytest.mark.parametrize(
    ("reply", "target", "equal"),
    [
        ("Paris", "paris", True),
        (" The  Eiffel Tower!\n", "eiffel tower", True),
        ("a cat", "the cat", True),
        ("well-known", "wellknown", True),
        ("«Да».", "да", True),
        ("ＡＢＣ１２", "abc12", True),
        ("ﬁle", "file", True),
        ("Straße", "STRASSE", True),
        ("1,000", "1000", True),
        ("$5", "5", True),
        ("1.5", "15", False),
        ("-5", "5", False),
        ("−5", "-5", True),
        ("10:30", "1030", False),
        ("anthem", "them", False),
        ("Paris, France", "Paris", False),
        ("", "x", False),
        (42, 42, True),
        ("42", 42, True),
        ("true", True, True),
        ("NYC", {"any_of": ["New York", "nyc"]}, True),
        ("LA", {"any_of": ["New York", "nyc"]}, False),
        ("x", {"any_of": []}, False),
    ],
)
def test_a_reply_equals_its_target_after_normalisation(played, reply, target, equal):
    (score,) = exact().check(played(str(reply), target))
    assert (score.name, score.value, score.unscored) == ("exact", equal, None)
    assert score.reason


@pytest.mark.parametrize(
    ("setting", "reply", "target"),
    [("case", "A1", "a1"), ("punctuation", "b!", "b"), ("articles", "the b", "b")],
)
def test_a_difference_counts_where_its_setting_says_so(played, setting, reply, target):
    trial = played(reply, target)
    assert exact().check(trial)[0].value is True
    assert exact(**{setting: True}).check(trial)[0].value is False
    assert exact(**{setting: True}).settings != exact().settings


def test_a_case_without_a_target_is_not_applicable(played):
    assert exact().check(played("x"))[0].unscored == "not_applicable"


def test_a_play_without_a_final_reply_is_wrong_and_says_why(played):
    (score,) = exact().check(played(None, "x"))
    assert score.value is False
    assert "max_turns" in score.reason


def test_a_cut_reply_says_so(played):
    assert "cut at the token limit" in exact().check(played("x", "y", finish=Finish.LENGTH))[0].reason


def test_a_huge_reply_is_wrong_without_being_read(played):
    assert exact().check(played("x" * (LONGEST + 1), "x"))[0].value is False


@given(st.text())
def test_normalising_twice_changes_nothing_that_matters(text):
    once = normalise(text, articles=True)
    assert normalise(once, articles=True).split() == once.split() or not text.isascii()


async def test_a_rule_scores_without_a_seat(played):
    rule = exact()
    assert rule.seats == ()
    assert [s.value for s in await rule.score(played("x", "x"), NO_TABLE)] == [True]

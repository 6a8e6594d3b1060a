"""The four parts of clarity."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.scorers.clarity import clarity, parts, sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ("It costs 1.50 euros. Fine.", ["It costs 1.50 euros.", "Fine."]),
        ("He said «Yes.» Then left.", ["He said «Yes.»", "Then left."]),
        ("List:\n- one\n- two\n", ["List:", "- one", "- two"]),
        ("1. one\n2. two", ["1. one", "2. two"]),
        ("Code:\n```\nx = {.\n```\nDone.", ["Code:", "Done."]),
        ("...\n---\n", []),
    ],
)
def test_sentences_end_at_marks_and_at_lines(text, found):
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "part", "value"),
    [
        ("One two three.", "length", 0.6),
        ("word " * 25, "length", 1.0),
        ("word " * 40, "length", 0.4),
        ("word " * 60, "length", 0.0),
        ("Good. bad. Bad", "sentences", 1 / 3),
        ("5 boxes. 中文。", "sentences", 1 / 2),
        ("List:\n- one\n2) two", "sentences", 1.0),
        ("«Да». Конечно!", "sentences", 1.0),
        ("a b a b a b", "repetition", 2 / 4),
        ("a b", "repetition", 1.0),
        ("See (1) and [2].", "form", 1.0),
        ("See (1.", "form", 0.0),
        ("See (1].", "form", 0.0),
        ("a) one\nb) two :-)", "form", 1.0),
        ("```\ncode", "form", 0.0),
        ("Dear {{NAME}}", "form", 0.0),
        ("x <|im_end|>", "form", 0.0),
        ("[/INST] x", "form", 0.0),
        ("bell \a", "form", 0.0),
    ],
)
def test_each_part_is_as_it_is_defined(text, part, value):
    assert parts(text)[part] == pytest.approx(value)


@pytest.mark.parametrize("text", ["", " \n", None])
def test_an_empty_reply_is_not_clear(played, text):
    assert clarity().check(played(text))[0].value == 0.0


def test_the_parts_are_kept_and_their_mean_is_the_score(played):
    (score,) = clarity().check(played("Hello {{NAME}}"))
    assert score.value == pytest.approx(sum(score.details.values()) / 4)
    assert set(score.details) == {"length", "sentences", "repetition", "form"}
    assert score.reason == "weakest part: sentences"


@given(st.text(max_size=200))
def test_every_part_lies_between_0_and_1(text):
    if text.strip():
        assert all(0 <= value <= 1 for value in parts(text).values())


@pytest.mark.parametrize("text", ["(" * 50_000, ". " * 25_000, "1)\n" * 16_000, "```" * 16_000, "«" * 50_000])
def test_hostile_replies_take_linear_time(played, text):
    began = time.process_time()
    clarity().check(played(text))
    assert time.process_time() - began < 2

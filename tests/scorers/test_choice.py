"""The option that a reply chooses."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.scorers.choice import choice, chosen

CITIES = {"A": "Paris", "B": "a dog", "C": "London", "D": "Rome"}


@pytest.mark.parametrize(
    ("reply", "letter", "method"),
    [
        ("B", "B", "whole"),
        (" (b) ", "B", "whole"),
        ("b.", "B", "whole"),
        ("**C**", "C", "whole"),
        ("A) Paris", "A", "whole"),
        ("A: Paris", "A", "whole"),
        ("Answer: B", "B", "stated"),
        ("answer:b", "B", "stated"),
        ("**Answer:** C", "C", "stated"),
        ("Answer:\n\nB", "B", "stated"),
        ("The answer is (b).", "B", "stated"),
        ("The correct answer is B because x", "B", "stated"),
        ("The answer is A, since x", "A", "stated"),
        ("Final answer: **B**\n", "B", "stated"),
        ("The answer to question 3 is D", "D", "stated"),
        ("The answer is A. Wait: the answer is C.", "C", "stated"),
        ("Not A. The best choice is D: Rome", "D", "stated"),
        ("<answer>B</answer>", "B", "stated"),
        ('{"answer": "C"}', "C", "stated"),
        (r"\boxed{D}", "D", "stated"),
        (r"So $\boxed{\text{B}}$", "B", "stated"),
        ("B is correct.", "B", "stated"),
        ("Option B is correct, A is not.", "B", "stated"),
        ("I choose B", "B", "stated"),
        ("Answer B is wrong. Answer C is right", "C", "stated"),
        ("It is not clear, but the answer is B", "B", "stated"),
        ("Ответ: D", "D", "stated"),
        ("ответ — (С)", "C", "stated"),
        ("Правильный вариант это В, так как", "B", "stated"),
        ("Let me think.\n\nD", "D", "last_line"),
        ("Let me think.\nD) Rome", "D", "last_line"),
        ("I think it must be (b)", "B", "end"),
        ("It is not A. So: B.", "B", "end"),
        ("rome", "D", "whole_text"),
        ("The answer is Rome.", "D", "stated_text"),
        ("The answer is a dog", "B", "stated_text"),
        ("The answer is A dog", "B", "stated_text"),
        ("Hm.\nLondon", "C", "last_line_text"),
    ],
)
def test_a_choice_is_read_however_it_is_stated(reply, letter, method):
    assert chosen(reply, CITIES) == (letter, method)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "maybe",
        "E",
        "A or B",
        "Answer: A or B",
        "The answer is A/B",
        "The answer is B and D.",
        "Answer B is wrong. It is a pity.",
        "Is the answer B? No",
        "I do not think the answer is B.",
        "It isn't true that the answer is B.",
        "Не думаю, что ответ — B, и не хочу гадать",
        "Option A is good, option B better.",
        "A dog barks",
        "The answer is a mystery",
        "The answer is A mystery",
        "Answer: 2.5",
        "Answer: Berlin",
        "Paris and Rome are nice",
        "It's not Paris",
        "Vitamin B",
        "B is not correct",
    ],
)
def test_a_reply_that_states_no_choice_is_never_guessed_at(reply):
    assert chosen(reply, CITIES) is None


def asked(trial, text="Which?", facts=None):
    case = msgspec.structs.replace(trial.case, input=text, facts=facts or {})
    return msgspec.structs.replace(trial, case=case)


QUESTION = "1. Read.\n2. Choose.\n\nWhich is it?\nA) red wine\n(B) blue\nC. green\n"


@pytest.mark.parametrize(
    ("reply", "target", "right"),
    [
        ("B", "B", True),
        ("B", "b", True),
        ("B", "(B)", True),
        ("blue", "B", True),
        ("B", "Blue", True),
        ("C", "B", False),
        ("D", "B", False),
        ("no idea", "B", False),
        ("C", {"any_of": ["B", "green"]}, True),
        (None, "B", False),
    ],
)
def test_the_options_of_the_input_give_letters_and_texts(played, reply, target, right):
    (score,) = choice().check(asked(played(reply, target), QUESTION))
    assert (score.value, score.unscored) == (right, None)


def test_a_missing_choice_says_so(played):
    (score,) = choice().check(asked(played("no idea", "B"), QUESTION))
    assert score.reason == "no choice of A to C is stated in 'no idea'"
    assert score.details == {"chosen": None}


@pytest.mark.parametrize(
    ("facts", "reply", "target"),
    [
        ({"OPTIONS": ["Paris", "Rome"]}, "Rome", "B"),
        ({"OPTIONS": ["Paris", "Rome"]}, "b", "Rome"),
        ({"OPTIONS": {"x": "Paris", "y": "Rome"}}, "Y", "y"),
        ({}, "Ответ: Б", "Б"),
        ({}, "2", "2"),
    ],
)
def test_options_may_be_facts_or_in_other_letters(played, facts, reply, target):
    text = {"Б": "А) да\nБ) нет\nВ) позже", "2": "1) yes\n2) no"}.get(target, "Which?")
    assert choice().check(asked(played(reply, target), text, facts))[0].value is True


def test_in_a_russian_list_a_letter_is_itself(played):
    trial = asked(played("В", "В"), "А) да\nБ) нет\nВ) позже")
    assert choice().check(trial)[0].details["chosen"] == "В"


def test_letters_stand_for_options_that_are_not_listed(played):
    assert choice(letters="XYZ").check(asked(played("Answer: Y", "Y")))[0].value is True
    assert choice().check(asked(played("Answer: J", "J")))[0].value is True
    assert choice().check(asked(played("B")))[0].unscored == "not_applicable"


@pytest.mark.parametrize("target", ["Z", "purple", {"any_of": []}, {"any_of": ["B", "Z"]}])
def test_a_target_that_is_no_option_is_the_cases_fault(played, target):
    assert choice().check(asked(played("B", target), QUESTION))[0].unscored == "scorer_error"


@pytest.mark.parametrize("letters", ["AAB", "", "A-D"])
def test_letters_that_are_none_are_refused(letters):
    with pytest.raises(UsageError):
        choice(letters=letters)


@given(st.text(max_size=80))
def test_any_reply_gives_a_known_letter_or_none(reply):
    found = chosen(reply, CITIES)
    assert found is None or found[0] in CITIES


@pytest.mark.parametrize(
    "text",
    [
        "answer " * 10_000,
        "answer" + "=" * 50_000,
        "answer to " + "x " * 25_000,
        "answer is " * 5_000,
        "\\boxed{" * 7_000,
        "*" * 50_000,
        "A " * 25_000,
        "not a " * 8_000 + "answer",
    ],
)
def test_hostile_replies_are_read_in_linear_time(played, text):
    began = time.process_time()
    choice().check(played(text, "B"))
    assert time.process_time() - began < 2

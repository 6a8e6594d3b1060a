"""How much of a text stands in another."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.scorers.overlap import f1, jaccard, relevance, rouge_l
from assay.scorers.reference import LONGEST_TEXT, norm, reference_texts, tok


def squad_f1(prediction, truth):
    """SQuAD 2.0's own compute_f1, from its evaluation script."""

    def normal(text):
        bare = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", bare).split()

    gold, pred = normal(truth), normal(prediction)
    same = sum((Counter(gold) & Counter(pred)).values())
    if not gold or not pred:
        return float(gold == pred)
    if same == 0:
        return 0.0
    precision, recall = same / len(pred), same / len(gold)
    return 2 * precision * recall / (precision + recall)


_WORD = st.sampled_from(["the", "a", "Cat,", "cat", "sat!", "Dog", "(dog)", "an", "red", "..."])
_SENTENCE = st.lists(_WORD, max_size=8).map(" ".join)


@given(reply=_SENTENCE, target=_SENTENCE)
def test_f1_is_squads_on_words_without_numbers(played, reply, target):
    (score,) = f1().check(played(reply, target))
    assert score.value == pytest.approx(squad_f1(reply, target))


def test_the_best_accepted_target_counts_for_f1(played):
    (score,) = f1().check(played("Paris", {"any_of": ["London", "Paris"]}))
    assert (score.value, score.details["reference"]) == (1.0, 1)


def test_of_targets_that_are_equally_near_the_first_is_named(played):
    (score,) = f1().check(played("Paris", {"any_of": ["London", "Paris", "paris!"]}))
    assert score.details["reference"] == 1


@pytest.mark.parametrize("factory", [f1, rouge_l, relevance])
def test_without_a_target_there_is_nothing_to_compare(played, factory):
    assert factory().check(played("x"))[0].unscored == "not_applicable"
    assert factory().check(played("x", {"any_of": []}))[0].unscored == "not_applicable"


@pytest.mark.parametrize("factory", [f1, rouge_l, relevance])
def test_a_text_that_is_too_long_is_not_measured(played, factory):
    for reply, target in (("x" * (LONGEST_TEXT + 1), "x"), ("x", "x" * (LONGEST_TEXT + 1))):
        score = factory().check(played(reply, target))[0]
        assert score.unscored == "scorer_error"
        assert "50001" in score.reason


def lcs(a, b):
    """The textbook's table."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best[i + 1][j + 1] = best[i][j] + 1 if x == y else max(best[i][j + 1], best[i + 1][j])
    return best[-1][-1]


def test_rouge_l_is_the_f_of_the_textbooks_longest_common_subsequence(played, pairs):
    rule = rouge_l()
    for reply, reference in pairs[:300]:
        (score,) = rule.check(played(reply, reference))
        said, wanted = tok(reply), tok(reference)
        if not wanted:
            assert score.unscored == "not_applicable"
        else:
            assert score.value == pytest.approx(2 * lcs(said, wanted) / (len(said) + len(wanted)))


@given(st.frozensets(st.integers(0, 9)), st.frozensets(st.integers(0, 9)))
def test_the_jaccard_index_is_symmetric_and_one_only_of_equal_sets(a, b):
    assert jaccard(a, b) == jaccard(b, a)
    assert (jaccard(a, b) == 1) == (a == b)


def test_relevance_says_one_figure_for_the_target_and_one_for_the_prompt(played):
    ref, prompt = relevance().check(played("a question", "an answer"))
    assert (ref.name, ref.value) == ("relevance_ref", 0.0)
    assert (prompt.name, prompt.value) == ("relevance_prompt", 0.5)
    ref, prompt = relevance(stop_words=True).check(played("a question"))
    assert ref.unscored == "not_applicable"
    assert prompt.value == 1.0
    ref, prompt = relevance(stop_words=True).check(played("и", "the"))
    assert (ref.value, prompt.value) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't e-mail U.S. 1,250.50!", ["don't", "e-mail", "u.s", "1,250.50"]),
        ("«Ёлка» — 10:30…", ["ёлка", "10:30"]),
        ("ﬁne １２", ["fine", "12"]),
        (" - ", []),
    ],
)
def test_tokens_are_words_and_numbers_with_the_marks_within(text, tokens):
    assert tok(text) == tokens


def test_normal_text_has_one_blank_between_words_and_may_fold_yo():
    assert norm(" Ещё\u00a0 RAZ\n") == "ещё raz"
    assert norm("Ещё", fold_yo=True) == "еще"


@pytest.mark.parametrize(
    ("target", "texts"),
    [
        ("x", ("x",)),
        ({"any_of": ["x", "y"]}, ("x", "y")),
        ({"text": "x", "items": ["y"]}, ("x",)),
        ({"text": {"any_of": ["x", "y"]}, "items": []}, ("x", "y")),
        ({"items": ["y"]}, ()),
        ({"text": "x"}, ('{"text": "x"}',)),
        (7, ("7",)),
        (None, ()),
    ],
)
def test_a_targets_texts_are_found_in_each_of_its_forms(target, texts):
    assert reference_texts(target) == texts

"""SQuAD's figures, against the evaluation script's own steps written out."""

import collections
import re
import string

import pytest

from assay.scorers import make_scorer


def script(answer: str, golds: list[str]) -> tuple[float, float]:
    """Exact and F1 as the script of SQuAD 2.0 computes them, the empty answer for none."""

    def normalize(s: str) -> str:
        s = "".join(ch for ch in s.lower() if ch not in set(string.punctuation))
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())

    def f1(gold: str, said: str) -> float:
        gold_tokens, said_tokens = normalize(gold).split(), normalize(said).split()
        same = sum((collections.Counter(gold_tokens) & collections.Counter(said_tokens)).values())
        if not gold_tokens or not said_tokens:
            return float(gold_tokens == said_tokens)
        if not same:
            return 0.0
        precision, recall = same / len(said_tokens), same / len(gold_tokens)
        return 2 * precision * recall / (precision + recall)

    exact = max(float(normalize(gold) == normalize(answer)) for gold in golds)
    return exact, max(f1(gold, answer) for gold in golds)


async def scores(played, reply, target):
    found = await make_scorer("squad", {}).score(played(reply, target), None)
    return {each.name: each.value for each in found}


@pytest.mark.parametrize(
    ("reply", "golds"),
    [
        ("The Normandy!", ["Normandy", "to Normandy"]),
        ("1,000 men", ["1000 men"]),
        ("1.5", ["15"]),
        ("in the year of 1066", ["1066"]),
        ("", ["x"]),
        ("the", ["an"]),
        ("x y", ["y x"]),
        ("a.b", ["ab", "a b"]),
        ("Ёлка", ["ёлка"]),
    ],
)
async def test_both_figures_are_those_of_the_script(played, reply, golds):
    exact, f1 = script(reply, golds)
    found = await scores(played, reply, {"any_of": golds})
    assert found["squad_exact"] == bool(exact)
    assert found["squad_f1"] == pytest.approx(f1)


async def test_over_the_texts_of_all_pairs_both_agree(played, pairs):
    for reply, gold in pairs[:300]:
        exact, f1 = script(reply, [gold])
        found = await scores(played, reply, gold)
        assert (found["squad_exact"], found["squad_f1"]) == (bool(exact), pytest.approx(f1))


@pytest.mark.parametrize(
    ("reply", "right"), [("Unanswerable.", 1), ("No answer", 1), ("", 1), ("Normans", 0)]
)
async def test_a_question_without_an_answer_is_all_or_nothing(played, reply, right):
    assert await scores(played, reply, "unanswerable") == {"squad_exact": bool(right), "squad_f1": right}


async def test_an_answer_that_says_there_is_none_shares_no_word_with_a_real_one(played):
    assert await scores(played, "unanswerable", {"any_of": ["unanswerable questions"]}) == {
        "squad_exact": False,
        "squad_f1": 0,
    }


async def test_no_reply_is_wrong_and_no_target_is_unscored(played):
    assert await scores(played, None, "x") == {"squad_exact": False, "squad_f1": 0}
    found = await make_scorer("squad", {}).score(played("x", None), None)
    assert {each.unscored for each in found} == {"not_applicable"}

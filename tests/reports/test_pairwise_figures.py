"""What a judge preferred, and the biases that are flagged."""

import random

import pytest

from assay.case import Case
from assay.reports.families import family, kin
from assay.reports.preference import preference
from assay.trial import Score, Status, Trial


def pair(number: int, orders, *, a: int = 10, b: int = 10, **details) -> Trial:
    """A trial whose judge preferred these, in order AB and in order BA."""
    value = {("A", "A"): 0.0, ("B", "B"): 1.0}.get(tuple(orders), 0.5)
    kept = {"preferred": list(orders), "characters": {"A": a, "B": b}, **details}
    return Trial(
        "run", f"k{number}", Case(f"c{number}", f"n{number}"), "j", 0, 0, Status.SCORED,
        scores=(Score("pairwise", value, details=kept),),
    )  # fmt: skip


def test_wins_ties_flips_and_first_places_are_counted():
    trials = [
        *[pair(n, "BB") for n in range(6)],
        *[pair(10 + n, "AA") for n in range(2)],
        pair(20, "AB"),
        pair(21, ("A", "neither")),
        Trial("run", "k22", Case("c22", "same"), "j", 0, 0, Status.SCORED,
              scores=(Score("pairwise", 0.5, details={"same": True, "characters": {"A": 2, "B": 2}}),)),
        Trial("run", "k23", Case("c23", "x"), "j", 0, 0, Status.UNSCORED, "judge_invalid"),
    ]  # fmt: skip
    found = preference(trials, "judge/j")
    assert (found.pairs, found.asked, found.same, found.unscored) == (11, 10, 1, 1)
    assert (found.a_wins, found.b_wins, found.ties) == (2, 6, 3)
    assert found.win_rate.value == pytest.approx(7.5 / 11)
    assert found.win_rate.low < 7.5 / 11 < found.win_rate.high
    assert found.position_flip_rate == 0.2
    assert found.decided == 19
    assert found.win_first_rate == pytest.approx(11 / 19)
    assert found.flags == ()


def test_a_judge_that_takes_the_first_is_flagged_and_settles_nothing():
    found = preference([pair(n, "AB") for n in range(30)], "judge/j")
    assert found.win_rate.value == 0.5
    assert (found.position_flip_rate, found.win_first_rate) == (1.0, 1.0)
    assert "leans to the answer that is shown first" in found.flags[0]


def test_a_judge_that_takes_the_longest_is_flagged_with_the_rate_at_equal_length():
    stream = random.Random(1)
    sizes = [(stream.randint(5, 200), stream.randint(5, 300)) for _ in range(200)]
    trials = [
        pair(n, "BB" if (b > a) != (stream.random() < 0.1) else "AA", a=a, b=b)
        for n, (a, b) in enumerate(sizes)
    ]
    found = preference(trials, "judge/j")
    assert any("longer answer wins" in flag for flag in found.flags)
    assert found.win_rate.value > 0.6  # since B talks more
    assert found.at_equal_length.low < 0.5 < found.at_equal_length.high


def test_a_judge_of_an_arms_family_is_flagged():
    found = preference(
        [pair(0, "AA")], "openai/gpt-4o", ("anthropic/claude-sonnet-4-5", "openai/gpt-4o-mini")
    )
    assert found.flags == (
        "the judge openai/gpt-4o is of the family of openai/gpt-4o-mini: it may prefer its own kind",
    )


def test_answers_that_address_the_judge_are_listed():
    found = preference([pair(0, "AA", suspicious=["a grade"]), pair(1, "AA")], "j")
    assert found.suspicious == ("n0",)


@pytest.mark.parametrize(
    ("model", "of"),
    [
        ("openai/gpt-4o-mini", "GPT"),
        ("openai/o3", "GPT"),
        ("groq/llama-3.3-70b-versatile", "Llama"),
        ("ollama/llama3.2:1b", "Llama"),
        ("openrouter/meta-llama/Llama-3-8b", "Llama"),
        ("groq/mixtral-8x7b-32768", "Mistral"),
        ("groq/gemma2-9b-it", "Gemini and Gemma"),
        ("anthropic/claude-haiku-4-5", "Claude"),
        ("vllm/Qwen/Qwen2.5-7B", "Qwen"),
        ("yandex/yandexgpt-lite", "YandexGPT"),
        ("emulated/gpt-4o", None),
        ("openai/my-finetune", None),
    ],
)
def test_the_family_is_read_from_the_models_name(model, of):
    assert family(model) == of


def test_a_judge_is_its_own_kin_whatever_its_name():
    assert kin("vllm/mine", ("vllm/other", "vllm/mine")) == "vllm/mine"
    assert kin("vllm/mine", ("vllm/other",)) is None

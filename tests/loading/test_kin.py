"""A judge of the family of those whom it judges is warned of."""

import pytest

from assay.loading.kin import family, kin
from assay.plan import ModelChoice, Plan


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-4o-mini", "gpt"),
        ("anthropic/claude-3-5-haiku", "claude"),
        ("ollama/llama3.2:1b", "llama"),
        ("hf/weights/Qwen2.5-0.5B", "qwen"),
        ("openai-compatible/meta-llama/Llama-3.1-8B", "llama"),
        ("emulated/judge", None),
        ("recorded/answers.jsonl", None),
        ("python:own:model", None),
        ("ollama/4", None),
    ],
)
def test_a_family_is_the_word_that_a_name_begins_with(model, name):
    assert family(model) == name


def told(judge: str, *models: str) -> list[str]:
    plan = Plan(task="qa", models=tuple(map(ModelChoice, models)), cast={"judge": ModelChoice(judge)})
    return list(kin(plan, ["judge", "judge", "other"]))


def test_each_model_of_the_judges_family_is_named_once():
    (warning,) = told("openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-3-5-haiku")
    assert warning.startswith("openai/gpt-4o judges openai/gpt-4o-mini, which is of its family (gpt)")
    assert told("openai/gpt-4o", "ollama/llama3.2:1b") == []
    assert told("emulated/judge", "emulated/agent") == []


def test_an_alias_is_looked_through():
    plan = Plan(
        task="qa",
        models=(ModelChoice("cheap", model="openai/gpt-4o-mini"),),
        cast={"judge": ModelChoice("strict", model="openai/gpt-4o")},
    )
    assert len(list(kin(plan, ["judge"]))) == 1

"""What the text scorers cost: under a millisecond a trial of 100 tokens, with room for a busy machine."""

import time
from random import Random

import pytest

from assay.scorers import make_scorer

NAMES = (
    "bleu",
    "cer",
    "choice",
    "chrf",
    "clarity",
    "f1",
    "regex",
    "relevance",
    "rouge_l",
    "similarity",
    "task_completion",
    "wer",
)
SETTINGS = {"regex": {"pattern": "a+b"}, "task_completion": {"corpus": ["alpha beta", "gamma"]}}


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_of_a_hundred_tokens_takes_about_a_millisecond(played, name):
    random = Random(1)
    words = ["".join(random.choices("абвгдеabcdefghijklmnop", k=random.randint(2, 9))) for _ in range(300)]
    rule = make_scorer(name, SETTINGS.get(name, {}))
    target = "B" if name == "choice" else " ".join(random.choices(words, k=100))
    trials = [played(" ".join(random.choices(words, k=100)), target) for _ in range(50)]
    rule.check(trials[0])
    spent = []
    for trial in trials:
        began = time.process_time()
        rule.check(trial)
        spent.append(time.process_time() - began)
    assert sorted(spent)[len(spent) // 2] < 2e-3

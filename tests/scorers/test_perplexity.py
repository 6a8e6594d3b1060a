"""Perplexity from what a play was told, and why there is none."""

import math

import pytest
from msgspec import structs

from assay.scorers import make_scorer
from assay.trial import Event, EventKind, Transcript


async def score(played, told, target="a b", kind=EventKind.LIKELIHOOD):
    trial = played("the reply", target)
    events = () if told is None else (Event(kind, "candidate", data=told),)
    transcript = trial.transcript
    trial = structs.replace(trial, transcript=Transcript(events, transcript.outcome, transcript.final))
    (found,) = await make_scorer("perplexity", {}).score(trial, None)
    return found


async def test_it_is_exp_of_the_mean_negative_log_likelihood(played):
    found = await score(played, {"of": "a b", "logprobs": [math.log(1 / 2), math.log(1 / 8)]})
    assert found.value == pytest.approx(4)
    assert found.details == {"nll": pytest.approx(math.log(16)), "tokens": 2}


async def test_a_target_of_several_takes_the_first_and_other_values_are_their_json(played):
    told = {"of": "x", "logprobs": [0.0]}
    assert (await score(played, told, {"any_of": ["x", "y"]})).value == 1
    assert (await score(played, {"of": '{"a": 1}', "logprobs": [0.0]}, {"a": 1})).value == 1


@pytest.mark.parametrize(
    ("told", "target", "why"),
    [
        (None, "a b", "did not ask"),
        (
            {"of": "a b", "missing": "the model gives no log-probabilities"},
            "a b",
            "gives no log-probabilities",
        ),
        ({"of": "other", "logprobs": [-1.0]}, "a b", "another target"),
        ({"of": "a b", "logprobs": []}, "a b", "no log-probabilities came"),
        ({"of": "a b", "logprobs": [-1.0]}, None, "no target"),
        ({"of": "a b", "logprobs": [-1.0]}, {"any_of": []}, "no target"),
    ],
)
async def test_without_log_probabilities_it_is_unscored_with_the_reason(played, told, target, why):
    found = await score(played, told, target)
    assert (found.value, found.unscored) == (None, "not_applicable")
    assert why in found.reason


@pytest.mark.parametrize("logprobs", [[1.0], ["x"], [-1000.0], [None]])
async def test_what_is_no_log_probability_gives_no_number(played, logprobs):
    found = await score(played, {"of": "a b", "logprobs": logprobs})
    assert (found.value, found.unscored) == (None, "scorer_error")

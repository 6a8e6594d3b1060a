"""pass@k, pass^k and what a model says again, in the summary."""

import pytest

from assay.errors import ErrorClass
from assay.reports.beside import beside
from assay.reports.summary import summarise


def model_of(make, trials):
    return summarise(trials, make.run()).models[0]


def played(make, number, rights, texts=None):
    texts = texts or ["2"] * len(rights)
    return [
        make.trial(number, right, text, repeat=repeat, key=f"{number}.{repeat}")
        for repeat, (right, text) in enumerate(zip(rights, texts, strict=True))
    ]


def test_pass_at_k_and_pass_hat_k_stand_for_every_k_that_repeats_allow(make):
    trials = [*played(make, 0, [1, 1, 0]), *played(make, 1, [0, 0, 0]), *played(make, 2, [1, 1, 1])]
    found = model_of(make, trials).repeats
    assert (found.cases, found.most) == (3, 3)
    assert [each.k for each in found.pass_at] == [1, 2, 3]
    assert [each.estimate.value for each in found.pass_at] == pytest.approx([5 / 9, 2 / 3, 2 / 3])
    assert [each.estimate.value for each in found.pass_all] == pytest.approx([5 / 9, 4 / 9, 1 / 3])


def test_a_case_with_fewer_repeats_is_left_out_and_counted(make):
    trials = [*played(make, 0, [1, 0]), *played(make, 1, [1])]
    two = model_of(make, trials).repeats.pass_at[1]
    assert (two.k, two.estimate.n, two.left_out) == (2, 1, 1)
    assert "1 cases left out" in dict(beside(model_of(make, trials)))["pass@k, any of k right"]


def test_a_failed_attempt_is_a_wrong_one(make):
    trials = [make.trial(0, True), make.trial(0, error=ErrorClass.TIMEOUT, repeat=1, key="x")]
    assert model_of(make, trials).repeats.pass_all[1].estimate.value == 0


def test_repeats_that_say_the_same_are_told_from_those_that_score_the_same(make):
    trials = [*played(make, 0, [1, 1], ["2", "two"]), *played(make, 1, [1, 1]), *played(make, 2, [1, 0])]
    found = model_of(make, trials).repeats
    assert found.same_reply.value == pytest.approx(2 / 3)
    assert found.same_score.value == pytest.approx(2 / 3)


def test_without_repeats_there_is_nothing_to_tell(make):
    found = model_of(make, [make.trial(n) for n in range(3)])
    assert found.repeats is None
    assert not any("repeats" in what for what, _ in beside(found))


def test_a_headline_that_is_no_right_or_wrong_has_no_pass_at_k(make):
    found = model_of(make, played(make, 0, [0.5, 0.5])).repeats
    assert (found.pass_at, found.pass_all) == ((), ())
    assert found.same_score.value == 1


def test_origins_and_the_spend_of_each_role_stand_apart(make):
    calls = (make.call(), make.call(role="judge", origin="cached"), make.call(role="judge", ordinal=1))
    lines = dict(beside(model_of(make, [make.trial(0, calls=calls)])))
    assert lines["origin of replies"] == "live 67% (2) · cached 33% (1)"
    assert lines["spend by role"].startswith(
        "candidate $0.0010 (1 calls, 10 / 2 tokens) · judge $0.0010 (1 calls"
    )

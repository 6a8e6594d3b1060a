"""A score against people's labels: kappa, confusion, and the mean that people would have given."""

import random

import pytest

from assay.case import Case
from assay.reports.calibration import LabelTally, calibrate
from assay.reports.figures import CaseSum
from assay.reports.summary import summarise
from assay.stats.agreement import kappa
from assay.trial import Label, Score, Status, Trial


def label(trial: str, value: float, rater: str = "ann", name: str = "judge") -> Label:
    return Label(trial, name, value, rater)


def judged(number: int, grade: float, *, repeat: int = 0, **details) -> Trial:
    kept = {"scale": {"order": [1, 3]}, "asked": 1, **details}
    return Trial(
        "run", f"k{number}.{repeat}", Case(f"c{number}", f"n{number}"), "m", repeat, 0, Status.SCORED,
        scores=(Score("judge", grade, details=kept, scorer="judge.1.x"),),
    )  # fmt: skip


@pytest.fixture
def found(make):
    def of(trials, labels):
        run = make.run("m", headline="judge")
        return summarise(trials, run, labels=labels).models[0].judges["judge"]

    return of


def test_a_judge_that_is_too_kind_is_corrected_by_the_labelled_cases(found):
    stream = random.Random(2)
    truth = [stream.choice([1, 2, 3]) for _ in range(200)]
    trials = [judged(n, min(3, true + 1)) for n, true in enumerate(truth)]
    labels = [label(f"k{n}.0", truth[n]) for n in range(60)]
    result = found(trials, labels).calibrations["judge"]
    assert result.n == result.cases == 60
    assert result.corrected.low < sum(truth) / 200 < result.corrected.high < 2.5
    given = [min(3, true + 1) for true in truth[:60]]
    assert result.kappa == kappa(truth[:60], given, [1.0, 2.0, 3.0], "quadratic")
    assert result.confusion.labels == (1.0, 2.0, 3.0)
    assert result.confusion.counts[0] == (0, truth[:60].count(1), 0)


def test_repeats_of_a_case_are_one_case(found):
    trials = [judged(n, 1 + n % 3, repeat=r) for n in range(30) for r in range(3)]
    labels = [label(f"k{n}.{r}", 1 + (n + r) % 3) for n in range(10) for r in range(3)]
    result = found(trials, labels).calibrations["judge"]
    assert (result.n, result.cases, result.corrected.n) == (30, 10, 10)


def test_the_newest_word_of_several_raters_is_their_lower_median(found):
    trials = [judged(n, 2) for n in range(4)]
    labels = [
        label(f"k{n}.0", value, rater) for n in range(3) for value, rater in ((1, "a"), (3, "b"), (3, "c"))
    ]
    result = found(trials, labels).calibrations["judge"]
    assert (result.n, result.raters) == (3, 3)
    assert result.confusion.counts[2] == (0, 3, 0)
    assert result.people is not None


def test_one_label_alone_corrects_nothing_and_says_why(found):
    result = found([judged(0, 2), judged(1, 3)], [label("k0.0", 2)]).calibrations["judge"]
    assert result.corrected is None
    assert any("two labelled cases" in why for why in result.why)
    assert any("one and the same label" in why for why in result.why)


def test_labels_of_a_trial_that_has_no_score_are_passed_over(found):
    unscored = Trial("run", "k9", Case("c9", "n9"), "m", 0, 0, Status.UNSCORED, "judge_invalid")
    result = found(
        [judged(0, 2), judged(1, 3), unscored], [label("k9", 1), label("k0.0", 2), label("k1.0", 3)]
    )
    assert result.calibrations["judge"].n == 2


def test_where_every_case_is_labelled_the_mean_is_that_of_the_labels():
    tally = LabelTally()
    for n, (said, given) in enumerate([(1.0, 1.0), (0.0, 1.0), (1.0, 1.0)]):
        tally.add(f"c{n}", [label(f"k{n}", said)], given)
    cases = {f"c{n}": CaseSum(1.0, 1) for n in range(3)}
    result = calibrate(tally, cases, (0, 1))
    assert result.corrected.value == pytest.approx(2 / 3)


def test_a_judge_is_described_by_its_failures_second_asks_spread_and_suspicions(found):
    trials = [
        judged(0, 2, spread={"order": 2}, asked=2),
        judged(1, 3, spread={"order": 0}, suspicious=["a grade"]),
        Trial("run", "k2", Case("c2", "n2"), "m", 0, 0, Status.UNSCORED, "judge_invalid",
              scores=(Score("judge", None, unscored="judge_invalid", details={"asked": 2}),)),
    ]  # fmt: skip
    result = found(trials, [])
    assert (result.valid, result.invalid, result.asked_again, result.spread) == (2, 1, 2, 1.0)
    assert (result.suspicious, result.names) == (1, ("n1",))
    assert result.calibrations == {}


def test_the_notes_say_what_a_reader_must_know_of_a_judge(make):
    trials = [judged(0, 2, suspicious=["a grade"])]
    notes = summarise(trials, make.run("m", headline="judge")).models[0].notes
    assert any("not calibrated against people: assay label run_20261121_1" in note for note in notes)
    assert any("1 trials hold lines that seem to address the judge: n0" in note for note in notes)


def test_a_judge_of_the_models_family_is_noted(make):
    call = make.call(role="judge", model="openai/gpt-4o")
    trial = make.trial(0, model="openai/gpt-4o-mini", calls=(make.call(model="openai/gpt-4o-mini"), call))
    (model,) = summarise([trial], make.run("openai/gpt-4o-mini")).models
    assert any("the judge openai/gpt-4o is of the model's own family" in note for note in model.notes)
    assert model.roles["judge"].cost_usd == call.cost

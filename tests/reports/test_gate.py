"""Gates: verdicts by hand, Holm, what makes a figure invalid, and the same figures as the summary."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.case import Case
from assay.errors import ErrorClass, UsageError
from assay.message import Arrivals, Finish, Instants, Kind, Reply, Request, Usage
from assay.ports import Run
from assay.reports.evidence import of_amounts, of_figure, of_percentile, p_value, told
from assay.reports.figures import CaseSum, figure
from assay.reports.gate import Allowed, Gate, Gating
from assay.reports.reading import Side, read
from assay.stats.intervals import clopper_pearson
from assay.trial import Call, CallState, Outcome, Score, Status, Transcript, Trial


def a_trial(n: int, value: bool | float | None = True, **changes: Any) -> Trial:
    latency, cost = changes.pop("latency", 0.5 + n / 1000), changes.pop("cost", Decimal("0.001"))
    finish, tags = changes.pop("finish", Finish.STOP), changes.pop("tags", {})
    more = changes.pop("more", ())
    arrivals = Arrivals()
    arrivals.append(10**9 + int(latency * 5e8), Kind.CONTENT, 1, 0)
    arrivals.append(10**9 + int(latency * 1e9), Kind.CONTENT, 1, 0)
    reply = Reply(
        "said",
        finish=finish,
        usage=Usage(10, 5),
        instants=Instants(sent=10**9, ended=10**9 + int(latency * 1e9)),
        arrivals=arrivals,
        call="candidate.0.1",
    )
    call = Call(
        run="r",
        trial=f"k{n}",
        role="candidate",
        ordinal=0,
        attempt=1,
        model="m",
        request=Request(()),
        request_hash="h",
        occurrence=0,
        began=0,
        state=CallState.DONE,
        reply=reply,
        cost=cost,
        origin=changes.pop("origin", "live"),
    )
    fields: dict[str, Any] = {
        "run": "r",
        "key": f"k{n}",
        "case": Case(f"c{n}", f"c{n}", tags=tags),
        "model": "m",
        "repeat": 0,
        "seed": 0,
        "status": Status.SCORED,
        "started": 1.0,
        "ended": 1.0 + latency,
        "transcript": Transcript((), Outcome("stop"), reply),
        "calls": (call,),
        "scores": () if value is None else (Score("exact", value), *more),
    }
    return Trial(**{**fields, **changes})


def a_failure(n: int) -> Trial:
    return a_trial(n, None, status=Status.FAILED, detail=ErrorClass.TIMEOUT.value, calls=())


def arm(right: int, n: int, failed: int = 0, **changes: Any) -> list[Trial]:
    good = [a_trial(i, i < right, **changes) for i in range(n - failed)]
    return good + [a_failure(i) for i in range(n - failed, n)]


def a_side(trials: list[Trial], run: str = "r", model: str = "m", **changes: Any) -> Side:
    fields: dict[str, Any] = {
        "id": run,
        "plan": {},
        "task": "t",
        "fingerprint": "",
        "headline": "exact",
        "models": (model,),
        "planned": len(trials),
        "seed": 0,
        "wall": 0,
        "version": "",
        "state": "completed",
    }
    return Side(Run(**{**fields, **changes}), model, lambda: trials)


def gated(gates: list[Gate], side: Side, versus: Side | None = None, allowed: Allowed | None = None) -> Any:
    baselines = {"BASELINE": [versus]} if versus is not None else {}
    return Gating([side], baselines, allowed).report(gates)


def word(gate: Gate, side: Side, versus: Side | None = None) -> Any:
    (found,) = gated([gate], side, versus).gates
    return found


AT_LEAST = Gate("exact", "min", 0.85)
DROP = Gate("exact", "min", -0.02, drop=True)


@pytest.mark.parametrize(("right", "verdict"), [(118, "PASS"), (104, "CANNOT TELL"), (80, "FAIL")])
def test_a_gate_passes_fails_or_cannot_tell_by_where_its_interval_lies(right, verdict):
    found = word(AT_LEAST, a_side(arm(right, 120)))
    assert found.verdict == verdict
    assert (found.low >= 0.85, found.high < 0.85) == (verdict == "PASS", verdict == "FAIL")
    assert found.value == right / 120
    assert (found.more is not None) == (verdict == "CANNOT TELL")


def test_as_many_more_cases_as_it_says_do_tell_a_figure_of_the_same_size():
    found = word(AT_LEAST, a_side(arm(108, 120)))
    assert found.verdict == "CANNOT TELL"
    # ((1.960 + 0.842)^2 * 0.9 * 0.1 / 0.05^2) = 282.5 cases, 120 of which are there
    assert found.more == 163
    n = 120 + found.more
    assert word(AT_LEAST, a_side(arm(round(0.9 * n), n))).verdict == "PASS"


def test_all_right_of_too_few_says_how_many_without_an_error_would_tell():
    found = word(Gate("exact", "min", 0.97), a_side(arm(60, 60)))
    assert found.verdict == "CANNOT TELL"
    enough = 60 + found.more
    assert clopper_pearson(enough, enough)[0] >= 0.97
    assert clopper_pearson(enough - 1, enough - 1)[0] < 0.97


def test_a_rate_of_exactly_1_can_never_be_shown_and_it_says_so():
    found = word(Gate("exact", "min", 1.0), a_side(arm(60, 60)))
    assert (found.verdict, found.more) == ("CANNOT TELL", None)
    assert "no number of cases" in found.reason


def test_a_drop_is_paired_with_the_baseline():
    before, after = a_side(arm(110, 120), "old"), a_side(arm(60, 120))
    found = word(DROP, after, before)
    assert (found.verdict, found.kind, found.limit) == ("FAIL", "drop", 0.02)
    assert found.value == pytest.approx(-50 / 120)
    assert found.versus == "old:m"
    assert word(DROP, before, after).verdict == "PASS"


def test_an_equal_model_cannot_be_told_from_a_drop_until_there_are_enough_cases():
    few, many = a_side(arm(100, 120)), a_side(arm(400, 500))
    found = word(DROP, few, few)
    assert (found.verdict, found.value) == ("CANNOT TELL", 0)
    # no change in n cases leaves up to 1 - 0.025^(1/n) unseen: 2 points at n = 183
    assert found.more == 183 - 120
    assert word(DROP, many, many).verdict == "PASS"


def test_errors_above_2_percent_are_invalid_and_just_2_percent_are_not():
    assert word(AT_LEAST, a_side(arm(98, 100, failed=2))).verdict == "PASS"
    found = word(AT_LEAST, a_side(arm(95, 100, failed=5)))
    assert found.verdict == "INVALID"
    assert found.reason.startswith("5.0% of 100 trials failed or have no score")
    assert found.value is None


def test_errors_in_one_arm_alone_are_invalid_not_a_regression():
    whole, broken = a_side(arm(120, 120), "old"), a_side(arm(108, 120, failed=12))
    for after, before in ((broken, whole), (whole, broken)):
        assert word(DROP, after, before).verdict == "INVALID"
    assert word(DROP, whole, broken).reason.startswith("the baseline: 10.0%")


def test_arms_that_differ_in_errors_are_invalid_even_below_the_share():
    report = gated([DROP], a_side(arm(485, 500, failed=8)), a_side(arm(490, 500), "old"))
    (found,) = report.gates
    assert found.verdict == "INVALID"
    assert "8 of 500 cases, the baseline's 0 of 500" in found.reason


def test_unscored_trials_are_errors_but_not_applicable_ones_are_not():
    judged = [a_trial(n) for n in range(95)]
    lost = [a_trial(n, None, status=Status.UNSCORED, detail="judge_invalid") for n in range(95, 100)]
    spared = [a_trial(n, None, status=Status.UNSCORED, detail="not_applicable") for n in range(95, 100)]
    assert word(AT_LEAST, a_side(judged + lost)).verdict == "INVALID"
    assert word(AT_LEAST, a_side(judged + spared)).verdict == "PASS"


def test_cases_to_which_a_score_does_not_apply_are_no_errors_of_an_arm():
    spared = [a_trial(n, None, status=Status.UNSCORED, detail="not_applicable") for n in range(380, 400)]
    after, before = a_side(arm(380, 380) + spared), a_side(arm(400, 400), "old")
    assert word(DROP, after, before).verdict == "PASS"


def test_more_than_1_percent_of_cut_answers_are_invalid():
    whole = arm(97, 97)
    one, three = (
        [a_trial(200 + n, finish=Finish.LENGTH) for n in range(1)],
        [a_trial(300 + n, finish=Finish.LENGTH) for n in range(3)],
    )
    assert word(AT_LEAST, a_side(whole + three)).reason.startswith("3.0% of 100 answers were cut")
    assert word(AT_LEAST, a_side(arm(99, 99) + one)).verdict == "PASS"
    (found,) = gated([AT_LEAST], a_side(whole + three), allowed=Allowed(cut=0.05)).gates
    assert found.verdict == "PASS"


def test_a_late_client_makes_every_figure_invalid():
    late = [a_trial(n, due=0.0, started=0.2, ended=0.7) for n in range(100)]
    plan = {"schedule": {"kind": "constant", "rate": 50}, "window": {"seconds": 2}}
    for metric in ("exact", "latency_p95", "failed_share"):
        found = word(Gate(metric, "max", 2.0), a_side(late, plan=plan))
        assert found.verdict == "INVALID"
        assert "started trials late" in found.reason


def test_a_run_that_did_not_end_is_invalid_unless_its_comparison_was_decided():
    trials = arm(120, 120)
    assert word(AT_LEAST, a_side(trials, state="interrupted")).verdict == "INVALID"
    assert word(AT_LEAST, a_side(trials, state="running")).verdict == "INVALID"
    assert word(AT_LEAST, a_side(trials, state="stopped", stop="decided")).verdict == "PASS"
    left = [*trials, a_trial(200, None, status=Status.NOT_RUN, detail="budget")]
    assert word(AT_LEAST, a_side(left)).reason == "1 of 121 trials were not run"


def test_the_failed_share_has_a_gate_of_its_own_that_failures_do_not_silence():
    broken = a_side(arm(60, 100, failed=40))
    assert word(Gate("failed_share", "max", 0.1), broken).verdict == "FAIL"
    assert word(Gate("failed_share", "max", 0.1), a_side(arm(100, 100))).verdict == "PASS"
    assert word(Gate("failed_share", "max", 0.0), a_side(arm(100, 100))).verdict == "CANNOT TELL"


def test_times_are_gated_by_their_order_statistics_and_equal_the_summarys():
    side = a_side([a_trial(n, latency=0.2 + 0.01 * n) for n in range(120)])
    reading = read(side, None)
    for metric, of in (
        ("latency", reading.summary.latency),
        ("ttft", reading.summary.speed.ttft),
        ("tpot", reading.summary.speed.tpot),
        ("duration", reading.summary.speed.duration),
    ):
        assert of is not None
        for q in (50, 95, 99):
            expected = getattr(of, f"p{q}")
            found = word(Gate(f"{metric}_p{q}", "max", 99.0), side)
            assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert word(Gate("latency_p95", "max", 2.0), side).verdict == "PASS"
    assert word(Gate("latency_p95", "max", 0.5), side).verdict == "FAIL"
    doubt = word(Gate("latency_p95", "max", 1.34), side)
    assert (doubt.verdict, doubt.things) == ("CANNOT TELL", "calls")
    assert doubt.more > 0


def test_a_percentile_of_too_few_calls_has_no_interval_and_cannot_tell():
    found = word(Gate("latency_p95", "max", 9.0), a_side(arm(50, 50)))
    assert (found.verdict, found.low) == ("CANNOT TELL", None)
    assert found.more >= 72 - 50


def test_replayed_calls_are_neither_timed_nor_paid():
    side = a_side(arm(100, 100, origin="cached"))
    assert word(Gate("latency_p95", "max", 9.0), side).reason.startswith("nothing was timed")
    assert "no trial has a cost" in word(Gate("cost_per_trial", "max", 1.0), side).reason


def test_cost_is_resampled_over_cases_and_exact_where_all_cost_the_same():
    stream = random.Random(1)
    costs = [a_trial(n, cost=Decimal(str(round(stream.expovariate(1000), 6)))) for n in range(120)]
    mean = float(sum((t.calls[0].cost or Decimal(0)) for t in costs)) / 120
    found = word(Gate("cost_per_trial", "max", 0.002), a_side(costs))
    assert found.verdict == "PASS"
    assert found.value == pytest.approx(mean)
    assert found.low < mean < found.high < 0.002
    assert found.high - mean > mean - found.low  # the costs are skewed
    assert word(Gate("cost_per_trial", "max", 0.001), a_side(costs)).verdict == "CANNOT TELL"
    same = word(Gate("cost_per_trial", "max", 0.001), a_side(arm(100, 100)))
    assert (same.verdict, same.low, same.high) == ("PASS", 0.001, 0.001)
    unpriced = word(Gate("cost_per_trial", "max", 1.0), a_side(arm(100, 100, cost=None)))
    assert unpriced.reason == "100 replies have no known price"


def test_another_score_than_the_headline_and_its_missing_share():
    whole = [a_trial(n, more=(Score("words", 3.0 + n % 2),)) for n in range(100)]
    found = word(Gate("words", "min", 3.0), a_side(whole))
    assert (found.verdict, found.value) == ("PASS", 3.5)
    assert word(Gate("words", "max", 3.0), a_side(whole)).verdict == "FAIL"
    holes = [a_trial(n, more=(Score("words", 3.0 + n % 2),) if n % 10 else ()) for n in range(100)]
    assert word(Gate("words", "min", 3.0), a_side(holes)).reason == "10 of 100 trials have no words"


def test_a_slice_is_its_cases_alone():
    trials = [a_trial(n, n % 2 == 0, tags={"odd": str(n % 2)}) for n in range(100)]
    side = a_side(trials)
    assert word(Gate("exact", "min", 0.9, slice=("odd", "0")), side).verdict == "PASS"
    assert word(Gate("exact", "min", 0.9, slice=("odd", "1")), side).verdict == "FAIL"
    assert word(Gate("exact", "min", 0.9, slice=("odd", "2")), side).reason == "no case has this tag"


def test_holm_makes_many_gates_harder_to_tell_than_one():
    side = a_side(arm(113, 120))
    gate = Gate("exact", "min", 0.88)
    assert word(gate, side).verdict == "PASS"
    report = gated([gate] * 8, side)
    assert {each.verdict for each in report.gates} == {"CANNOT TELL"}
    assert report.tests == 8
    assert report.gates[0].adjusted == pytest.approx(8 * report.gates[0].p)


def test_the_verdict_of_all_is_the_worst_one():
    side = a_side(arm(100, 120))
    good, bad, open_ = (Gate("exact", "min", limit) for limit in (0.5, 0.99, 0.83))
    assert gated([good], side).verdict == "PASS"
    assert gated([good, open_], side).verdict == "CANNOT TELL"
    assert gated([good, open_, bad], side).verdict == "FAIL"
    assert gated([good, Gate("exact", "min", 0.5, slice=("no", "tag"))], side).verdict == "INVALID"


def test_a_baseline_is_the_arm_of_the_same_model_else_its_only_one():
    side = a_side(arm(100, 120), model="new")
    old = a_side(arm(100, 120), "old", model="m")
    assert word(DROP, side, old).versus == "old:m"
    both = {"BASELINE": [old, a_side(arm(1, 2), "old", model="x")]}
    with pytest.raises(UsageError, match="has no new, but m, x"):
        Gating([side], both).report([DROP])


def test_repeats_are_no_cases():
    trials = [a_trial(n, n < 20, repeat=r) for n in range(24) for r in range(10)]
    found = word(Gate("exact", "min", 0.75), a_side(trials))
    assert (found.verdict, found.n) == ("CANNOT TELL", 24)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.01, 0.99), st.sampled_from(["min", "max"]))
def test_p_is_below_5_percent_exactly_where_the_shown_interval_tells(right, n, limit, sense):
    cases = [CaseSum(float(i < right), 1) for i in range(n)]
    found = of_figure(figure("x", cases, unit=True, binary=True), (0, 1))
    assert (p_value(found, limit, sense) < 0.05) == (told(found.at(0.95), limit, sense) is not None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=90), st.floats(0.01, 0.99))
def test_p_agrees_with_the_interval_for_times_and_amounts_as_well(values, limit):
    amounts = of_amounts([CaseSum(v, 1) for v in values[:12]])
    for found in (of_percentile(values, 0.5, "calls"), amounts):
        assert (p_value(found, limit, "max") < 0.05) == (told(found.at(0.95), limit, "max") is not None)

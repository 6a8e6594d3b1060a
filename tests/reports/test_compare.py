"""Comparisons: known answers by hand, pairing, and when nothing can be told."""

from __future__ import annotations

import random
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import Arrivals, Instants, Kind, Reply, Request, Usage
from assay.ports import Run
from assay.reports.arms import read
from assay.reports.compare import compare, compare_arms, regressed
from assay.stats.intervals import bounded_mean
from assay.stats.paired import mcnemar
from assay.trial import Call, CallState, Outcome, Score, Status, Transcript, Trial


def a_trial(case, value, *, text="", latency=0.0, cost=None, status=Status.SCORED, **changes) -> Trial:
    arrivals = Arrivals()
    arrivals.append(10**9 + int(latency * 1e9), Kind.CONTENT, 1, 0)
    instants = Instants(sent=10**9, ended=10**10)
    reply = Reply(text, usage=Usage(1, 1), instants=instants, arrivals=arrivals, call="candidate.0.1")
    call = Call(
        run="r",
        trial="k",
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
    )
    fields: dict[str, Any] = {
        "run": "r",
        "key": "k",
        "case": Case(case, f"name {case}"),
        "model": "m",
        "repeat": 0,
        "seed": 0,
        "status": status,
        "transcript": Transcript((), Outcome("stop"), reply),
        "calls": (call,),
        "scores": () if value is None else (Score("exact", value),),
    }
    return Trial(**{**fields, **changes})


def a_failure(case) -> Trial:
    return a_trial(case, None, status=Status.FAILED, detail=ErrorClass.TIMEOUT.value)


def arm(values, **changes) -> list[Trial]:
    return [a_trial(f"c{n}", value, **changes) for n, value in enumerate(values)]


def of(a: Iterable[Trial], b: Iterable[Trial], **changes: Any) -> Any:
    """The comparison; Any, since tests read on through figures that may be None."""
    return compare(a, b, headline="exact", names=("a", "b"), **changes)


def a_run(**changes) -> Run:
    fields: dict[str, Any] = {
        "id": "r",
        "plan": {"sampling": {"temperature": 0.0}, "models": [{"name": "x"}]},
        "task": "t",
        "fingerprint": "f",
        "headline": "exact",
        "models": ("x",),
        "planned": None,
        "seed": 0,
        "wall": 0,
        "version": "0",
    }
    return Run(**{**fields, **changes})


def test_12_gained_and_2_lost_of_40_by_hand():
    a = arm([False] * 12 + [True] * 2 + [True] * 26)
    b = arm([True] * 12 + [False] * 2 + [True] * 26)
    found = of(a, b)
    assert found.difference.value == pytest.approx(10 / 40)
    expected = bounded_mean([1.0] * 12 + [-1.0] * 2 + [0.0] * 26, (-1, 1))
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))
    assert found.p == pytest.approx(2 * (1 + 14 + 91) / 2**14)
    assert (found.test, found.verdict, found.shared) == ("McNemar exact", "better", 40)
    assert (found.better_count, found.worse_count) == (12, 2)
    assert (found.a.headline.value, found.b.headline.value) == (0.7, 0.95)
    assert found.more_cases is None


def test_the_same_arms_the_other_way_round_are_worse():
    a, b = arm([False] * 12 + [True] * 28), arm([True] * 40)
    there, back = of(a, b), of(b, a)
    assert (there.verdict, back.verdict) == ("better", "worse")
    assert there.p == back.p == pytest.approx(mcnemar(12, 0))
    assert (there.difference.low, there.difference.high) == pytest.approx(
        (-back.difference.high, -back.difference.low)
    )


def test_a_small_difference_cannot_be_told_and_says_how_many_more_cases_would():
    found = of(arm([False] * 3 + [True] * 37), arm([True] * 40))
    assert found.verdict == "cannot tell"
    assert found.reason == "McNemar exact p = 0.250, not below 0.05"
    # ((1.960 + 0.842) * 0.2667 / 0.075)^2 = 99.2 cases, 40 of which are there
    assert found.more_cases == pytest.approx(60, abs=1)


def test_equal_arms_have_a_width_and_no_number_of_cases_would_tell():
    found = of(arm([True] * 20), arm([True] * 20))
    assert found.difference.low < 0 < found.difference.high
    assert (found.p, found.verdict, found.more_cases) == (1, "cannot tell", None)


def test_a_test_without_its_interval_tells_nothing():
    found = of(arm([0.5] * 6), arm([0.6] * 6))
    assert found.p == pytest.approx(2 / 2**6)
    assert found.difference.low < 0
    assert (found.verdict, found.reason) == ("cannot tell", "the interval holds 0 (sign p = 0.031)")


def test_repeats_are_averaged_first_and_tested_by_the_paired_t():
    a = [a_trial(f"c{n}", n % 2 == 0, repeat=r) for n in range(10) for r in range(3)]
    b = [a_trial(f"c{n}", n % 2 == 0 or r == n % 3, repeat=r) for n in range(10) for r in range(3)]
    found = of(a, b)
    assert (found.difference.n, found.difference.trials, found.test) == (10, 60, "paired t")
    assert found.difference.value == pytest.approx(1 / 6)


def test_cases_are_paired_by_id_whatever_their_order_and_the_others_are_listed():
    values = [n % 3 > 0 for n in range(30)]
    a, b = arm(values), [*arm(values[:25]), a_trial("extra", True)]
    random.Random(1).shuffle(b)
    found = of(a, b)
    assert (found.shared, found.difference.value) == (25, 0)
    assert (found.only_a.count, found.only_b.count) == (5, 1)
    assert found.only_b.names == ("name extra",)
    assert found.a.headline.n == 25


def test_flips_show_both_replies_bounded():
    a = arm([False, True, True], text="old " * 1000)
    b = [a_trial("c0", True, text="<b>new"), a_trial("c1", True), a_trial("c2", False)]
    found = of(a, b)
    assert [(flip.case, flip.a, flip.b) for flip in found.better] == [("name c0", 0, 1)]
    assert [flip.case for flip in found.worse] == ["name c2"]
    assert found.better[0].reply_b == "<b>new"
    assert len(found.better[0].reply_a) == 400


def test_flips_are_bounded_in_number_but_counted():
    found = of(arm([False] * 200), arm([True] * 200))
    assert (len(found.better), found.better_count) == (50, 200)


def test_failures_count_as_wrong_and_their_flip_says_what_happened():
    a, b = arm([True] * 10), [*arm([True] * 9), a_failure("c9")]
    found = of(a, b)
    assert found.difference.value == pytest.approx(-0.1)
    assert found.b.failed_share == pytest.approx(0.1)
    assert found.worse[0].reply_b == "(failed: timeout)"
    assert not found.errors_differ
    assert found.completed_difference.value == 0


def test_arms_that_differ_in_failures_cannot_be_told_apart():
    a, b = arm([True] * 40), [*arm([True] * 30), *(a_failure(f"c{n}") for n in range(30, 40))]
    found = of(a, b)
    assert found.errors_differ
    assert found.verdict == "cannot tell"
    assert found.reason.startswith("the arms differ in failed trials")
    assert found.more_cases is None


def test_what_says_nothing_of_quality_is_left_out():
    nothing = [
        a_trial("c0", None, status=Status.SKIPPED),
        a_trial("c1", None, status=Status.NOT_RUN),
        a_trial("c2", None, status=Status.UNSCORED, detail="not_applicable"),
        a_trial("c3", True, phase="warm_up"),
    ]
    found = of(arm([True] * 4), nothing)
    assert (found.shared, found.p, found.verdict) == (0, None, "cannot tell")
    assert found.reason == "the arms share no case"
    assert found.difference.value is None


def test_a_scale_beyond_1_is_compared_over_the_cases_that_no_arm_failed():
    a, b = arm([1.0, 2.0, 3.0, 4.0]), [*arm([3.0, 4.0, 4.5]), a_failure("c3")]
    found = of(a, b)
    assert found.shared == 3
    assert found.difference.value == pytest.approx(5.5 / 3)


def test_latency_and_cost_differences_by_hand():
    a = arm([True] * 3, latency=0.2, cost=Decimal("0.002"))
    b = [a_trial(f"c{n}", True, latency=0.3 + n / 10, cost=Decimal("0.003")) for n in range(3)]
    found = of(a, b)
    assert found.latency.value == pytest.approx(0.2)
    assert found.latency.low < 0.2 < found.latency.high
    assert found.b.latency.p50.value == pytest.approx(0.4)
    assert found.cost_per_trial == Decimal("0.001")
    assert (found.a.cost_usd, found.b.cost_usd) == (Decimal("0.006"), Decimal("0.009"))


def test_without_a_price_there_is_no_cost_difference():
    found = of(arm([True] * 3, cost=Decimal(1)), arm([True] * 3))
    assert found.cost_per_trial is None
    assert found.b.unpriced == 3


def test_replayed_calls_say_nothing_of_latency_or_cost():
    trial = a_trial("c0", True, latency=9, cost=Decimal(5))
    cached = msgspec.structs.replace(trial.calls[0], origin="cached")
    found = of(arm([True]), [msgspec.structs.replace(trial, calls=(cached,))])
    assert (found.latency, found.b.cost_usd) == (None, 0)


def test_what_differs_in_the_configuration_is_named_by_its_place():
    other = {"sampling": {"temperature": 0.7}, "models": [{"name": "x"}, {"name": "y/z"}], "a/b": 1}
    found = of(arm([True]), arm([True]), runs=(a_run(), a_run(plan=other, seed=3)))
    assert [(s.where, s.a, s.b) for s in found.settings] == [
        ("/plan/a~1b", None, "1"),
        ("/plan/models/1/name", None, "y/z"),
        ("/plan/sampling/temperature", "0.0", "0.7"),
        ("/seed", "0", "3"),
    ]


def test_two_models_of_one_run_need_no_runs():
    assert of(arm([True]), arm([True])).settings == ()


@pytest.mark.parametrize(
    ("lost", "margin", "expected"), [(20, 0.02, True), (0, 0.2, False), (0, 0.001, None)]
)
def test_a_regression_is_told_by_the_whole_interval(lost, margin, expected):
    found = of(arm([True] * 60), arm([False] * lost + [True] * (60 - lost)))
    assert regressed(found, margin) is expected


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_verdict_never_contradicts_its_interval_or_its_test(pairs):
    found = of(arm([x for x, _ in pairs]), arm([y for _, y in pairs]))
    difference = found.difference
    assert -1 <= difference.low <= difference.value <= difference.high <= 1
    gained, lost = sum(y > x for x, y in pairs), sum(x > y for x, y in pairs)
    assert (found.better_count, found.worse_count) == (gained, lost)
    assert found.p == pytest.approx(mcnemar(gained, lost))
    if found.verdict != "cannot tell":
        assert found.p < 0.05
        assert (difference.low > 0) == (found.verdict == "better")
        assert (difference.high < 0) == (found.verdict == "worse")


def test_a_comparison_is_plain_json():
    printed = msgspec.json.decode(msgspec.json.encode(of(arm([True, False]), arm([True, True]))))
    assert printed["verdict"] == "cannot tell"
    assert printed["difference"]["value"] == 0.5


def test_a_slice_of_an_arm_is_the_arm_of_its_trials(make):
    trials = [
        *make.duel(30),
        *[make.trial(n, error=ErrorClass.TIMEOUT, model="good/a", repeat=1) for n in range(5)],
    ]
    for model in ("good/a", "bad/b"):
        of_model = [trial for trial in trials if trial.model == model]
        whole = read(of_model, "exact")
        part = read([trial for trial in of_model if trial.case.tags["odd"] == "1"], "exact")
        sliced = whole.sliced("odd", "1")
        assert sliced.latencies == part.latencies
        assert (sliced.trials, sliced.cost, sliced.priced) == (part.trials, part.cost, part.priced)
        names = (model, model)
        ours = compare_arms(sliced, sliced, headline="exact", names=names)
        theirs = compare_arms(part, part, headline="exact", names=names)
        assert ours == theirs


def test_an_arm_has_no_slice_by_a_tag_that_it_lacks(make):
    assert read(make.duel(4), "exact").sliced("even", "1").cases == {}

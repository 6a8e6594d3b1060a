"""Summaries: known answers by hand, the denominators, the sums."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.case import Case
from assay.errors import ErrorClass, StatusSumError
from assay.message import Arrivals, Finish, Instants, Kind, Reply, Request, Usage
from assay.ports import Run
from assay.reports.summary import summarise
from assay.stats.intervals import bounded_mean, clopper_pearson, clustered_rate, wilson
from assay.trial import Call, CallState, Outcome, Score, Status, Transcript, Trial

MS = 1_000_000
REASONS = {"failed": "timeout", "invalid": "tool", "unscored": "judge_invalid", "not_run": "budget"}


def a_run(**changes: Any) -> Run:
    fields: dict[str, Any] = {
        "id": "run_1",
        "plan": {},
        "task": "sums",
        "fingerprint": "f",
        "headline": "exact",
        "models": ("openai/m",),
        "planned": None,
        "seed": 0,
        "wall": 0,
        "version": "0",
        "state": "completed",
    }
    return Run(**{**fields, **changes})


def a_call(
    role="candidate", ordinal=0, attempt=1, *, ttft=100, gap=20, tokens=3, usage=None, **changes
) -> Call:
    """A streamed call: sent at 1 s, first token `ttft` ms later, then one each `gap` ms."""
    arrivals = Arrivals()
    for token in range(tokens):
        arrivals.append(1000 * MS + (ttft + gap * token) * MS, Kind.CONTENT, 4, token)
    reply = Reply(
        "x",
        finish=Finish.STOP,
        usage=usage or Usage(10, tokens),
        instants=Instants(sent=1000 * MS, ended=5000 * MS),
        arrivals=arrivals,
        call=f"{role}.{ordinal}.{attempt}",
    )
    fields: dict[str, Any] = {
        "run": "run_1",
        "trial": "k",
        "role": role,
        "ordinal": ordinal,
        "attempt": attempt,
        "model": "openai/m",
        "request": Request(()),
        "request_hash": "h",
        "occurrence": 0,
        "began": 0,
        "state": CallState.DONE,
        "reply": reply,
        "cost": Decimal("0.001"),
    }
    return Call(**{**fields, **changes})


def a_trial(
    case="c1",
    value: bool | float | str | None = True,
    *,
    status=None,
    calls=(),
    scores=(),
    tags=None,
    **changes,
) -> Trial:
    own = () if value is None else (Score("exact", value),)
    state = status or (Status.SCORED if own else Status.FAILED)
    final = calls[-1].reply if calls else None
    fields: dict[str, Any] = {
        "run": "run_1",
        "key": "k",
        "case": Case(case, f"name of {case}", tags=tags or {}),
        "model": "openai/m",
        "repeat": 0,
        "seed": 0,
        "status": state,
        "detail": REASONS.get(state.value, ""),
        "transcript": Transcript((), Outcome("stop"), final),
        "calls": tuple(calls),
        "scores": own + tuple(scores),
    }
    return Trial(**{**fields, **changes})


def right_and_wrong(right: int, wrong: int) -> list[Trial]:
    return [a_trial(f"c{n}", n < right) for n in range(right + wrong)]


def only(trials: Iterable[Trial], **changes: Any) -> Any:
    """The one model's summary; Any, since tests read on through figures that may be None."""
    return summarise(trials, a_run(**changes)).models[0]


def test_80_right_10_wrong_10_failed_have_the_known_headline_and_bounds():
    failed = [a_trial(f"f{n}", None) for n in range(10)]
    model = only([*right_and_wrong(80, 10), *failed], planned=100)
    assert model.headline.value == pytest.approx(0.8)
    assert (model.headline.low, model.headline.high) == pytest.approx(wilson(80, 100))
    assert (model.headline.n, model.headline.trials) == (100, 100)
    assert model.completed_only.value == pytest.approx(80 / 90)
    assert (model.bounds.worst, model.bounds.best) == pytest.approx((0.8, 0.9))
    assert model.statuses == {
        "scored": 90,
        "unscored": 0,
        "failed": 10,
        "invalid": 0,
        "skipped": 0,
        "not_run": 0,
    }
    assert model.reasons == {"failed": {"timeout": 10}}
    assert not model.partial


def test_invalid_and_unscored_count_as_0_but_skipped_and_not_applicable_not_at_all():
    trials = [
        a_trial("a"),
        a_trial("b", None, status=Status.INVALID),
        a_trial("c", None, status=Status.UNSCORED),
        a_trial("d", None, status=Status.SKIPPED),
        a_trial("e", None, status=Status.UNSCORED, detail="not_applicable"),
    ]
    model = only(trials, planned=5)
    assert model.headline.value == pytest.approx(1 / 3)
    assert (model.headline.n, model.completed_only.n) == (3, 1)
    assert model.bounds.best == 1


def test_a_perfect_score_still_has_a_width():
    figure = only(right_and_wrong(30, 0)).headline
    assert (figure.value, figure.high) == (1, 1)
    assert figure.low == pytest.approx(clopper_pearson(30, 30)[0])


def test_repeats_are_averaged_by_case_and_are_never_n():
    trials = [a_trial(f"c{n}", (n + repeat) % 3 > 0, repeat=repeat) for n in range(20) for repeat in range(4)]
    figure = only(trials).headline
    means = [sum((n + repeat) % 3 > 0 for repeat in range(4)) / 4 for n in range(20)]
    expected = clustered_rate(means, 80)
    assert (figure.n, figure.trials) == (20, 80)
    assert (figure.value, figure.low, figure.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def test_repeats_that_always_agree_are_one_look_at_each_case():
    trials = [a_trial(f"c{n}", n < 8, repeat=repeat) for n in range(10) for repeat in range(5)]
    figure = only(trials).headline
    assert (figure.low, figure.high) == pytest.approx(clopper_pearson(8, 10))


def test_a_continuous_headline_gets_a_t_interval_within_0_and_1():
    values = [0.9, 1.0, 0.95, 1.0, 0.5]
    figure = only([a_trial(f"c{n}", value) for n, value in enumerate(values)]).headline
    expected = bounded_mean(values)
    assert (figure.value, figure.low, figure.high) == pytest.approx((0.87, expected.low, 1.0))


def test_what_a_stopped_run_did_not_play_is_counted_and_makes_it_partial():
    summary = summarise(right_and_wrong(6, 2), a_run(planned=10, state="stopped", stop="budget"))
    model = summary.models[0]
    assert model.statuses["not_run"] == 2
    assert model.partial
    assert summary.validity.verdict == "partial"
    assert model.headline.value == pytest.approx(0.75)
    assert (model.bounds.worst, model.bounds.best) == pytest.approx((0.6, 0.8))
    assert model.notes == ("partial: 2 of 10 trials were not run",)


def test_statuses_that_do_not_sum_to_the_plan_are_an_error():
    with pytest.raises(StatusSumError, match="8 trials are recorded, 7 were planned"):
        summarise(right_and_wrong(6, 2), a_run(planned=7))
    with pytest.raises(StatusSumError, match="1 are not recorded"):
        summarise(right_and_wrong(6, 2), a_run(planned=9))
    with pytest.raises(StatusSumError, match="1 wait for their scores"):
        summarise([a_trial("a", None, status=Status.PLAYED)], a_run(planned=1))


def test_a_played_trial_of_an_unfinished_run_waits_and_counts_for_nothing_yet():
    trials = [a_trial("a"), a_trial("b", None, status=Status.PLAYED)]
    model = only(trials, planned=2, state="interrupted")
    assert model.statuses["played"] == 1
    assert model.partial
    assert (model.headline.value, model.bounds.worst, model.bounds.best) == (1, 0.5, 1)


@given(
    st.lists(st.sampled_from([s for s in Status if s is not Status.PLAYED]), max_size=40), st.integers(0, 9)
)
def test_statuses_always_sum_to_the_plan_and_the_headline_lies_within_its_bounds(statuses, missing):
    trials = [
        a_trial(f"c{n}", (n % 2 == 0) if s is Status.SCORED else None, status=s)
        for n, s in enumerate(statuses)
    ]
    planned = len(trials) + missing
    model = only(trials, planned=planned, state="stopped")
    assert sum(model.statuses.values()) == planned == model.planned
    if model.headline.value is not None:
        assert 0 <= model.headline.low <= model.headline.value <= model.headline.high <= 1
        assert model.bounds.worst <= model.headline.value + 1e-12
        assert model.headline.value <= model.bounds.best + 1e-12


def test_models_share_a_plan_by_requests_in_the_order_of_issue():
    trials = [a_trial(f"c{n}", model=f"m{n % 3}") for n in range(8)]
    summary = summarise(trials, a_run(models=("m0", "m1", "m2"), planned=8))
    assert [model.planned for model in summary.models] == [3, 3, 2]


def test_the_order_of_the_trials_changes_nothing():
    trials = [a_trial(f"c{n % 7}", n % 3 / 2, repeat=n // 7, tags={"k": f"v{n % 7 % 2}"}) for n in range(42)]
    shuffled = trials.copy()
    random.Random(1).shuffle(shuffled)
    ours, theirs = only(trials), only(shuffled)
    assert ours.headline.value == pytest.approx(theirs.headline.value)
    assert {s.value: s.headline.n for s in ours.slices} == {s.value: s.headline.n for s in theirs.slices}


def test_other_scores_are_conditional_with_the_missing_share_shown():
    trials = [
        a_trial("a", scores=[Score("judge", 4.0), Score("kind", "good")]),
        a_trial("b", scores=[Score("judge", 2.0), Score("kind", "bad")]),
        a_trial("c", scores=[Score("judge", None, unscored="judge_invalid")]),
        a_trial("d", scores=[Score("judge", None, unscored="not_applicable")]),
        a_trial("e", None),
    ]
    scores = only(trials, planned=5).scores
    judge = scores["judge"]
    assert (judge.figure.value, judge.figure.n) == (3, 2)
    assert (judge.asked, judge.missing, judge.missing_share) == (4, 2, 0.5)
    assert judge.figure.high > 5  # an unbounded scale is not clipped to [0, 1]
    assert scores["kind"].labels == {"good": 1, "bad": 1}
    assert scores["kind"].figure.value is None


def test_a_headline_beyond_1_is_conditional_and_says_so():
    model = only([a_trial("a", 3.0), a_trial("b", 4.0), a_trial("c", None)])
    assert model.headline.value == 3.5
    assert model.bounds.worst is None
    assert "leaves [0, 1]" in model.notes[0]


def test_a_headline_that_is_no_finite_number_is_no_number():
    model = only([a_trial("a", "label"), a_trial("b", float("nan")), a_trial("c")])
    assert (model.headline.value, model.headline.n) == (1, 1)
    assert model.notes[0].startswith("2 headline scores are not numbers")


def test_slices_are_by_tag_and_a_tag_with_a_value_for_each_case_is_only_named():
    trials = [
        a_trial(
            f"c{n}",
            n % 4 > 0,
            tags={"level": "hard" if n < 20 else "easy", "id": str(n)},
        )
        for n in range(60)
    ]
    model = only(trials)
    assert [(s.key, s.value, s.headline.n) for s in model.slices] == [
        ("level", "easy", 40),
        ("level", "hard", 20),
    ]
    assert model.slices[1].headline.value == pytest.approx(0.75)
    assert model.slices_left_out == ("id",)


def test_timing_tokens_and_cost_of_one_call_by_hand():
    call = a_call(usage=Usage(100, 3, cached=40, reasoning=1))
    model = only([a_trial(calls=[call], started=2.0, ended=4.5)])
    assert model.role == "candidate"
    assert model.latency.p50.value == pytest.approx(0.140)
    assert (model.latency.p50.low, model.latency.p50.needed) == (None, 6)
    assert model.speed.ttft.mean == pytest.approx(0.100)
    assert model.speed.tpot.mean == pytest.approx(0.020)
    assert model.speed.output_rate.mean == pytest.approx(50)
    assert model.speed.duration.mean == pytest.approx(2.5)
    assert (model.tokens.input, model.tokens.output, model.tokens.cached) == (100, 3, 40)
    assert model.cost_usd == Decimal("0.001")


def test_percentiles_have_order_statistic_intervals_once_n_allows():
    calls = [a_call(ttft=10 * n, tokens=1) for n in range(1, 101)]
    latency = only([a_trial(f"c{n}", calls=[call]) for n, call in enumerate(calls)]).latency
    assert latency.p50.value == pytest.approx(0.505)
    assert (latency.p50.low, latency.p50.high) == pytest.approx((0.40, 0.61))
    assert latency.p95.low is not None
    assert (latency.p99.low, latency.p99.needed) == (None, 368)


def test_only_live_calls_count_for_timing_and_spend_and_paused_ones_not_for_timing():
    calls = [
        a_call(ordinal=0, ttft=500, origin="cached"),
        a_call(ordinal=1, ttft=700, origin="resumed"),
        a_call(ordinal=2, ttft=900, paused=True),
        a_call(ordinal=3, ttft=100),
    ]
    model = only([a_trial(calls=calls, ended=1.0)])
    assert (model.latency.n, model.speed.ttft.mean) == (1, pytest.approx(0.1))
    assert model.cost_usd == Decimal("0.002")
    role = model.roles["candidate"]
    assert (role.calls, role.paused, role.origins) == (2, 1, {"cached": 1, "resumed": 1, "live": 2})
    assert model.attempts.replayed_share == 0.5
    assert model.tokens.input == 20
    assert model.speed.duration is None
    assert "50% of the replies came from the record" in model.notes[0]


def test_attempts_failures_and_roles_are_told_apart():
    failed = a_call(
        attempt=1, state=CallState.FAILED, error=ErrorClass.RATE_LIMITED, cost=None, reply=Reply()
    )
    unknown = a_call(attempt=2, state=CallState.RESERVED, cost=None, reply=Reply())
    judge = a_call("judge", model="openai/j", ttft=3000, cost=None)
    good = a_call(attempt=3)
    model = only([a_trial(calls=[failed, unknown, judge, good])])
    assert model.role == "candidate"
    assert (model.attempts.calls, model.attempts.failed) == (4, 1)
    assert (model.attempts.unpriced, model.attempts.unknown) == (1, 1)
    assert model.roles["candidate"].errors == {"rate_limited": 1}
    assert model.roles["judge"].models == ("openai/j",)
    assert model.roles["judge"].latency.p50.value > 3
    assert model.latency.p50.value == pytest.approx(0.140)


def test_the_role_under_test_is_the_one_that_gave_the_final_answer():
    client, agent = a_call("client"), a_call("agent", ttft=400)
    assert only([a_trial(calls=[client, agent])]).role == "agent"


def a_load_run(**changes) -> Run:
    plan = {"window": {"seconds": 10.0, "warm_up": 2.0}, "schedule": {"kind": "constant", "rate": 4}}
    return a_run(plan=plan, **changes)


def load_trials(lag: float = 0.001) -> list[Trial]:
    phases = [(0.5, "warm_up"), *((2 + n / 4, "window") for n in range(40)), (12.5, "tail")]
    return [
        a_trial(
            f"c{n % 5}",
            None if due == 3.0 else n % 2 == 0,
            phase=phase,
            due=due,
            started=due + lag,
            ended=due + 0.2,
            calls=[a_call(ttft=100 if phase == "window" else 4000)],
        )
        for n, (due, phase) in enumerate(phases)
    ]


def test_a_load_run_counts_its_window_alone_but_spends_on_all():
    model = only(load_trials(), plan=a_load_run().plan)
    assert model.phases == {"warm_up": 1, "window": 40, "tail": 1}
    assert sum(model.statuses.values()) == 42
    assert model.headline.trials == 40
    assert model.latency.n == 40
    assert model.latency.p50.value == pytest.approx(0.140)
    assert model.cost_usd == Decimal("0.042")
    load = model.load
    assert (load.open, load.seconds, load.offered, load.sent) == (True, 10, 4, 4)
    assert (load.completed, load.failed) == pytest.approx((3.9, 0.1))
    right = sum(t.phase == "window" and t.scores[:1] == (Score("exact", True),) for t in load_trials())
    assert load.correct == pytest.approx(right / 10)
    assert load.lag.p50.value == pytest.approx(0.001)
    assert load.response.p50.value == pytest.approx(0.2)


def test_a_lagging_client_or_an_interrupted_window_makes_load_invalid():
    late = summarise(load_trials(lag=0.05), a_load_run())
    assert late.validity.verdict == "invalid"
    assert any("started trials late" in reason for reason in late.validity.reasons)
    cut = summarise(load_trials(), a_load_run(state="interrupted"))
    assert any("the load was interrupted" in reason for reason in cut.validity.reasons)


def test_a_plain_evaluation_has_no_load_figures():
    assert only(right_and_wrong(3, 3)).load is None


def test_a_closed_load_run_has_no_lag_and_is_timed_by_its_starts():
    plan = {"window": {"seconds": 5.0}, "schedule": {"kind": "closed", "slots": 2}}
    load = only([a_trial(f"c{n}", due=n, started=n, ended=n + 1) for n in range(5)], plan=plan).load
    assert (load.open, load.lag, load.response, load.sent) == (False, None, None, 1)


def test_an_open_run_by_count_takes_its_seconds_from_its_arrivals():
    plan = {"schedule": {"kind": "constant", "rate": 2}}
    load = only([a_trial(f"c{n}", due=n / 2, started=n / 2, ended=n + 1) for n in range(5)], plan=plan).load
    assert load.offered == pytest.approx(2)


def test_many_failures_make_a_run_invalid_and_emulated_models_are_marked():
    trials = [a_trial(f"c{n}", True if n < 95 else None, model="emulated/skill-0.8") for n in range(100)]
    summary = summarise(trials, a_run(models=("emulated/skill-0.8",), planned=100))
    assert summary.validity.verdict == "invalid"
    assert summary.failed_share == 0.05
    assert summary.models[0].emulated


def test_cut_answers_are_noted():
    cut = msgspec.structs.replace(a_call().reply, finish=Finish.LENGTH)
    model = only([a_trial("a", transcript=Transcript((), Outcome("stop"), cut)), a_trial("b")])
    assert model.finishes == {"length": 1}
    assert "1 of 1 answers were cut at the token limit" in model.notes


def test_a_summary_is_plain_json_with_the_promised_names():
    summary = summarise([a_trial(calls=[a_call()])], a_run(planned=1), report="report.html")
    printed = msgspec.json.decode(msgspec.json.encode(summary))
    assert printed.keys() >= {"run_id", "status", "models", "validity", "report"}
    model = printed["models"][0]
    assert model.keys() >= {
        "model",
        "task",
        "headline",
        "scores",
        "statuses",
        "latency",
        "tokens",
        "cost_usd",
    }
    assert model["headline"].keys() >= {"name", "value", "low", "high", "n"}
    assert model["cost_usd"] == "0.001"


def test_a_run_without_trials_has_no_figures_rather_than_zeros():
    model = only([], planned=0)
    assert (model.headline.value, model.latency, model.speed.trials_per_second) == (None, None, None)
    assert model.tokens.input == 0


def test_data_cannot_make_reasons_or_labels_grow_without_bound():
    trials = [a_trial(f"c{n}", scores=[Score("kind", f"{n}" * 300)]) for n in range(200)]
    labels = only(trials).scores["kind"].labels
    assert len(labels) <= 51
    assert sum(labels.values()) == 200
    assert max(map(len, labels)) <= 200


def test_what_is_kept_of_a_trial_is_numbers_and_not_its_text():
    def trials() -> Iterator[Trial]:
        for n in range(300):
            reply = msgspec.structs.replace(a_call().reply, text="x" * 100_000 + str(n))
            yield a_trial(f"c{n}", calls=[a_call(reply=reply)])

    tracemalloc.start()
    model = only(trials())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.latency.n == 300
    assert peak < 3_000_000  # the texts alone are ten times that

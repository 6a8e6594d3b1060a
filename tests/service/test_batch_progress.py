"""How far a batch has come, what it ends as, and what lets it go on: counted and decided without a server."""

from decimal import Decimal

import pytest
from msgspec import structs

from assay.case import Case
from assay.errors import ErrorClass, StoreError, UsageError
from assay.keys import run_uuid
from assay.message import Reply, Request, Usage
from assay.service import reading
from assay.service.progress import Progress
from assay.service.worker import ended_as, passing
from assay.store.batches import Batch
from assay.store.figures import Ended, Spending
from assay.store.heartbeat import Taken
from assay.trial import Call, CallState, Outcome, Status, Transcript, Trial


def batch(trials=4, repeats=2, **more) -> Batch:
    plan = {"task": "t", "models": [{"name": "m"}], "repeats": repeats}
    return Batch(
        id=run_uuid("r"), run="r", idempotency=None, digest="d", plan=plan, trials=trials, prompt=None,
        **{"created": 1_700_000_000_000_000_000, **more},
    )  # fmt: skip


def trial(case, status) -> Trial:
    return Trial("r", case, Case(case, case), "m", 0, 0, status)


def call(cost, origin="live") -> Call:
    reply = Reply("x", usage=Usage(100, 10))
    return Call(
        "r", "k", "agent", 0, 1, "m", Request(()), "h", 0, 0,
        state=CallState.DONE, origin=origin, reply=reply, cost=cost,
    )  # fmt: skip


def test_a_scenario_has_ended_when_all_its_repeats_have_and_failed_when_one_of_them_did():
    progress = Progress(2)
    for case, status in (
        ("a", Status.SCORED), ("a", Status.UNSCORED), ("b", Status.SCORED), ("b", Status.FAILED),
        ("c", Status.SKIPPED), ("c", Status.SKIPPED), ("d", Status.INVALID),
    ):  # fmt: skip
        progress.on_trial(trial(case, status))
    assert progress.scenarios == {"completed": 1, "failed": 1, "skipped": 1}
    assert progress.ended == 7
    progress.close_open()
    assert progress.scenarios["failed"] == 2


def test_a_scenario_with_repeats_of_its_own_has_ended_when_those_have():
    ended = [Ended("a", Status.SCORED, 4), Ended("b", Status.SCORED, 2)]
    progress = Progress(2, ended, own={"a": 3})
    assert progress.scenarios == {"completed": 1}
    for _ in range(2):
        progress.on_trial(trial("a", Status.SCORED))
    assert progress.scenarios == {"completed": 2}
    assert reading.scenarios(batch(trials=8, repeats=2, scenarios=2)) == 2
    assert reading.scenarios(batch(trials=8, repeats=2)) == 4  # of an older store


def test_a_conversation_counts_once_it_is_scored_and_one_that_was_not_run_never():
    progress = Progress(1)
    progress.on_trial(trial("a", Status.PLAYED))
    progress.on_trial(trial("b", Status.NOT_RUN))
    assert (progress.ended, progress.rate_per_min) == (0, None)
    progress.on_trial(trial("a", Status.SCORED))
    assert progress.ended == 1
    assert progress.rate_per_min is not None


def test_what_an_earlier_process_recorded_is_taken_up():
    spent = [Spending("agent", "m", 5, 1, 1, 1, 300, 20, 0, Decimal("0.5"))]
    progress = Progress(1, [Ended("a", Status.SCORED, 1), Ended("b", Status.PLAYED, 1)], spent)
    progress.on_call(call(Decimal("0.25")))
    progress.on_call(call(Decimal(9), "resumed"))
    assert (progress.ended, progress.cost, progress.tokens) == (1, Decimal("0.75"), 430)
    assert progress.rate_per_min is None


def test_no_price_is_no_cost_and_no_call_is_a_cost_of_nothing():
    progress = Progress(1)
    assert progress.cost == 0
    progress.on_call(call(None))
    assert progress.cost is None
    progress.on_call(call(Decimal("0.1")))
    assert progress.cost == Decimal("0.1")


@pytest.mark.parametrize(
    ("statuses", "more", "error", "ends"),
    [
        ([Status.SCORED] * 4, {}, None, ("completed", "completed")),
        ([Status.SCORED] * 3 + [Status.FAILED], {}, None, ("completed", "completed_with_errors")),
        ([Status.SCORED] * 3, {}, None, ("completed", "completed_with_errors")),
        ([Status.SCORED] * 4, {}, "broken off", ("completed", "completed_with_errors")),
        ([Status.FAILED] * 4, {}, None, ("completed", "completed_with_errors")),
        ([], {}, "no key", ("failed", "failed")),
        ([Status.SCORED], {"cancelled": 5}, None, ("cancelled", "cancelled")),
        ([], {"cancelled": 5}, None, ("cancelled", "cancelled")),
    ],
)
def test_a_batch_is_completed_wherever_it_has_results(statuses, more, error, ends):
    progress = Progress(1)
    for number, status in enumerate(statuses):
        progress.on_trial(trial(str(number), status))
    assert ended_as(batch(repeats=1, **more), progress, error) == ends


@pytest.mark.parametrize(
    ("trouble", "begun", "bound", "goes_on"),
    [
        (StoreError("full"), False, True, True),
        (Taken("taken", fix="wait"), False, True, True),
        (UsageError("no answer", fix="start it"), True, False, True),
        (UsageError("no answer", fix="start it"), False, False, False),
        (UsageError("a poisonous scenario", fix="mend it"), True, True, False),
        (RuntimeError("a bug"), True, True, False),
    ],
)
def test_only_what_may_pass_is_waited_for(trouble, begun, bound, goes_on):
    assert passing(trouble, begun=begun, bound=bound) is goes_on


def test_every_conversation_is_counted_once_wherever_a_batch_stands():
    progress = Progress(1)
    for number, status in enumerate([Status.SCORED, Status.FAILED, Status.SKIPPED, Status.INVALID]):
        progress.on_trial(trial(str(number), status))
    for state in ("running", "cancelled", "completed"):
        standing = reading.status(batch(9, 1, state=state), progress.figures, slots=3)
        ended = standing.completed + standing.failed + standing.skipped
        assert ended + standing.running + standing.queued + standing.not_run == 9
        assert standing.not_run == (0 if state == "running" else 5)


def test_it_is_said_why_the_last_conversation_failed_but_not_what_others_answered():
    progress = Progress(1)
    progress.on_trial(trial("a", Status.SCORED))
    assert progress.trouble is None
    denied = Transcript((), Outcome("provider_error", ErrorClass.DENIED, "key sk-123 is not known"))
    progress.on_trial(structs.replace(trial("b", Status.FAILED), transcript=denied, detail="denied"))
    assert progress.trouble == "b: denied (provider_error)"
    hook = Transcript((), Outcome("webhook_error", detail="status 500"))
    progress.on_trial(structs.replace(trial("c", Status.INVALID), transcript=hook, detail="webhook"))
    progress.on_trial(trial("d", Status.SCORED))
    assert progress.trouble == "c: webhook (webhook_error: status 500)"


def test_progress_is_whole_at_the_end_only_and_says_what_is_left():
    progress = Progress(1)
    for number in range(4):
        progress.on_trial(trial(str(number), Status.SCORED))
    running = reading.status(batch(repeats=1, state="running"), progress.figures, slots=3)
    assert (running.progress, running.running, running.queued) == (99.9, 0, 0)
    done = reading.status(batch(repeats=1, state="completed"), progress.figures)
    assert (done.progress, done.resumable, done.eta_s) == (100.0, False, None)
    half = reading.status(batch(8, 1, state="running"), progress.figures, slots=3)
    assert (half.progress, half.running, half.queued, half.resumable) == (50.0, 3, 1, True)
    assert half.eta_s is not None
    cancelled = reading.status(batch(8, 1, state="cancelled"), progress.figures)
    assert (cancelled.progress, cancelled.running, cancelled.queued, cancelled.resumable) == (
        50.0,
        0,
        0,
        True,
    )


def test_costs_sum_and_what_has_no_price_is_null():
    spent = [
        Spending("agent", "m", 4, 1, 1, 0, 100, 10, 40, Decimal("0.1")),
        Spending("judge", "j", 2, 0, 0, 2, 50, 5, 0, Decimal(0)),
    ]
    found = reading.cost(batch(), spent)
    assert (found.total_cost_usd, found.total_tokens, found.total_requests) == (Decimal("0.1"), 165, 6)
    assert (found.unpriced_calls, found.unknown_calls) == (2, 1)
    assert found.by_model["j"].cost_usd is None
    assert found.by_role["agent"].cached_tokens == 40
    nothing = reading.cost(batch(), [])
    assert (nothing.total_cost_usd, nothing.average_cost_per_request) == (0, None)

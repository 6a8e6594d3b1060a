import io

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import Reply, Request, Usage, say
from assay.ports import Run
from assay.seat.record import request_hash
from assay.trial import Call, CallState, Score, Status, Trial
from assay.watchers.progress import LiveProgress, PlainProgress, figures
from assay.watchers.tally import ModelTally

RUN = Run(
    id="run_1", plan={}, task="t", fingerprint="f", headline="exact", models=("m",), planned=4,
    seed=0, wall=0, version="0",
)  # fmt: skip
REQUEST = Request((say("user", "x"),))


def trial(value, status=Status.SCORED, detail=""):
    scores = (Score("exact", value),) if value is not None else ()
    return Trial(
        run="run_1", key="k", case=Case(id="c", name="c"), model="m", repeat=0, seed=0,
        status=status, detail=detail, scores=scores,
    )  # fmt: skip


def call(error=None):
    return Call(
        run="run_1", trial="k", role="candidate", ordinal=0, attempt=1, model="m", request=REQUEST,
        request_hash=request_hash("m", REQUEST), occurrence=0, began=0,
        state=CallState.FAILED if error else CallState.DONE, error=error,
        reply=Reply("hi", usage=Usage(3, 2)),
    )  # fmt: skip


def test_a_trial_without_a_score_counts_as_nothing_and_a_skipped_one_not_at_all():
    tally = ModelTally()
    for each in (trial(True), trial(None, Status.FAILED, "timeout"), trial(None, Status.SKIPPED)):
        tally.trial(each, "exact")
    assert (tally.ended, tally.mean) == (3, 0.5)
    assert tally.errors == {"timeout": 1}


def test_a_failed_attempt_that_did_not_fail_its_trial_was_retried():
    tally = ModelTally()
    tally.call(call(ErrorClass.RATE_LIMITED))
    tally.call(call(ErrorClass.TIMEOUT))
    tally.trial(trial(None, Status.FAILED, "timeout"), "exact")
    assert tally.troubles() == "1 timeout failed, 1 rate_limited (retried)"


def test_a_line_shows_the_score_with_its_margin():
    tally = ModelTally()
    for _ in range(10):
        tally.trial(trial(True), "exact")
    assert figures(tally).startswith("1.00 ±0.")


def test_plain_progress_writes_lines_without_control_characters():
    out = io.StringIO()
    progress = PlainProgress(out)
    progress.every = 0.0
    progress.on_start(RUN, 2)
    progress.on_call(call())
    progress.on_trial(trial(True))
    progress.on_end(RUN)
    assert out.getvalue().startswith("2 trials are in the record already\nm  1/4  ")
    assert "\x1b" not in out.getvalue()


def test_a_played_trial_is_not_ended_yet():
    out = io.StringIO()
    progress = PlainProgress(out)
    progress.every = 0.0
    progress.on_start(RUN, 0)
    progress.on_trial(trial(None, Status.PLAYED))
    assert out.getvalue() == ""


def test_live_progress_ends_with_its_run_and_can_be_closed_again():
    progress = LiveProgress(io.StringIO())
    progress.on_start(RUN, 0)
    progress.on_trial(trial(True))
    progress.on_end(RUN)
    progress.close()

"""The rows of a batch: eight classic columns first, one set in three forms, nothing live in CSV."""

import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.case import Case
from assay.errors import ErrorClass
from assay.message import Message, Reply, Request, Usage, say
from assay.reports.result_files import ResultFiles
from assay.store.forms import BOM, FORMULA_STARTS, Form, pieces
from assay.store.results import CLASSIC, ResultRow, result_row, state_of, transcript_lines
from assay.trial import Call, CallState, Event, EventKind, Outcome, Score, Status, Transcript, Trial

LIVE = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a cell a formula, written out: the list of the code must hold all of it."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "=1+1",
        "+7 900",
        "-2",
        "@cmd",
        "\tx",
        "\rx",
        "\nx",
        "＝1",
        "＋1",
        "－1",
        "＠1",
        "'=1",
        'a,"b"\r\nc',
        "Привет, мир",
    ]
)


def call(cost=None, origin="live", usage=None) -> Call:
    return Call(
        "r", "k", "agent", 0, 1, "m", Request(()), "h", 0, 0,
        state=CallState.DONE, origin=origin, reply=Reply("x", usage=usage), cost=cost,
    )  # fmt: skip


def conversation(status=Status.SCORED, *, name="n", comment="", grade=3.0, key="k", **more) -> Trial:
    return Trial(
        "r", key, Case("c", name, tags={"p": "q"}), "m", 0, 1, status,
        scores=(Score("judge", grade, comment), Score("state", value=True)),
        **{"transcript": Transcript((), Outcome("goal_done")), **more},
    )  # fmt: skip


@st.composite
def conversations(draw) -> Trial:
    return conversation(
        draw(st.sampled_from(Status)),
        name=draw(texts),
        comment=draw(texts),
        grade=draw(st.none() | st.sampled_from([1.0, 2.0, 3.0, 2.5])),
        key=draw(texts),
        calls=(call(draw(st.none() | st.decimals(0, 1, places=9))),),
        ended=draw(st.floats(0, 1e6)),
    )


def text_of(trials, to, **form) -> str:
    rows = (result_row(trial, "v1") for trial in trials)
    return "".join(pieces(rows, ResultRow, Form(to, counts=True, **form)))


def guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


@given(st.lists(conversations(), max_size=5))
def test_all_three_forms_carry_the_same_conversations(trials):
    whole = json.loads(text_of(trials, "json", batch="b"), parse_float=Decimal)
    assert list(whole) == ["batch_id", "results", "total_results"]
    assert (whole["batch_id"], whole["total_results"]) == ("b", len(trials))
    lines = text_of(trials, "ndjson").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line, parse_float=Decimal) for line in lines] == whole["results"]
    table = text_of(trials, "csv")
    rows = list(csv.reader(io.StringIO(table, newline=""), strict=True))
    assert tuple(rows[0][:8]) == CLASSIC
    for cells, row in zip(rows[1:], whole["results"], strict=True):
        for name, cell in zip(rows[0], cells, strict=True):
            value = row[name]
            if isinstance(value, dict):
                assert int(cell) == len(value)
            elif isinstance(value, bool):
                assert cell == str(value)
            elif isinstance(value, str):
                assert cell == guarded(value)
            else:
                assert cell == "" if value is None else Decimal(cell) == Decimal(value)


@given(texts, texts)
def test_no_cell_of_the_table_can_be_run_by_a_spreadsheet(name, comment):
    table = text_of([conversation(name=name, comment=comment)], "csv")
    rows = list(csv.reader(io.StringIO(table, newline=""), strict=True))
    for head, cell in zip(*rows, strict=True):
        number = cell.removeprefix("-").replace(".", "", 1).isdecimal()
        assert number or not cell.startswith(LIVE), head
    raw = list(csv.DictReader(io.StringIO(text_of([conversation(name=name)], "csv", raw=True), newline="")))
    assert raw[0]["scenario"] == name


def test_the_table_begins_with_a_mark_where_a_spreadsheet_needs_one():
    assert text_of([], "csv", bom=True).startswith(BOM + "session_id,")
    assert not text_of([], "csv").startswith(BOM)
    assert text_of([conversation(name="Заказ")], "csv").count("\r\n") == 2


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.SCORED, "completed"),
        (Status.UNSCORED, "completed"),
        (Status.PLAYED, "completed"),
        (Status.FAILED, "failed"),
        (Status.INVALID, "failed"),
        (Status.SKIPPED, "skipped"),
        (Status.NOT_RUN, "not_run"),
    ],
)
def test_a_conversation_is_completed_where_it_ended_without_an_error(status, state):
    assert state_of(status) == state
    assert result_row(conversation(status)).status == state


def test_a_judge_that_gave_nothing_leaves_no_score_and_no_comment():
    unscored = Score("judge", None, "no verdict: not JSON", unscored="judge_invalid")
    trial = Trial("r", "k", Case("c", "n"), "m", 0, 1, Status.UNSCORED, scores=(unscored,))
    row = result_row(trial)
    assert (row.score, row.comment, row.status, row.goal) == (None, None, "completed", None)


def test_a_number_that_stands_for_a_missing_grade_says_so():
    details = {"fallback_score": 1, "score_is_fallback": True}
    unscored = Score("judge", None, "no verdict", unscored="judge_invalid", details=details)
    row = result_row(Trial("r", "k", Case("c", "n"), "m", 0, 1, Status.UNSCORED, scores=(unscored,)))
    assert (row.score, row.score_is_fallback, row.comment) == (1, True, None)
    assert not result_row(conversation()).score_is_fallback


def test_lines_that_were_delivered_are_turns_and_others_are_not():
    def said(role, text, **more) -> Event:
        return Event(EventKind.SAID, role, say("user", text), **more)

    effect = Event(
        EventKind.EFFECT, "webhook", data={"external_session_id": "x7", "variables": {"K": "secret"}}
    )
    events = (
        effect,
        Event(EventKind.PROMPT, "agent", Message("system")),
        said("agent", "a"),
        said("client", "b"),
        said("agent", "c", delivered=False),
        Event(EventKind.DISCARDED, "client", say("user", "?"), delivered=False),
        Event(EventKind.TOOL_CALL, "agent"),
    )
    trial = conversation(transcript=Transcript(events, Outcome("goal_done")), started=1.0, ended=3.25)
    row = result_row(trial)
    assert (row.total_turns, row.discarded_lines, row.tool_calls) == (2, 1, 1)
    assert (row.duration_seconds, row.external_session_id) == (2.25, "x7")
    told = "".join(pieces(transcript_lines([trial]), type(next(transcript_lines([trial]))), Form("ndjson")))
    assert told.count("\n") == len(events)
    assert "secret" not in told


def test_only_live_calls_cost_and_one_without_a_price_leaves_no_sum():
    used = Usage(10, 2)
    priced = (call(Decimal("0.1"), usage=used), call(Decimal("0.2"), usage=used), call(Decimal(9), "resumed"))
    row = result_row(conversation(calls=priced))
    assert (row.cost_usd, row.input_tokens, row.output_tokens, row.calls) == (Decimal("0.3"), 20, 4, 3)
    assert result_row(conversation(calls=(*priced, call(None)))).cost_usd is None


def test_a_failed_conversation_says_by_which_error():
    outcome = Outcome("provider_error", ErrorClass.TIMEOUT, "total")
    trial = conversation(Status.FAILED, transcript=Transcript((), outcome), detail="timeout")
    row = result_row(trial)
    assert (row.status, row.trial_status, row.detail, row.end_reason) == (
        "failed",
        "failed",
        "timeout",
        "provider_error",
    )


def test_files_are_whole_or_not_there(tmp_path):
    files = ResultFiles(tmp_path / "results", "b", "20251201_120000")

    def broken():
        yield conversation()
        raise RuntimeError("the reader died")

    with pytest.raises(RuntimeError):
        files.write(broken, None)
    assert list((tmp_path / "results").iterdir()) == []
    files.write(lambda: [conversation()], "v1")
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        f"batch_b_20251201_120000.{form}" for form in ("csv", "json", "ndjson")
    ]

"""Three formats, one set of trials."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from assay.case import Case
from assay.errors import ErrorClass, UsageError
from assay.keys import JSON
from assay.message import Reply, Usage
from assay.store.export import TrialRow, export, export_to, trial_row
from assay.store.forms import FORMULA_STARTS
from assay.trial import Outcome, Score, Status, Transcript, Trial

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def some_trials(draw) -> Trial:
    reply = Reply(draw(texts), usage=Usage(3, 4))
    values = st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts | st.none()
    return Trial(
        run="run",
        key=draw(texts),
        case=Case("id", draw(texts), draw(texts), tags=draw(st.dictionaries(texts, texts, max_size=2))),
        model=draw(texts),
        repeat=draw(st.integers(0, 9)),
        seed=1,
        status=draw(st.sampled_from(Status)),
        due=draw(st.floats(0, 1e6)),
        transcript=Transcript((), Outcome("stop"), draw(st.none() | st.just(reply))),
        scores=tuple(Score(name, draw(values)) for name in draw(st.sets(texts, max_size=3))),
    )


def written(trials, to, **options) -> str:
    out = io.StringIO(newline="")
    assert export(trials, to, out, **options) == len(trials)
    return out.getvalue()


def value_of(name: str, cell: str, *, raw: bool) -> JSON:
    """What a reader makes of a cell."""
    if not raw and cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS):
        cell = cell[1:]
    kind = TrialRow.__annotations__[name]
    is_text = "str" in kind and "dict" not in kind
    return None if cell == "" else cell if is_text else json.loads(cell)


def from_csv(text: str, *, raw: bool) -> list[JSON]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [{name: value_of(name, cell, raw=raw) for name, cell in row.items()} for row in rows]


def blank(rows: list[JSON]) -> list[JSON]:
    """CSV cannot tell an empty text from a missing one."""
    return [{name: None if value == "" else value for name, value in row.items()} for row in rows]


@given(st.lists(some_trials(), max_size=4), st.booleans())
def test_all_formats_carry_the_same_trials(trials, raw) -> None:
    expected = [json.loads(msgspec.json.encode(trial_row(trial, "qa"))) for trial in trials]
    ndjson = [json.loads(line) for line in written(trials, "ndjson", task="qa").split("\n")[:-1]]
    whole = json.loads(written(trials, "json", task="qa"))
    for row in expected:
        row["cost_usd"] = None if row["cost_usd"] is None else float(row["cost_usd"])
    assert ndjson == expected
    assert whole == {"results": expected, "total_results": len(trials)}
    assert from_csv(written(trials, "csv", task="qa", csv_raw=True), raw=True) == blank(expected)
    assert len(from_csv(written(trials, "csv", task="qa"), raw=False)) == len(trials)


def test_a_row_says_what_the_calls_say(sample) -> None:
    call = sample.done(sample.call())
    judge = sample.done(sample.call(role="judge"))
    cached = structs.replace(sample.done(sample.call(ordinal=4)), origin="cached")
    trial = structs.replace(
        sample.trial(call, Status.SCORED),
        calls=(call, judge, cached),
        scores=(Score("exact", True), Score("style", None, unscored="judge_invalid")),
    )
    row = trial_row(trial, "qa")
    assert (row.ttft_ms, row.latency_ms) == (1.0, 1.0)
    assert (row.calls, row.input_tokens, row.output_tokens) == (3, 24, 6)
    assert row.cost_usd == Decimal("0.000025")
    assert (row.reply, row.scores) == ("Four.", {"exact": True, "style": None})
    assert (row.due, row.started, row.tags, row.task) == (0.5, 0.6, {"level": "easy"}, "qa")
    unpriced = structs.replace(trial, calls=(call, structs.replace(judge, cost=None)))
    assert trial_row(unpriced).cost_usd is None


def test_a_failed_trial_has_a_row_with_its_error(sample) -> None:
    played = sample.trial(sample.done(sample.call()), Status.FAILED)
    trial = structs.replace(played, calls=(), transcript=Transcript((), Outcome("error", ErrorClass.TIMEOUT)))
    row = trial_row(trial)
    assert (row.status, row.error, row.reply, row.latency_ms) == ("failed", "timeout", None, None)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_text_that_a_spreadsheet_would_run_is_guarded_unless_raw(sample, start) -> None:
    trial = sample.trial(sample.done(sample.call(), f"{start}1+1"))
    (guarded,) = csv.DictReader(io.StringIO(written([trial], "csv"), newline=""))
    (raw,) = csv.DictReader(io.StringIO(written([trial], "csv", csv_raw=True), newline=""))
    assert (guarded["reply"], raw["reply"]) == (f"'{start}1+1", f"{start}1+1")


def test_numbers_are_never_guarded(sample) -> None:
    trial = structs.replace(sample.trial(sample.done(sample.call())), due=-1.5)
    assert ",-1.5," in written([trial], "csv")


def test_csv_lines_end_as_the_standard_says(sample) -> None:
    text = written([sample.trial(sample.done(sample.call(), 'a "b"\n,c'))], "csv")
    assert text.count("\r\n") == 2
    assert '"a ""b""\n,c"' in text


def test_a_lone_surrogate_and_a_huge_number_spoil_no_format(sample) -> None:
    trial = sample.trial(sample.done(sample.call(), "bad \ud800 text"))
    trial = structs.replace(trial, scores=(Score("n", 10**30),))
    assert json.loads(written([trial], "ndjson"))["reply"] == "bad \ufffd text"
    assert json.loads(written([trial], "json"))["results"][0]["scores"] == {"n": 10**30}
    assert "bad \ufffd text" in written([trial], "csv")
    written([trial], "csv").encode()


def test_no_trials_make_a_valid_file_of_each_kind() -> None:
    assert written([], "ndjson") == ""
    assert json.loads(written([], "json")) == {"results": [], "total_results": 0}
    assert written([], "csv").split(",")[0] == "run_id"


def test_memory_stays_constant(sample, tmp_path) -> None:
    trial = sample.trial(sample.done(sample.call(), "x" * 10_000))
    tracemalloc.start()
    try:
        for to in ("csv", "ndjson", "json"):
            export_to(tmp_path / to, (trial for _ in range(500)), to)
            assert (tmp_path / to).stat().st_size > 5_000_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_export_that_breaks_off_leaves_the_old_file(sample, tmp_path) -> None:
    def broken() -> Iterator[Trial]:
        yield sample.trial(sample.done(sample.call()))
        raise ValueError("gone")

    place = tmp_path / "out.csv"
    place.write_text("old")
    with pytest.raises(ValueError, match="gone"):
        export_to(place, broken(), "csv")
    assert place.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_a_place_that_cannot_be_written_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        export_to(tmp_path / "missing" / "out.csv", [], "csv")

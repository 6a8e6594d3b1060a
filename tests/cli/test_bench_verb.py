"""A run and a row a point; the figures are those of the run that the store holds."""

import pytest

from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import Status

SHORT = ("--duration", "400ms", "--warm-up", "100ms")


def test_each_point_is_a_run_with_its_own_row(assay):
    typed = assay(
        "bench", "task.yaml", "--model", "emulated/skill-1", "--concurrency", "1,4", *SHORT, "--json"
    )
    assert typed.code == 0, typed.err
    one, four = typed.json["points"]
    assert [point["load"] for point in (one, four)] == [
        {"open": False, "concurrency": 1},
        {"open": False, "concurrency": 4},
    ]
    store = SqliteStore.open(assay.folder / ".assay" / "assay.db")
    for point in (one, four):
        trials = [t for t in store.trials(Where(run=point["run_id"])) if t.phase == "window"]
        assert point["model"]["load"]["completed"] == pytest.approx(len(trials) / 0.4)
        assert point["model"]["load"]["correct"] == pytest.approx(
            sum(t.status is Status.SCORED and t.scores[0].number == 1 for t in trials) / 0.4
        )
        assert point["model"]["speed"]["ttft"]["n"] == len(trials)


def test_a_closed_loop_says_so_and_an_open_one_shows_its_lag(assay):
    closed = assay(
        "bench", "task.yaml", "--model", "emulated/skill-1", "--concurrency", "2", *SHORT, "--quiet"
    )
    assert "closed 2" in closed.out
    assert "closed loop: the next request waits for a slot" in closed.out
    opened = assay("bench", "task.yaml", "--model", "emulated/skill-1", "--rate", "30", *SHORT, "--quiet")
    assert "30/s" in opened.out
    assert "e2e counts from when a request was due" in opened.out
    row = next(line for line in opened.out.splitlines() if line.startswith("emulated/skill-1 (emulated)"))
    assert "closed" not in row


def test_a_point_of_a_number_of_requests_sends_just_so_many(assay):
    typed = assay(
        "bench",
        "task.yaml",
        "--model",
        "emulated/skill-0",
        "--concurrency",
        "4",
        "--requests",
        "30",
        "--json",
    )
    assert typed.code == 0, typed.err
    (point,) = typed.json["points"]
    assert point["model"]["planned"] == 30
    assert point["model"]["load"]["trials"] == 30
    assert point["model"]["load"]["completed"] > 0
    assert point["model"]["load"]["correct"] == 0
    assert point["model"]["headline"]["value"] == 0


def test_models_are_loaded_one_after_another(assay):
    typed = assay(
        "bench", "task.yaml", "--models", "emulated/skill-1,emulated/skill-0", "--concurrency", "1,2",
        "--requests", "6", "--json",
    )  # fmt: skip
    points = typed.json["points"]
    assert [(p["model"]["model"], p["load"]["concurrency"]) for p in points] == [
        ("emulated/skill-1", 1),
        ("emulated/skill-1", 2),
        ("emulated/skill-0", 1),
        ("emulated/skill-0", 2),
    ]


def test_a_plan_file_keeps_its_own_schedule_and_window(assay):
    assay.write(
        "plan.yaml",
        "task: task.yaml\nmodels: [emulated/skill-1]\n"
        "schedule: {kind: constant, rate: 25}\nwindow: {warm_up: 0.1, seconds: 0.4}\n",
    )
    typed = assay("bench", "plan.yaml", "--json")
    (point,) = typed.json["points"]
    assert point["load"] == {"open": True, "rate": 25.0}
    assert point["model"]["load"]["seconds"] == 0.4
    assert point["model"]["load"]["trials"] == 10


def test_too_many_failures_have_their_exit_code_and_every_point_is_still_run(assay):
    typed = assay(
        "bench", "task.yaml", "--models", "emulated/fault-500,emulated/skill-1", "--concurrency", "1",
        "--requests", "6", "--json",
    )  # fmt: skip
    assert typed.code == 4
    assert len(typed.json["points"]) == 2


def test_streaming_is_on_unless_it_is_turned_off(assay):
    words = ("bench", "task.yaml", "--model", "emulated/skill-1", "--concurrency", "1", "--requests", "3")
    streamed, whole = assay(*words, "--json").json, assay(*words, "--no-stream", "--json").json
    assert streamed["points"][0]["model"]["speed"]["ttft"] is not None
    assert whole["points"][0]["model"]["speed"]["ttft"] is None

"""The list of runs, one run's figures, and its removal."""

import csv
import io

import pytest
from click.testing import CliRunner

from assay.cli.runs import command
from assay.errors import UsageError
from assay.ports import Where
from assay.store.sqlite import SqliteStore


def test_an_empty_list_says_how_to_begin(assay):
    typed = assay("runs", "list")
    assert typed.code == 0
    assert typed.out == "no runs yet in .assay/assay.db; begin with: assay demo\n"
    assert assay("runs", "list", "--json").json == []
    assert not (assay.folder / ".assay").exists()


def test_a_list_has_the_newest_run_first_with_a_row_a_model(assay):
    first = assay.run("emulated/skill-1")
    second = assay.run("emulated/skill-1", "emulated/skill-0")

    rows = assay("runs", "list", "--json").json
    assert [(row["run_id"], row["model"]) for row in rows] == [
        (second, "emulated/skill-1"),
        (second, "emulated/skill-0"),
        (first, "emulated/skill-1"),
    ]
    assert [row["value"] for row in rows] == [1.0, 0.0, 1.0]
    assert {(row["headline"], row["recorded"], row["n"], row["state"]) for row in rows} == {
        ("exact", 12, 12, "completed")
    }


def test_a_list_for_people_marks_what_is_emulated_and_shows_intervals(assay):
    assay.run("emulated/skill-1")
    out = assay("runs", "list").out
    assert "emulated/skill-1 (emulated)" in out
    assert "exact 1.00 [" in out


def test_a_list_as_csv_has_the_same_rows_and_the_limit_counts_runs(assay):
    assay.run()
    newest = assay.run("emulated/skill-1", "emulated/skill-0")
    rows = list(csv.DictReader(io.StringIO(assay("runs", "list", "--to", "csv", "--limit", "1").out)))
    assert [row["run_id"] for row in rows] == [newest, newest]
    assert [float(row["value"]) for row in rows] == [1.0, 0.0]


def test_a_run_is_shown_with_figures_plan_and_what_failed(assay):
    typed = assay("run", "task.yaml", "--model", "emulated/fault-500", "--retries", "0", "--json")
    assert typed.code == 4
    run = typed.json["run_id"]

    out = assay("runs", "show", "last").out

    assert out.startswith(f"{run}   tiny v1 (test, 12 cases)   completed")
    assert "12/12" in out
    assert f"assay show {run}/1 " in out
    assert "failed (overloaded)" in out
    assert "and 2 more: assay export" in out
    assert '"task":"task.yaml"' in out


def test_a_run_as_json_has_its_plan_and_the_same_figures_as_when_it_ended(assay):
    run = assay.run("emulated/skill-0.5")
    shown = assay("runs", "show", run, "--json").json
    assert shown["run"]["id"] == run
    assert shown["run"]["plan"]["task"] == "task.yaml"
    again = assay("runs", "list", "--json").json[0]
    assert shown["summary"]["models"][0]["headline"]["value"] == again["value"]


def test_an_unknown_run_names_the_near_one(assay):
    run = assay.run()
    typed = assay("runs", "show", run[:-1] + "z")
    assert typed.code == 2
    assert f"Did you mean {run}?" in typed.err


def test_delete_asks_and_a_no_keeps_the_run(assay):
    run = assay.run()
    asked = CliRunner().invoke(command, ["delete", run], input="n\n")
    assert asked.exit_code == 0
    assert f"delete {run} (tiny v1 (test, 12 cases), 12 calls)?" in asked.output
    assert f"kept {run}" in asked.output
    assert len(assay("runs", "list", "--json").json) == 1


def test_delete_without_anybody_to_ask_keeps_the_run_and_names_the_flag(assay):
    run = assay.run()
    asked = CliRunner().invoke(command, ["delete", run], input="")
    assert isinstance(asked.exception, UsageError)
    assert asked.exception.fix == "add --yes"
    assert len(assay("runs", "list", "--json").json) == 1


@pytest.mark.parametrize("answer", [("--yes",), ()])
def test_delete_removes_a_run_and_its_trials_alone(assay, answer):
    kept, run = assay.run(), assay.run()
    done = CliRunner().invoke(command, ["delete", run, *answer], input="y\n")
    assert done.exit_code == 0
    assert f"deleted {run}" in done.output
    store = SqliteStore.open(assay.folder / ".assay" / "assay.db")
    assert [each.id for each in store.runs()] == [kept]
    assert len(list(store.trials(Where()))) == 12

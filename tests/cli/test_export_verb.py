"""A run's trials as a file: the same trials in each form."""

import csv
import io
import json

import pytest


def test_the_three_forms_carry_the_same_trials(assay):
    run = assay.run("emulated/skill-0.5")
    as_csv = list(csv.DictReader(io.StringIO(assay("export", run).out)))
    as_ndjson = [json.loads(line) for line in assay("export", run, "--to", "ndjson").out.splitlines()]
    as_json = assay("export", run, "--to", "json").json
    assert as_json["results"] == as_ndjson
    assert as_json["total_results"] == len(as_csv) == 12
    for one, other in zip(as_csv, as_ndjson, strict=True):
        assert one["trial_key"] == other["trial_key"]
        assert one["reply"] == other["reply"]
        assert json.loads(one["scores"]) == other["scores"]
        assert other["task"] == "tiny"


@pytest.mark.parametrize("name", ["out.csv", "out.ndjson", "out.jsonl", "out.json"])
def test_the_form_follows_the_name_of_the_file(assay, name):
    run = assay.run()
    typed = assay("export", "last", "-o", name)
    assert (typed.code, typed.out) == (0, "")
    assert typed.err == f"12 trials of {run} in {name}\n"
    text = (assay.folder / name).read_text()
    begins = {"csv": "run_id,", "json": '{"results"'}.get(name.rpartition(".")[2], '{"run_id"')
    assert text.startswith(begins)


def test_a_name_that_says_no_form_is_an_error_and_no_file(assay):
    assay.run()
    typed = assay("export", "last", "-o", "out.xyz")
    assert typed.code == 2
    assert "--to csv" in typed.err
    assert not (assay.folder / "out.xyz").exists()


def test_cells_that_a_spreadsheet_would_run_are_defused_unless_raw(assay):
    rows = [{"id": "c", "input": "x", "target": "=1+1"}]
    assay.write("cases.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assay.run("emulated/skill-1")
    (defused,) = csv.DictReader(io.StringIO(assay("export", "last").out))
    (raw,) = csv.DictReader(io.StringIO(assay("export", "last", "--raw").out))
    assert (defused["reply"], raw["reply"]) == ("'=1+1", "=1+1")


def test_parquet_is_written_to_a_file_and_not_printed(assay):
    pl = pytest.importorskip("polars", reason="the extra frames is not installed")
    run = assay.run("emulated/skill-0.5")
    typed = assay("export", run, "-o", "out.parquet")
    assert typed.err == f"12 trials of {run} in out.parquet\n"
    keys = [row["trial_key"] for row in assay("export", run, "--to", "json").json["results"]]
    assert pl.read_parquet(assay.folder / "out.parquet")["trial_key"].to_list() == keys
    printed = assay("export", run, "--to", "parquet")
    assert (printed.code, "-o trials.parquet" in printed.err) == (2, True)

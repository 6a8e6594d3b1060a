"""Labels typed at the terminal, one trial after another, and what a judge is worth by them."""

import csv
import io
import json

import pytest

JUDGED = ("--scorer", "exact", "--scorer", "judge", "--judge-model", "emulated/judge")


@pytest.fixture
def typing(assay, monkeypatch):
    """Types lines at `assay label`."""

    def type_in(lines, *words):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return assay("label", "last", "--rater", "ann", *words)

    return type_in


def calibrations(assay, score="judge"):
    summary = assay("runs", "show", "last", "--json").json["summary"]
    return summary["models"][0]["judges"][score]["calibrations"]


def test_each_dimension_of_the_judge_is_asked_for_and_their_mean_is_a_label_too(assay, typing):
    assay.run(more=JUDGED)
    typed = typing(["5", "4", "3"] * 2)
    assert typed.code == 0
    assert "2 labelled, 10 left" in typed.err
    assert "[1/12] case c" in typed.out
    assert "judge_correctness: 1-5" in typed.out
    found = calibrations(assay)
    assert {name: c["n"] for name, c in found.items()} == dict.fromkeys(
        ("judge", "judge_correctness", "judge_completeness", "judge_format"), 2
    )
    assert found["judge_format"]["corrected"]["value"] < 5


def test_the_judges_own_grade_and_the_models_name_are_not_shown(assay, typing):
    assay.run(more=JUDGED)
    out = typing(["q"]).out
    assert "skill" not in out
    assert "goal was reached" not in out


def test_one_may_quit_and_go_on_skip_and_go_back(assay, typing):
    assay.run()
    first = typing(["y", "s", "<", "n", "q"], "--score", "exact")
    assert "2 labelled, 10 left" in first.err
    shown = [line for line in first.out.splitlines() if line.startswith("[")]
    assert [line.split("]")[0] for line in shown] == ["[1/12", "[2/12", "[3/12", "[2/12", "[3/12"]
    again = typing(["y"] * 3, "--limit", "3")
    assert "[1/3]" in again.out
    assert "3 labelled, 7 left" in again.err


def test_what_is_no_label_is_asked_for_again_and_the_end_of_the_input_is_the_end(assay, typing):
    assay.run(more=JUDGED)
    typed = typing(["6", "", "x", "٣", "2.5", "5"], "--score", "judge_format")
    assert typed.out.count("no label:") == 5
    assert "1 labelled, 11 left" in typed.err


def test_agreement_with_right_and_wrong_is_kappa_with_the_corrected_mean_beside_the_raw(assay, typing):
    assay.run("emulated/skill-0.5")
    trials = json.loads(assay("export", "last", "--to", "json").out)["results"]
    rows = [
        {"trial_key": t["trial_key"], "value": "right" if t["scores"]["exact"] else "wrong"} for t in trials
    ]
    rows[0]["value"] = "wrong" if rows[0]["value"] == "right" else "right"
    assay.write("labels.jsonl", "".join(json.dumps(row) + "\n" for row in rows[:8]))
    typed = assay("label", "last", "--rater", "ann", "--import", "labels.jsonl")
    assert (typed.code, "8 labels" in typed.err) == (0, True)
    out = assay("runs", "show", "last").out
    assert "exact against people: kappa 0." in out
    assert "8 labelled trials by 1 rater" in out
    assert "exact, mean: raw " in out
    found = calibrations(assay, "exact")["exact"]
    assert found["agree"]["value"] == 7 / 8
    assert (found["weights"], sum(map(sum, found["confusion"]["counts"]))) == ("none", 8)


def test_labels_leave_and_come_back_as_csv(assay, typing):
    assay.run(more=JUDGED)
    typing(["5", "4", "3"] * 2)
    assert assay("label", "last", "--export", "out.csv").code == 0
    with (assay.folder / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["rater"] for row in rows} == {"ann"}
    before = calibrations(assay)
    assay.run(more=JUDGED)
    assert calibrations(assay) == {}
    assay("label", "last", "--import", "out.csv")
    assert calibrations(assay) == before


def test_a_judge_that_nobody_has_checked_says_so(assay, typing):
    run = assay.run(more=JUDGED)
    assert f"judge: a judge's figure, not calibrated against people: assay label {run}" in (
        assay("runs", "show", run).out
    )
    typing(["5", "4", "3"] * 2)
    assert "not calibrated" not in assay("runs", "show", run).out


def test_two_raters_are_measured_against_each_other(assay, typing):
    assay.run("emulated/skill-0.5")
    typing(["y", "n"] * 6, "--score", "exact")
    typing(["y", "n"] * 5 + ["y", "y"], "--score", "exact", "--rater", "bob")
    found = calibrations(assay, "exact")["exact"]
    assert (found["raters"], found["n"]) == (2, 12)
    assert 0.5 < found["people"]["value"] < 1


def test_a_pair_is_labelled_by_who_is_better(assay, typing):
    run = assay.run("emulated/skill-1", "emulated/skill-0")
    assay("compare", run, "--judge-model", "emulated/judge", "--reference")
    typed = typing(["a", "a", "t", "b", "q"])
    assert "pairwise: a/t/b" in typed.out
    found = calibrations(assay, "pairwise")["pairwise"]
    assert (found["n"], found["confusion"]["labels"]) == (4, [0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("row", "problem", "fix"),
    [
        ({"value": "5"}, "names no trial", "trial_key"),
        ({"trial_key": "abc", "value": "5"}, "has no trial abc", "assay export"),
        ({"case_name": "c99", "value": "5"}, "is of no trial", "check the case"),
        ({"case_name": "c1", "value": "many"}, "'many' is no label", "right or wrong"),
        ({"case_name": "c1", "value": "nan"}, "no label", "right or wrong"),
        ({"case_name": "c1", "valeu": "1"}, "unknown column 'valeu'", "did you mean value?"),
    ],
)
def test_a_label_that_fits_nothing_names_its_line_and_the_remedy(assay, row, problem, fix):
    assay.run()
    assay.write("labels.jsonl", json.dumps(row) + "\n")
    typed = assay("label", "last", "--import", "labels.jsonl")
    assert typed.code == 2
    assert f"labels.jsonl, line 1: {problem}" in typed.err or problem in typed.err
    assert fix in typed.err


def test_a_score_or_a_scale_that_is_not_there_is_refused(assay, typing):
    assay.run()
    assert "its scores: exact" in typing([], "--score", "exakt").err
    assert "--scale 1-5" in typing([], "--scale", "5-1").err

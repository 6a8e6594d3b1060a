"""`assay summarise`: the classic figures of a file in any of its forms, ours or the classic service's."""

import csv
import io
import json
import statistics

import pytest

GRADES = [1, 2, 3, 3, 2, 3, None, 3]
ROWS = [
    {
        "session_id": f"s{number}",
        "scenario": "заказ",
        "status": status,
        "score": grade,
        "comment": "хорошо",
        "total_turns": 4,
        "duration_seconds": 1.5,
    }
    for number, (status, grade) in enumerate([*(("completed", grade) for grade in GRADES), ("failed", None)])
]


def as_csv(rows) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


FORMS = {
    "r.ndjson": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n",
    "r.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "r.csv": as_csv(ROWS),
    "bom.csv": "\ufeff" + as_csv(ROWS),
    "r.json": json.dumps({"batch_id": "b", "results": ROWS, "total_results": 9}, indent=1),
    "one_line.json": json.dumps({"batch_id": "b", "results": ROWS, "total_results": 9}),
    "list.json": json.dumps(ROWS),
    "named_wrong.txt": json.dumps(ROWS, indent=2),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_comes_to_the_same(assay, name):
    assay.write(name, FORMS[name])
    found = assay("summarise", name, "--format", "json").json
    scored = [grade for grade in GRADES if grade is not None]
    figures = found["score_statistics"]
    assert figures["mean"] == pytest.approx(statistics.mean(scored))
    assert figures["median"] == statistics.median(scored)
    assert figures["std"] == pytest.approx(statistics.stdev(scored))
    assert (figures["min"], figures["max"], figures["n"]) == (1, 3, 7)
    assert figures["interval"]["low"] < figures["mean"] < figures["interval"]["high"]
    assert found["score_distribution"] == {"score_1": 1, "score_2": 2, "score_3": 4, "other": 0}
    assert (found["total_scenarios"], found["successful_scenarios"], found["failed_scenarios"]) == (9, 8, 1)
    assert found["success_rate"] == pytest.approx(8 / 9)
    assert found["success"]["low"] < 8 / 9 < found["success"]["high"]
    assert found["unscored"] == 1


def test_what_a_person_reads_has_every_figure_with_its_n(assay):
    assay.write("r.ndjson", FORMS["r.ndjson"])
    said = assay("summarise", "r.ndjson").out
    assert "success rate   88.9% [" in said
    assert "n = 9" in said
    assert "mean score     2.429 [" in said
    assert "n = 7, 1 without a score" in said
    assert "median 3 · std 0.787 · min 1 · max 3" in said
    assert "score 3        4   57.1%" in said


def test_files_are_written_and_quiet_says_nothing(assay):
    assay.write("r.csv", FORMS["r.csv"])
    done = assay("summarise", "r.csv", "--histogram", "h.png", "--output", "s.csv", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (assay.folder / "h.png").read_bytes().startswith(b"\x89PNG\r\n")
    rows = dict(csv.reader(io.StringIO((assay.folder / "s.csv").read_bytes().decode(), newline="")))
    assert rows["score_statistics.n"] == "7"
    assert rows["score_distribution.score_3"] == "4"
    assert assay("summarise", "r.csv", "--output", "s.json").code == 0
    assert json.loads((assay.folder / "s.json").read_text())["scored"] == 7


def test_a_score_that_was_only_a_fallback_is_no_score(assay):
    fallback = {"status": "completed", "score": 1, "score_is_fallback": True}
    assay.write("r.json", json.dumps([fallback, {"status": "completed", "score": 3}]))
    assert assay("summarise", "r.json", "--format", "json").json["score_statistics"]["mean"] == 3


def test_no_score_at_all_is_said(assay):
    assay.write("r.json", json.dumps([{"status": "failed", "score": None}]))
    done = assay("summarise", "r.json", "--histogram", "h.png")
    assert done.code == 0
    assert "scores         none" in done.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no results"),
        ("[]", "no results"),
        ("{}", "no status"),
        ('{"results": 3}', "no list of results"),
        ('[{"status": "completed", "score": "three"}]', "result 0: the score 'three' is no number"),
        ('[{"status": "completed", "score": true}]', "is no number"),
        ('{"status": "completed", "score": 1}\n{"score": 1}\n', "line 2: no status"),
        ('{"status": "completed"}\n', "line 1: no score"),
        ('{"status": "completed", "score": 1}\n{broken\n', "line 2"),
        ("[3]", "result 0: no object"),
        ("status;score\n1;2", "no status"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_with_its_place(assay, text, said):
    assay.write("r.json" if text[:1] in "[{" and text else "r.ndjson", text)
    done = assay("summarise", "r.json" if text[:1] in "[{" and text else "r.ndjson")
    assert done.code == 2
    assert said in done.err
    assert "fix:" in done.err


def test_the_trials_of_any_run_are_read_too(assay):
    run = assay.run()
    for form in ("csv", "ndjson", "json"):
        assert assay("export", run, "-o", f"r.{form}").code == 0
        found = assay("summarise", f"r.{form}", "--format", "json").json
        assert (found["total_scenarios"], found["successful_scenarios"], found["scored"]) == (12, 12, 0)

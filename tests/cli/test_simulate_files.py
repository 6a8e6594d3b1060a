"""`assay simulate --output-dir`: the files that the classic command leaves."""

import csv
import io
import json
import re

PLAYED = ("simulate", "--agent", "emulated/agent", "--client", "rules", "--evaluator", "emulated/judge")


def test_results_and_summary_are_left_in_the_classic_form(assay):
    done = assay(*PLAYED, "--output-dir", "out", "--quiet", "--log-dir", "logs", "--log-content", "none")
    assert done.code == 0, done.err
    names = sorted(path.name for path in (assay.folder / "out").iterdir())
    stamped = [re.sub(r"run_\w{22}_\d{8}_\d{6}", "RUN", name) for name in names]
    assert stamped == ["batch_RUN.csv", "batch_RUN.json", "batch_RUN.ndjson", "summary_RUN.json"]
    table, whole, lines, summary = ((assay.folder / "out" / name).read_bytes().decode() for name in names)
    rows = list(csv.DictReader(io.StringIO(table, newline=""), strict=True))
    assert list(rows[0])[:8] == [
        "session_id",
        "scenario",
        "status",
        "score",
        "comment",
        "total_turns",
        "duration_seconds",
        "prompt_version",
    ]
    found = json.loads(whole)
    assert list(found) == ["batch_id", "results", "total_results"]
    assert {row["prompt_version"][:7] for row in rows} == {"sha256:"}
    assert found["batch_id"] in names[0]
    assert found["total_results"] == len(rows) == lines.count("\n") > 10
    assert [row["session_id"] for row in rows] == [row["session_id"] for row in found["results"]]
    figures = json.loads(summary)
    assert figures["successful_scenarios"] == figures["total_scenarios"] == len(rows)
    assert figures["score_statistics"]["n"] == len(rows)
    again = assay("summarise", f"out/{names[0]}", "--format", "json").json
    assert again["score_statistics"] == figures["score_statistics"]
    assert again["score_distribution"] == figures["score_distribution"]
    logs = {path.name.partition("_")[0]: path.read_text() for path in (assay.folder / "logs").iterdir()}
    assert set(logs) >= {"app", "tokens", "conversations"}
    assert not re.search("[а-я]{6}", logs["conversations"])

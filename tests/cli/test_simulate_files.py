"""`assay simulate --output-dir`: the files that the classic command leaves."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

from assay.case import Case
from assay.cli.speech import Speech
from assay.message import say
from assay.trial import Event, EventKind, Status, Trial

ASSAY = str(Path(sys.executable).with_name("assay"))
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


def test_one_conversation_as_json_is_one_json_object(assay):
    done = assay(*PLAYED, "--single", "0", "--json")
    assert done.code == 0, done.err
    assert done.json["run_id"].startswith("run_")


def test_a_listener_that_goes_away_spoils_no_conversation(assay):
    head = subprocess.Popen(["head", "-n", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    command = [ASSAY, "simulate", "--agent", "emulated/agent", "--client", "rules", "--evaluator", "none"]
    done = subprocess.run([*command, "--single", "0"], stdout=head.stdin, stderr=subprocess.PIPE, check=False)
    head.stdin.close()
    head.stdout.close()
    head.wait()
    assert done.returncode == 0, done.stderr
    shown = assay("runs", "show", "last", "--json").json
    assert shown["summary"]["models"][0]["statuses"]["scored"] == 1


def test_without_streaming_one_conversation_is_shown_when_it_has_ended(assay):
    alone = (
        "simulate",
        "--agent",
        "emulated/agent",
        "--client",
        "rules",
        "--evaluator",
        "none",
        "--single",
        "0",
    )
    said = [
        re.sub(r" +[\d.]+ m?s$|, \d+ ms|[\d.]+ m?s$", "", line) for line in assay(*alone).out.splitlines()
    ]
    later = assay(*alone, "--no-stream").out.splitlines()
    assert [re.sub(r" +[\d.]+ m?s$|, \d+ ms|[\d.]+ m?s$", "", line) for line in later] == said
    assert len(said) > 10


def test_a_conversation_that_is_not_streamed_is_silent_until_its_end(capsys):
    speech = Speech(live=False)
    speech.on_event("t", Event(EventKind.SAID, "agent", say("assistant", "Алло.")))
    assert capsys.readouterr().out == ""
    speech.on_trial(Trial("r", "t", Case("c", "c"), "m", 0, 0, Status.SCORED))
    assert "Алло." in capsys.readouterr().out

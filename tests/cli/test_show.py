"""One trial in the terminal: found by what was typed, complete, and harmless."""

import json

import pytest

from assay.cli import looks, transcript
from assay.ports import Where
from assay.store.sqlite import SqliteStore

HOSTILE = "\x1b[2J\x1b]0;pwned\x07\u202egnp.exe\r\nerror: forged\x00\x9b31m"


def trials(assay):
    return list(SqliteStore.open(assay.folder / ".assay" / "assay.db").trials(Where()))


def test_a_trial_is_found_by_place_by_key_and_by_the_beginning_of_its_key(assay):
    run = assay.run()
    third = trials(assay)[2]
    for name in (f"{run}/3", "last/3", f"last/{third.key[:10]}", third.key, third.key[:12], f"{run[-6:]}/3"):
        typed = assay("show", name, "--json")
        assert typed.code == 0, typed.err
        assert typed.json["key"] == third.key


def test_a_key_alone_shows_the_newest_of_several_runs(assay):
    assay.run()
    second = assay.run()
    key = trials(assay)[0].key
    assert assay("show", key, "--json").json["run"] == second


@pytest.mark.parametrize(
    ("name", "problem", "fix"),
    [
        ("last/13", "has no trial 13", "it has 12"),
        ("last/0", "has no trial 0", "it has 12"),
        ("last/ffffffffff", "has no trial ffffffffff", "RUN/1"),
        ("last/what", "neither a trial's number nor", "RUN/1"),
        ("last", "last is a run, not a trial", "/1"),
        ("nothing", "there is no run nothing", "Did you mean"),
        ("nothing/1", "there is no run nothing", "Did you mean"),
    ],
)
def test_a_trial_that_is_not_there_is_said_with_a_remedy(assay, name, problem, fix):
    assay.run()
    typed = assay("show", name)
    assert typed.code == 2
    assert problem in typed.err
    assert fix in typed.err


def test_a_trial_shows_prompt_reply_what_was_wanted_scores_with_reasons_and_calls(assay):
    assay.run("emulated/skill-0", more=("--stream",))
    trial = trials(assay)[0]
    out = assay("show", "last/1").out
    assert f"{trial.run} / {trial.key[:12]}   scored" in out
    assert "user      What is 0 + 1?" in out
    assert f"candidate {trial.transcript.final.text}" in out
    assert "wanted: 1" in out
    (score,) = trial.scores
    assert f"exact  0       {score.reason}" in out
    assert "end: answered, 1 line" in out
    (call,) = trial.calls
    row = next(line for line in out.splitlines() if line.startswith("candidate.0.1"))
    assert looks.seconds(call.latency) in row
    assert looks.seconds(call.ttft) in row
    assert f"{call.reply.usage.input} / {call.reply.usage.output}" in row
    assert "odd=0" in out


def test_a_failed_trial_shows_its_error_and_every_attempt(assay):
    typed = assay(
        "run", "task.yaml", "--model", "emulated/fault-500", "--retries", "1", "--limit", "1", "--json"
    )
    assert typed.code == 4
    out = assay("show", "last/1").out
    assert "failed (overloaded)" in out
    assert "candidate.0.1" in out
    assert "candidate.0.2" in out
    assert out.count("failed: overloaded") == 2


def test_hostile_text_never_reaches_the_terminal_as_it_is(assay):
    rows = [{"id": HOSTILE[:20], "input": HOSTILE, "target": HOSTILE, "tags": {HOSTILE[:9]: HOSTILE[:9]}}]
    assay.write("cases.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assay.run("emulated/skill-1")
    for words in (
        ("show", "last/1"),
        ("show", "last/1", "--full"),
        ("runs", "show", "last"),
        ("runs", "list"),
    ):
        out = assay(*words).out
        assert all(c.isprintable() or c == "\n" for c in out)
    shown = assay("show", "last/1").out
    assert "\\x1b[2J" in shown
    assert "\\u202e" in shown
    assert "\nerror: forged" not in shown


def test_long_text_is_cut_unless_all_of_it_is_wanted(assay):
    assay.write_cases(1, input="word " * 4000)
    assay.run("emulated/skill-1")
    short, full = assay("show", "last/1").out, assay("show", "last/1", "--full").out
    assert "more characters" in short
    assert short.count("word") < 400
    assert full.count("word") >= 4000


def test_a_conversation_shows_who_spoke_tools_on_one_line_effects_and_the_state(assay):
    typed = assay(
        "simulate", "--agent", "emulated/agent", "--client", "rules", "--evaluator", "none", "--json"
    )
    assert typed.code == 0, typed.err
    trial = next(t for t in trials(assay) if t.case.name == "calm_reorder")
    out = assay("show", trial.key[:16]).out
    lines = out.splitlines()
    tool_calls = [e for e in trial.transcript.events if e.message and e.message.tool_calls]
    tool_lines = [line for line in lines if line.startswith("  tool ")]
    assert len(tool_lines) == len(tool_calls) > 0
    assert not any(line.startswith("tool ") for line in lines)
    assert any("place_order(" in line and "wrote" in line and "orders" in line for line in tool_lines)
    assert any(line.startswith("agent     ") for line in lines)
    assert any(line.startswith("client    ") for line in lines)
    assert any(line.startswith("end: goal_done, ") for line in lines)
    assert any(line.startswith("state: orders: added") for line in lines)


def test_discarded_lines_are_marked_in_words():
    from assay.case import Case
    from assay.message import say
    from assay.trial import Event, EventKind, Outcome, Status, Transcript, Trial

    discarded = Event(
        EventKind.DISCARDED, "client", say("user", "I am an AI"), delivered=False, data={"fault": "role_swap"}
    )
    trial = Trial(
        "r", "k", Case("i", "n"), "m", 0, 0, Status.PLAYED,
        transcript=Transcript((discarded,), Outcome("gave_up")),
    )  # fmt: skip
    assert any("discarded (role_swap): I am an AI" in line for line in transcript.event_lines(trial))

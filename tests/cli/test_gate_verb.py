"""`assay gate`: lines, exit codes, files, and what is wrong with a gates.yaml for this run."""

import json

import pytest


@pytest.fixture
def played(assay):
    """A folder with 150 cases and two runs: an old right one and a new wrong one."""
    assay.write_cases(150)
    assay.old = assay.run("emulated/skill-1")
    assay.new = assay.run("emulated/skill-0.6")
    return assay


def gates(assay, text):
    return assay.write("gates.yaml", text)


def test_each_gate_is_a_line_with_its_figure_and_the_worst_verdict_is_the_exit_code(played):
    gates(
        played,
        "- {metric: exact, min: 0.8}\n"
        "- {metric: exact, max_drop: 0.02, versus: BASELINE}\n"
        "- {metric: exact, min: 0.6, slice: odd=1}\n"
        "- {metric: latency_p95, max: 20s}\n",
    )
    typed = played("gate", "last", "gates.yaml", "--versus", played.old)
    assert typed.code == 1
    lines = typed.out.splitlines()
    assert lines[0].startswith("FAIL         exact >= 0.80            0.5")
    assert lines[1].startswith("FAIL         exact drop <= 0.02       -0.")
    assert lines[2].startswith("CANNOT TELL  exact >= 0.60 on odd=1")
    assert lines[2].endswith("would tell")
    assert lines[3].startswith("PASS         latency_p95 <= 20 s")
    assert lines[3].endswith("of 150 calls")
    assert lines[5] == f"{played.new}: the chance that any of the 4 verdicts is wrong is at most 5 % (Holm)"


@pytest.mark.parametrize(("limit", "code", "word"), [("0.9", 0, "PASS"), ("0.998", 3, "CANNOT TELL")])
def test_all_kept_is_0_and_doubt_is_3(played, limit, code, word):
    gates(played, f"- {{metric: exact, min: {limit}}}\n")
    typed = played("gate", played.old, "gates.yaml")
    assert (typed.code, typed.out.split("  ")[0]) == (code, word)


def test_invalid_is_3_and_says_why(played):
    failing = played("run", "task.yaml", "--model", "emulated/fault-500", "--retries", "0", "--json")
    gates(played, "- {metric: exact, min: 0.1}\n- {metric: nonesuch, min: 0.1}\n")
    typed = played("gate", failing.json["run_id"], "gates.yaml")
    assert typed.code == 3
    assert typed.out.count("INVALID") == 2


def test_json_is_one_object_and_markdown_a_table(played):
    gates(played, "- {metric: exact, max_drop: 0.02}\n- {metric: exact, min: 0.1}\n")
    typed = played("gate", "last", "gates.yaml", "--versus", played.old, "--json", "-o", "gate.md")
    found = typed.json
    assert (found["run_id"], found["verdict"], found["tests"]) == (played.new, "FAIL", 2)
    assert [each["verdict"] for each in found["gates"]] == ["FAIL", "PASS"]
    assert found["gates"][0]["versus"] == f"{played.old}:emulated/skill-1"
    assert {"value", "low", "high", "n", "p", "adjusted", "more", "reason", "limit"} <= set(found["gates"][0])
    text = (played.folder / "gate.md").read_text()
    assert text.startswith("## Gate: FAIL\n\n| verdict | gate | model | found |\n")
    assert "| **FAIL** | exact drop \\<= 0.02 | emulated/skill-0.6 (emulated) |" in text


def test_every_model_of_a_run_is_held_to_the_limits_or_one_by_its_name(played):
    run = played.run("emulated/skill-1", "emulated/skill-0.6")
    gates(played, "- {metric: exact, min: 0.9}\n- {metric: exact, min: 0.2, model: emulated/skill-0.6}\n")
    typed = played("gate", run, "gates.yaml")
    assert typed.code == 1
    lines = typed.out.splitlines()
    assert lines[0] == "emulated/skill-1 (emulated)"
    assert lines[1].startswith("PASS         exact >= 0.90")
    assert lines[3] == "emulated/skill-0.6 (emulated)"
    assert [line.split("  ")[0] for line in lines[4:6]] == ["FAIL", "PASS"]
    alone = played("gate", f"{run}:emulated/skill-1", "gates.yaml")
    assert alone.code == 2
    assert "the run has no model 'emulated/skill-0.6'" in alone.err


def test_the_baseline_may_lie_in_a_store_of_its_own(played):
    gates(played, "- {metric: exact, max_drop: 0.02}\n")
    (played.folder / ".assay" / "assay.db").rename(played.folder / "old.db")
    played.run("emulated/skill-0.6")
    named = ("--versus", played.old, "--versus-store", "old.db")
    assert played("gate", "last", "gates.yaml", *named).code == 1


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        (
            "- {metric: exakt, min: 0.1}\n",
            "gates.yaml, line 1: unknown metric 'exakt'",
            "did you mean exact?",
        ),
        ("- {metric: latency_p59, max: 1s}\n", "unknown metric 'latency_p59'", "did you mean latency_p"),
        ("- {metric: exact, min: 0.1, slice: odd=3}\n", "line 1: no case has odd=3", "did you mean odd="),
        ("- {metric: exact, min: 0.1, model: emulated/skill-0.7}\n", "no model", "emulated/skill-0.6"),
        ("- {metric: exact, max_drop: 0.1}\n", "line 1: max_drop of exact needs a baseline", "--versus RUN"),
        ("- {metric: exact, max_drop: 0.1, versus: nothing}\n", "there is no run nothing", ""),
        ("- {metric: exact}\n", "no limit", "min, max, max_drop"),
    ],
)
def test_what_is_wrong_in_the_file_is_exit_code_2_with_the_remedy(played, text, problem, fix):
    gates(played, text)
    typed = played("gate", "last", "gates.yaml")
    assert typed.code == 2
    assert problem in typed.err
    assert fix in typed.err


def test_a_baseline_with_other_models_must_be_named(played):
    run = played.run("emulated/skill-1", "emulated/skill-0.7")
    gates(played, "- {metric: exact, max_drop: 0.1}\n")
    typed = played("gate", played.new, "gates.yaml", "--versus", run)
    assert typed.code == 2
    assert "has no emulated/skill-0.6" in typed.err
    assert played("gate", played.new, "gates.yaml", "--versus", f"{run}:skill-1").code == 1


def test_hostile_names_in_a_reason_stay_on_their_line(played):
    rows = [{"id": f"c{n}", "input": f"{n}", "target": "x", "tags": {"a|b": "c\nd"}} for n in range(4)]
    played.write("cases.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    played.run("emulated/skill-1")
    gates(played, "- {metric: exact, min: 0.6, slice: {'a|b': \"c\\nd\"}}\n")
    typed = played("gate", "last", "gates.yaml", "-o", "gate.md")
    assert typed.code == 3
    assert len(typed.out.splitlines()) == 3
    (row,) = [
        line for line in (played.folder / "gate.md").read_text().splitlines() if line.startswith("| **CANNOT")
    ]
    assert row.replace("\\|", "").count("|") == 5

"""Tasks as they come, and the check of files that people write."""

import json

import pytest

from assay.loading.checking import MOST_PROBLEMS


def test_the_list_has_every_built_in_task_with_its_cases(assay):
    found = {each["name"]: each for each in assay("tasks", "list", "--json").json}
    assert found["json_extraction"]["cases"] == {"train": 2000, "validation": 30, "test": 120}
    assert found["gsm8k"]["cases"] == {}
    assert found["phone_orders"]["exchange"] == "conversation"
    out = assay("tasks", "list").out
    assert all(name in out for name in found)
    assert "your own (--data)" in out


def test_a_task_shows_prompt_slices_scorers_and_what_is_wanted(assay):
    out = assay("tasks", "show", "json").out
    assert out.startswith("json_extraction v1   Extract a JSON object")
    assert "scorers   json_valid, json_schema, json_fields, json_exact (headline: json_exact)" in out
    assert "slices    difficulty: " in out
    assert "system    You turn short texts" in out
    assert "wanted    {" in out


def test_a_task_without_cases_of_its_own_says_what_it_needs(assay):
    assert "name a file with --data" in assay("tasks", "show", "gsm8k").out


def test_a_sound_file_says_how_many_cases_it_holds(assay):
    assert assay("tasks", "check", "cases.jsonl").out == "cases.jsonl: a sound file of cases, 12 cases\n"
    assert assay("tasks", "check", "task.yaml").out == "task.yaml: a sound task, 12 cases\n"
    typed = assay("tasks", "check", "cases.jsonl", "--json")
    assert typed.json == {"kind": "cases", "cases": {"": 12}, "problems": [], "warnings": []}


def test_every_bad_line_of_a_file_is_named_at_once(assay):
    lines = ['{"id": "a", "input": "x"}', '{"id": "a", "input": "y"}', '{"id": 3, input}', "[1]", ""]
    assay.write("bad.jsonl", "\n".join([*lines, '{"id": "b", "inputt": "z"}', '{"id": "c", "input": "w"}']))
    typed = assay("tasks", "check", "bad.jsonl")
    assert typed.code == 2
    errors = [line for line in typed.err.splitlines() if line.startswith("error: ")]
    assert [error.partition(":")[2].partition(":")[0].strip() for error in errors] == [
        "bad.jsonl, line 2",
        "bad.jsonl, line 3",
        "bad.jsonl, line 4",
        "bad.jsonl, line 6",
    ]
    assert "did you mean input?" in typed.err
    assert typed.err.endswith("bad.jsonl: 4 problems, 2 good cases\n")


def test_a_check_gives_up_after_many_problems(assay):
    assay.write("bad.jsonl", "nonsense\n" * 1000)
    typed = assay("tasks", "check", "bad.jsonl")
    assert typed.err.count("error: ") == MOST_PROBLEMS
    assert "the rest was not read" in typed.err


def test_scenarios_are_known_by_their_variables_and_checked_against_the_world(assay):
    classic = {"PERSONALITY": "спокойный", "AMB_LEVEL": 0, "PATIENCE": 2}
    good = {"name": "one", "variables": {**classic, "ORDER_GOAL": '[{"name": "филе", "qty": 2}]'}}
    bad = {"name": "two", "variables": {"CURRENT_DATE": "2025-06-08 Friday"}}
    assay.write("scenarios.json", json.dumps([good, bad]))
    typed = assay("tasks", "check", "scenarios.json")
    assert typed.code == 2
    assert 'scenario 1 "two", variables.CURRENT_DATE: ' in typed.err
    assert "that day is a Sunday" in typed.err
    assert typed.err.endswith("1 problem, 1 good scenario\n")
    assay.write("post_body.json", json.dumps({"scenarios": [good]}))
    assert "a sound file of scenarios, 1 scenario\n" in assay("tasks", "check", "post_body.json").out


def test_cases_of_a_task_with_columns_of_its_own_are_read_by_them(assay):
    assay.write(
        "gsm.jsonl", '{"question": "1 + 1?", "answer": "2 #### 2"}\n{"question": "x", "answer": "?"}\n'
    )
    typed = assay("tasks", "check", "gsm.jsonl", "--task", "gsm8k")
    assert typed.code == 2
    assert "gsm.jsonl, line 2: answer holds no '####'" in typed.err


def test_a_plan_is_checked_with_its_cases(assay):
    assay.write("plan.yaml", "task: task.yaml\nmodels: [emulated/skill-1]\nlimit: 5\n")
    assert assay("tasks", "check", "plan.yaml").out == "plan.yaml: a sound plan, 5 cases\n"
    assay.write("plan.yaml", "task: task.yaml\nmodels: [emulated/skill-1]\ndata: none.jsonl\n")
    assert assay("tasks", "check", "plan.yaml").code == 2


def test_a_check_of_a_task_or_a_plan_warns_of_names_that_nothing_gives(assay):
    assay.write("agent.txt", "Sell. {{NOPE}}")
    assay.write("scenes.yaml", "- {name: a, variables: {ORDER_GOAL: '[]'}}\n")
    talk = "exchange: {conversation: {client: rules, prompts: {agent: agent.txt}}}"
    assay.write("talk.yaml", f"name: talk\ncases: scenes.yaml\n{talk}\nscorers: [policy]\n")
    assay.write("talk_plan.yaml", "task: talk.yaml\nmodels: [emulated/agent]\n")
    for path in ("talk.yaml", "talk_plan.yaml"):
        typed = assay("tasks", "check", path)
        assert typed.code == 0, typed.err
        assert "nothing is called NOPE" in typed.err


@pytest.mark.parametrize("name", ["none.jsonl", "none.yaml", "none.json", "none.csv"])
def test_a_file_that_is_missing_is_an_error(assay, name):
    typed = assay("tasks", "check", name)
    assert typed.code == 2
    assert "no such file" in typed.err


SAMPLES = {
    "squad": ("dev.json", json.dumps({"data": [{"title": "T", "paragraphs": [
        {"context": f"The {name} is {n}.", "qas": [
            {"id": f"{name}", "question": f"What is the {name}?", "answers": [{"text": str(n)}]},
            {"id": f"no {name}", "question": f"Who made the {name}?", "answers": [], "is_impossible": True},
        ]} for n, name in enumerate(("ship", "port", "sea"))
    ]}]})),
    "choice": ("mc.csv", "question,A,B,answer\nFirst?,x,y,A\nSecond?,x,y,B\n"),
    "bfcl": ("simple.json", "".join(json.dumps({
        "id": f"simple_python_{n}", "question": [[{"role": "user", "content": f"Add {n}."}]],
        "function": [{"name": "math.add", "description": "", "parameters": {
            "type": "dict", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}],
    }) + "\n" for n in range(4))),
}  # fmt: skip


@pytest.mark.parametrize("task", SAMPLES)
@pytest.mark.parametrize(("skill", "value"), [("1", 1.0), ("0", 0.0)])
def test_a_public_set_is_played_from_its_file(assay, task, skill, value):
    name, text = SAMPLES[task]
    assay.write(name, text)
    (assay.folder / "possible_answer").mkdir()
    truth = ({"id": f"simple_python_{n}", "ground_truth": [{"math.add": {"n": [n]}}]} for n in range(4))
    assay.write(f"possible_answer/{name}", "".join(json.dumps(row) + "\n" for row in truth))
    typed = assay("run", task, "--data", name, "--model", f"emulated/skill-{skill}", "--json")
    assert typed.code == 0, typed.err
    (model,) = typed.json["models"]
    assert model["headline"]["value"] == value
    assert model["statuses"]["scored"] == {"squad": 6, "choice": 2, "bfcl": 4}[task]


def test_a_check_tells_every_bad_scenario_with_its_line_and_the_key_that_was_meant(assay):
    assay.write(
        "scenarios.yaml",
        """scenarios:
- name: one
  variables: {ORDER_GOAL: '[]'}
  expct: {}
- name: two
  variables:
    AMB_LEVEL: 7
- name: three
  variables: {ORDER_GOAL: '[]'}
""",
    )
    typed = assay("tasks", "check", "scenarios.yaml")
    assert typed.code == 2
    assert 'scenarios.yaml, line 4, scenario 0 "one", expct: unknown field' in typed.err
    assert "did you mean expect?" in typed.err
    assert 'scenarios.yaml, line 7, scenario 1 "two", variables.AMB_LEVEL' in typed.err
    assert typed.err.endswith("2 problems, 1 good scenario\n")
    typed = assay("tasks", "check", "scenarios.yaml", "--json", "--allow-unknown")
    (problem,) = typed.json["problems"]
    assert problem["pointer"] == "/scenarios/1/variables/AMB_LEVEL"
    assert "unknown field 'expct' is passed over" in typed.json["warnings"][0]


def test_a_check_of_scenarios_checks_the_prompts_that_their_file_names(assay):
    assay.write("agent.txt", "Greet.\nSell in {{REGION}}.")
    one = {"name": "one", "variables": {"ORDER_GOAL": "[]", "REGION": "Тверь"}}
    two = {"name": "two", "variables": {"ORDER_GOAL": "[]"}}
    roles = {"agent": {"prompt": "agent.txt"}, "client": {"kind": "rules"}}
    assay.write("some.json", json.dumps({"defaults": {"roles": roles}, "scenarios": [one, two]}))
    typed = assay("tasks", "check", "some.json")
    assert typed.code == 2
    assert 'scenario "two": no value for ' in typed.err
    assert "agent.txt:2 {{REGION}}" in typed.err

"""--judge-model: who is named to judge judges, and the task's own scores stay what they were."""


def names(typed):
    (model,) = typed.json["models"]
    return [model["headline"]["name"], *model["scores"]]


def test_a_named_judge_judges_beside_the_tasks_scorers(assay):
    typed = assay(
        "run", "task.yaml", "--model", "emulated/skill-1", "--judge-model", "emulated/judge", "--json"
    )
    assert names(typed) == ["exact", "judge", "judge_correctness", "judge_completeness", "judge_format"]
    roles = typed.json["models"][0]["roles"]
    assert {role: each["calls"] for role, each in roles.items()} == {"candidate": 12, "judge": 12}


def test_a_task_that_has_a_judge_keeps_it_as_it_is(assay):
    assay.write(
        "task.yaml", "name: t\ncases: cases.jsonl\nscorers: [exact, {judge: {rubric: phone_order}}]\n"
    )
    typed = assay(
        "run", "task.yaml", "--model", "emulated/skill-1", "--judge-model", "emulated/judge", "--json"
    )
    assert names(typed) == ["exact", "judge"]


def test_without_a_judge_nothing_judges(assay):
    assert names(assay("run", "task.yaml", "--model", "emulated/skill-1", "--json")) == ["exact"]

import pytest

from assay.errors import UsageError
from assay.loading.plans import check_plan, is_plan, plan_json, read_plan, stored_plan
from assay.plan import ModelChoice, Plan, Window
from assay.schedule import Closed, Constant, Poisson


def plan_file(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return path


def test_models_may_be_plain_names_and_paths_are_beside_the_plan(tmp_path):
    path = plan_file(
        tmp_path,
        "task: my/task.yaml\ndata: cases.jsonl\n"
        "models: [emulated/skill-0.8, recorded/a.jsonl#x]\n"
        "cast: {judge: emulated/judge}\nschedule: {kind: poisson, rate: 5}\n",
    )
    plan = read_plan(path)
    assert plan.task == str(tmp_path / "my/task.yaml")
    assert plan.data == str(tmp_path / "cases.jsonl")
    assert [m.name for m in plan.models] == ["emulated/skill-0.8", f"recorded/{tmp_path}/a.jsonl#x"]
    assert plan.cast == {"judge": ModelChoice("emulated/judge")}
    assert plan.schedule == Poisson(5)


def test_a_plan_names_a_task_and_a_task_does_not(tmp_path):
    assert is_plan(str(plan_file(tmp_path, "task: gsm8k\nmodels: [m]\n")))
    assert not is_plan(str(plan_file(tmp_path, "name: x\nscorers: [exact]\n")))
    assert not is_plan("gsm8k")


@pytest.mark.parametrize(
    ("line", "problem", "fix"),
    [
        ("repeat: 3", "line 3: unknown field 'repeat'", "did you mean repeats?"),
        ("repeats: many", "line 3: repeats: Expected `int`", "docs"),
        ("repeats: 0", "repeats is 0", "above 0"),
        ("limit: -2", "limit is -2", "above 0"),
        ("schedule: {kind: closed, slots: -4}", "concurrency (schedule.slots) is -4", "above 0"),
        ("schedule: {kind: constant, rate: 0}", "rate is 0", "above 0"),
        ("window: {seconds: -1}", "window.seconds is -1", "above 0"),
    ],
)
def test_a_bad_value_is_named_with_its_remedy(tmp_path, line, problem, fix):
    with pytest.raises(UsageError) as caught:
        read_plan(plan_file(tmp_path, f"task: gsm8k\nmodels: [m]\n{line}\n"))
    assert problem in caught.value.problem
    assert fix in caught.value.fix


def test_a_plan_without_a_model_and_one_with_a_model_twice_are_refused():
    with pytest.raises(UsageError, match="names no model"):
        check_plan(Plan(task="t", models=()))
    with pytest.raises(UsageError, match="named twice"):
        check_plan(Plan(task="t", models=(ModelChoice("m"), ModelChoice("m"))))


@pytest.mark.parametrize("schedule", [Closed(3), Constant(2.5), Poisson(4.0, seed=9)])
def test_a_stored_plan_comes_back_as_it_was(schedule):
    plan = Plan(
        task="t", models=(ModelChoice("m"),), schedule=schedule, window=Window(3), exchange={"a": [1]}
    )
    assert stored_plan(plan_json(plan)) == plan

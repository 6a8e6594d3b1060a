"""The defaults of a scenario file under what a plan says."""

import json

import pytest

from assay.errors import UsageError
from assay.loading.defaults import with_defaults
from assay.loading.plans import read_plan
from assay.message import Sampling
from assay.plan import ModelChoice, Plan
from assay.seat.limits import Limits

DEFAULTS = {
    "language": "en",
    "first_speaker": "client",
    "greeting": "Hello!",
    "limits": {"max_turns": 12},
    "world": "world.yaml",
    "roles": {
        "agent": {"model": "openai/a", "temperature": 0.3, "max_tokens": 400, "prompt": "agent.txt"},
        "client": {"model": "openai/c", "kind": "llm", "limits": {"concurrency": 3}},
        "evaluator": {"model": "openai/e", "temperature": 0},
        "tool": {"model": None},
    },
}


@pytest.fixture
def file(tmp_path):
    (tmp_path / "agent.txt").write_text("Sell.")
    (tmp_path / "world.yaml").write_text("world: w")

    def write(defaults=DEFAULTS, name="s.yaml"):
        path = tmp_path / name
        path.write_text(json.dumps({"version": 1, "defaults": defaults, "scenarios": []}))
        return path

    return write


def plan(**more) -> Plan:
    return Plan(task="phone_orders", models=more.pop("models", ()), **more)


def test_the_defaults_fill_what_the_plan_leaves_open(file, tmp_path):
    filled = with_defaults(plan(), file())
    assert filled.models == (ModelChoice("openai/a", sampling=Sampling(temperature=0.3, max_tokens=400)),)
    assert filled.cast["client"] == ModelChoice("openai/c", limits=Limits(concurrency=3))
    assert filled.cast["judge"] == ModelChoice("openai/e", sampling=Sampling(temperature=0))
    assert filled.exchange == {
        "language": "en",
        "first_speaker": "client",
        "greeting": "Hello!",
        "limits": {"max_turns": 12},
        "client": "llm",
        "prompts": {"agent": str(tmp_path / "agent.txt")},
    }
    assert filled.world == str(tmp_path / "world.yaml")


def test_what_the_plan_says_stays(file):
    given = plan(
        models=(ModelChoice("openai/mine", sampling=Sampling(temperature=1)),),
        cast={"client": ModelChoice("openai/theirs")},
        exchange={"language": "ru", "limits": {"max_turns": 5, "timeout_s": 9}},
        world="other.yaml",
    )
    filled = with_defaults(given, file())
    assert filled.models[0].name == "openai/mine"
    assert filled.models[0].sampling == Sampling(temperature=1, max_tokens=400)
    assert filled.cast["client"].name == "openai/theirs"
    assert filled.exchange["language"] == "ru"
    assert filled.exchange["limits"] == {"max_turns": 5, "timeout_s": 9}
    assert filled.world == "other.yaml"
    assert with_defaults(filled, file()) == filled


def test_a_client_by_rules_takes_no_model(file):
    filled = with_defaults(plan(exchange={"client": "rules"}), file())
    assert "client" not in filled.cast


def test_a_list_and_json_lines_have_no_defaults(tmp_path):
    for name, text in (("a.json", "[]"), ("b.jsonl", "{}")):
        (tmp_path / name).write_text(text)
        assert with_defaults(plan(), tmp_path / name) == plan()


@pytest.mark.parametrize(
    ("defaults", "says"),
    [
        ({"langauge": "ru"}, "did you mean language?"),
        ({"roles": {"agnet": {}}}, "did you mean agent?"),
        ({"roles": {"agent": {"modle": "x"}}}, "did you mean model?"),
        ({"limits": {"max_turn": 3}}, "did you mean max_turns?"),
        ({"roles": {"agent": {"prompt": "none.txt"}}}, "beside the scenario file"),
        ({"world": "atlantis"}, "name a"),
        ({"limits": {"max_turns": 0}}, "docs/tasks.md"),
    ],
)
def test_defaults_out_of_form_are_refused_with_the_remedy(file, defaults, says):
    with pytest.raises(UsageError) as told:
        with_defaults(plan(), file(defaults))
    assert says in told.value.fix


def test_the_world_of_a_built_in_task_is_known_by_its_name(file):
    filled = with_defaults(plan(), file({"world": "phone_orders"}))
    assert filled.world.endswith("phone_orders/world.yaml")


def test_a_plan_file_takes_the_defaults_of_its_scenarios(file, tmp_path):
    file()
    (tmp_path / "plan.yaml").write_text("task: phone_orders\nmodels: [openai/mine]\ndata: s.yaml\n")
    read = read_plan(tmp_path / "plan.yaml")
    assert read.models[0].sampling.temperature == 0.3
    assert read.exchange["greeting"] == "Hello!"

"""models.yaml: names of models and endpoints, what they resolve to, and where keys may go."""

import json
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from assay.cli.options import DIRECT, flags_over
from assay.errors import UsageError
from assay.loading.bind import bound, own_price
from assay.loading.catalogue import find_catalogue, read_catalogue, resolved, resolved_choice, split_endpoint
from assay.loading.environment import Environment
from assay.loading.models import ModelShelf
from assay.loading.plans import plan_json, read_plan, stored_plan
from assay.message import Request, Sampling, Usage, say
from assay.plan import EndpointChoice, ModelChoice, Plan
from assay.seat.limits import Limits

WHOLE = """\
endpoints:
  lab:
    base_url: http://127.0.0.1:8001/v1
    key_variable: LAB_KEY
    headers: {x-team: evals}
    limits: {concurrency: 4}
models:
  small: ollama/llama3.2:1b
  big:
    model: vllm/qwen@lab
    sampling: {temperature: 0.5, max_tokens: 64}
    limits: {requests_per_minute: 60}
    price: {input: 0.1, output: 0.4, cached: 0.05, max_output: 4096}
  mine: {model: recorded/answers.jsonl#reply}
  elsewhere: {model: openai-compatible/x, base_url: "http://127.0.0.1:9/v1", key_variable: OWN_KEY}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(text, name="models.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return written


def choice_of(name: str, **given) -> ModelChoice:
    catalogue = find_catalogue(None)
    return resolved_choice(ModelChoice(name, **given), catalogue, catalogue.endpoints)


def problem(write, text: str) -> str:
    path = write(text)
    with pytest.raises(UsageError) as caught:
        read_catalogue(path)
    return f"{caught.value.problem} | {caught.value.fix}"


def test_a_name_stands_for_what_its_entry_and_its_endpoint_say(write):
    write(WHOLE)
    big = choice_of("big")
    assert (big.name, big.asked, big.endpoint) == ("big", "vllm/qwen", "lab")
    assert (big.base_url, big.key_variable) == ("http://127.0.0.1:8001/v1", "LAB_KEY")
    assert big.headers == {"x-team": "evals"}
    assert big.sampling == Sampling(temperature=0.5, max_tokens=64)
    assert big.limits == Limits(requests_per_minute=60)
    assert choice_of("small").asked == "ollama/llama3.2:1b"


def test_a_bare_name_that_the_file_does_not_know_is_openais(write):
    write(WHOLE)
    assert choice_of("gpt-4o-mini") == ModelChoice("openai/gpt-4o-mini")


def test_an_endpoint_serves_models_that_have_no_entry(write):
    write(WHOLE)
    found = choice_of("vllm/other/name@lab")
    assert (found.name, found.asked, found.base_url) == (
        "vllm/other/name@lab",
        "vllm/other/name",
        "http://127.0.0.1:8001/v1",
    )


def test_an_unknown_endpoint_is_an_error_and_a_file_or_an_address_may_have_an_at(write):
    write(WHOLE)
    with pytest.raises(UsageError, match="no endpoint 'labb'") as caught:
        choice_of("vllm/qwen@labb")
    assert caught.value.fix == "did you mean lab?"
    assert split_endpoint("recorded/a@b.jsonl", {}, None) == ("recorded/a@b.jsonl", None)
    assert split_endpoint("hf/a@b", {}, None) == ("hf/a@b", None)
    assert split_endpoint("openai-compatible/claude@2024", {}, "http://h/v1")[1] is None


def test_files_are_beside_the_models_yaml(write):
    write(WHOLE + "  tuned: {model: hf/base, adapter: lora}\n", "lib/models.yaml")
    catalogue = read_catalogue(Path("lib/models.yaml"))
    assert catalogue.models["mine"].model == "recorded/lib/answers.jsonl#reply"
    assert (catalogue.models["tuned"].model, catalogue.models["tuned"].adapter) == ("hf/lib/base", "lib/lora")


def test_an_adapter_may_stand_in_the_name(write):
    write("models: {x: ollama/y}\n")
    found = choice_of("hf/models/base?adapter=lora/a")
    assert (found.asked, found.adapter) == ("hf/models/base", "lora/a")
    assert found.name == "hf/models/base?adapter=lora/a"
    with pytest.raises(UsageError, match="unknown setting"):
        choice_of("hf/base?adaptor=a")


def test_the_key_of_an_entry_never_goes_to_another_address(write):
    write(WHOLE)
    assert choice_of("elsewhere").key_variable == "OWN_KEY"
    moved = choice_of("elsewhere", base_url="http://127.0.0.1:10/v1")
    assert (moved.base_url, moved.key_variable) == ("http://127.0.0.1:10/v1", None)
    with pytest.raises(UsageError, match="another address"):
        choice_of("big", base_url="http://127.0.0.1:10/v1")
    given = dict.fromkeys(FLAGS)
    given |= {"models": (), "casts": (), "slices": (), "scorers": (), "base_url": "http://127.0.0.1:10/v1"}
    plan = Plan(task="t", models=(ModelChoice("vllm/x", base_url="http://127.0.0.1:9/v1", key_variable="K"),))
    assert flags_over(plan, given).models == (ModelChoice("vllm/x", base_url="http://127.0.0.1:10/v1"),)


FLAGS = (
    *DIRECT,
    *("model_list", "key_variable", "judge_model", "retries", "requests_per_minute", "tokens_per_minute"),
    *("budget", "temperature", "max_tokens", "concurrency", "rate"),
)


async def test_key_and_headers_reach_the_endpoint_and_are_in_no_record(write):
    write(WHOLE)
    choice = choice_of("big")
    async with AsyncExitStack() as stack:
        shelf = ModelShelf(Environment({"LAB_KEY": "sk-lab-secret"}), stack, {}, None)
        model = shelf.make(choice, [])
        head = model._target.head.decode()
        assert json.loads(model._dialect.write(Request((say("user", "x"),))))["model"] == "qwen"
    assert head.startswith("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8001\r\n")
    assert "authorization: Bearer sk-lab-secret\r\n" in head
    assert "x-team: evals\r\n" in head
    assert "secret" not in json.dumps(plan_json(Plan(task="t", models=(choice,))))
    with pytest.raises(UsageError, match="LAB_KEY"):
        ModelShelf(Environment({}), AsyncExitStack(), {}, None).make(choice, [])


def test_a_flag_wins_over_an_entry_and_an_entry_over_the_task(write):
    write(WHOLE)
    plan = Plan(task="t", models=(ModelChoice("big"),), cast={"judge": ModelChoice("big")})
    assert resolved(plan).models[0].sampling.temperature == 0.5
    plan = Plan(
        task="t",
        models=(ModelChoice("big"),),
        cast={"judge": ModelChoice("big")},
        sampling=Sampling(temperature=0),
    )
    assert resolved(plan).models[0].sampling == Sampling(temperature=0, max_tokens=64)
    assert resolved(plan).cast["judge"].sampling == Sampling(temperature=0.5, max_tokens=64)


def test_a_flag_wins_over_the_sampling_that_a_plan_gives_its_model():
    given = dict.fromkeys(FLAGS)
    given |= {"models": (), "casts": (), "slices": (), "scorers": (), "base_url": None, "temperature": 0.0}
    plan = Plan(task="t", models=(ModelChoice("x", sampling=Sampling(temperature=1, seed=3)),))
    assert flags_over(plan, given).models[0].sampling == Sampling(temperature=0, seed=3)


async def test_a_resolved_plan_needs_no_models_yaml_any_more(write):
    path = write(WHOLE)
    plan = resolved(Plan(task="arithmetic", limit=1, models=(ModelChoice("big"),)))
    path.unlink()
    again = resolved(stored_plan(json.loads(json.dumps(plan_json(plan)))))
    assert again == plan
    async with bound(again, Environment({"LAB_KEY": "k"}), checked=False) as ready:
        (place,) = ready.places["big"]
        assert (place.endpoint.name, place.endpoint.quota._slots) == ("lab", 4)
        assert place.price(Usage(1_000_000, 1_000_000)) == Decimal("0.5")
        assert place.worst_case(Request((), sampling=Sampling(max_tokens=10))) is not None


async def test_what_a_name_stands_for_is_in_the_play_key_and_its_address_is_not(write):
    async def key(text: str) -> str:
        write(text)
        plan = Plan(task="arithmetic", limit=1, models=(ModelChoice("m"),))
        async with bound(plan, Environment({}), checked=False) as ready:
            return next(ready.trials()).key

    at = "endpoints: {lab: {base_url: 'http://127.0.0.1:PORT/v1'}}\nmodels: {m: MODEL}\n"
    first = await key(at.replace("PORT", "1").replace("MODEL", "vllm/a@lab"))
    assert await key(at.replace("PORT", "2").replace("MODEL", "vllm/a@lab")) == first
    assert await key(at.replace("PORT", "1").replace("MODEL", "vllm/b@lab")) != first


def test_a_plan_reads_the_file_beside_it_and_its_own_endpoints_win(write):
    write(WHOLE, "sub/models.yaml")
    plan = read_plan(write("task: arithmetic\nmodels: [big]\n", "sub/plan.yaml"))
    assert resolved(plan).models[0].asked == "vllm/qwen"
    text = "task: arithmetic\nmodels: [vllm/q@lab]\nendpoints: {lab: {base_url: http://127.0.0.1:7/v1}}\n"
    plan = resolved(read_plan(write(text, "sub/plan.yaml")))
    assert plan.models[0].base_url == "http://127.0.0.1:7/v1"
    assert plan.endpoints == {"lab": EndpointChoice("http://127.0.0.1:7/v1")}


def test_a_price_below_nothing_is_refused(write):
    write("models: {m: {model: vllm/x, price: {input: -1, output: 0}}}\n")
    with pytest.raises(UsageError, match="the price of m"):
        own_price(choice_of("m"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models:\n  a: {model: vllm/x}\n  b:\n    modell: vllm/y\n", "line 4: unknown field 'modell'"),
        ("models:\n  a:\n    model: vllm/x\n    headers: [1]\n", "line 4: headers: "),
        ("models:\n  a:\n    headers: {}\n", "docs/models.md"),
        ("models:\n  a: {model: gpt-4o}\n", "line 2: a: 'gpt-4o' names no provider"),
        ("models:\n  a: {model: opnai/x}\n", "did you mean openai?"),
        ("models:\n  a: {model: emulated/skill-1}\n", "line 2: a: an emulated model"),
        ("models:\n  a: {model: vllm/x@lab}\n", "line 2: a: no endpoint 'lab' | name it in models.yaml"),
        ("models:\n  a/b: vllm/x\n", "is no name for a model"),
        ("models:\n  a: {model: vllm/x, headers: {Authorization: Bearer k}}\n", "key_variable"),
        (
            "endpoints:\n  l: {base_url: http://h/v1, headers: {x-api-key: k}}\n",
            "line 2: l: the header x-api-key",
        ),
        ('models:\n  a: {model: vllm/x, headers: {x-a: "b\\nc: d"}}\n', "is no header"),
        ("model: {}\n", "unknown section 'model'"),
        ("[]\n", "not a models.yaml"),
        ("models: [a]\n", "models is no mapping"),
        (
            "endpoints: {l: {base_url: http://h/v1}}\nmodels:\n  a: {model: vllm/x@l, base_url: http://i/v1}\n",
            "those of the endpoint l",
        ),
    ],
)
def test_every_mistake_names_its_line_and_its_remedy(write, text, said):
    assert said in problem(write, text)

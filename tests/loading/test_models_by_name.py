import json
from contextlib import AsyncExitStack

import pytest

from assay.case import Case
from assay.errors import UsageError
from assay.loading.environment import Environment, read_environment
from assay.loading.models import ModelShelf, check, recorded_answers
from assay.plan import ModelChoice

CASES = [Case(id="1", name="a", input="What?"), Case(id="2", name="b", input="Who?")]


@pytest.fixture
async def make():
    async with AsyncExitStack() as stack:

        def made(name, environment=None, **choice):
            shelf = ModelShelf(Environment(environment or {}), stack, {}, None)
            return shelf.make(ModelChoice(name, **choice), CASES)

        yield made


def problem(make, name, environment=None, **choice):
    with pytest.raises(UsageError) as caught:
        make(name, environment, **choice)
    return f"{caught.value.problem} | {caught.value.fix}"


def test_a_bare_name_is_openais():
    assert ModelChoice("gpt-4o-mini").asked == "openai/gpt-4o-mini"
    assert ModelChoice("ollama/llama3.2:1b").asked == "ollama/llama3.2:1b"


def test_an_unknown_provider_names_the_near_one(make):
    assert "did you mean openai?" in problem(make, "opnai/gpt-4o")


def test_a_missing_key_names_its_variable(make):
    assert "OPENAI_API_KEY" in problem(make, "openai/gpt-4o-mini")
    assert "GROQ_API_KEY" in problem(make, "groq/llama")


def test_an_unknown_emulated_model_says_what_there_is(make):
    assert "skill-P" in problem(make, "emulated/skil")


def test_a_compatible_server_needs_an_address(make):
    assert "--base-url" in problem(make, "openai-compatible/x")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://h/v1", "http://user:pw@h/v1"])
def test_an_address_must_be_one_and_hold_no_password(make, url):
    problem(make, "openai-compatible/x", base_url=url)


def head_of(model):
    return model._target.head.decode()


def test_a_providers_key_never_goes_to_another_address(make):
    keys = {"OPENAI_API_KEY": "sk-secret", "OTHER": "other-key"}
    assert "sk-secret" in head_of(make("openai/x", keys))
    assert "sk-secret" not in head_of(make("openai/x", keys, base_url="http://127.0.0.1:1/v1"))
    own = make("openai/x", keys, base_url="http://127.0.0.1:1/v1", key_variable="OTHER")
    assert "other-key" in head_of(own)


def test_recorded_answers_match_by_name_or_by_text(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"id": "a", "reply": "A"}, {"question": "Who?", "reply": {"x": 1}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert recorded_answers(str(path), CASES) == {"1": "A", "2": '{"x":1}'}


def test_recorded_answers_without_the_field_or_a_match_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a", "replies": "A"}\n')
    with pytest.raises(UsageError) as caught:
        recorded_answers(str(path), CASES)
    assert caught.value.fix == "did you mean replies?"
    with pytest.raises(UsageError, match="no row matches"):
        recorded_answers(f"{path}#replies", [])


async def test_a_server_that_is_down_is_one_clear_error(make):
    model = make("vllm/x", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="cannot be reached"):
        await check(model, model.name)


def test_variables_win_over_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text('ASSAY_TEST_A=file\nASSAY_TEST_B="$HOME"\n')
    monkeypatch.setenv("ASSAY_TEST_A", "process")
    environment = read_environment(tmp_path)
    assert environment.get("ASSAY_TEST_A") == "process"
    assert environment.get("ASSAY_TEST_B") == "$HOME"

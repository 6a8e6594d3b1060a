"""The doctor: a line for each thing, with a remedy, and never a key."""

import asyncio
import re
import threading
from pathlib import Path

import pytest

from assay.emulator.server import Emulator
from assay.loading import diagnosis
from assay.loading.models import PROVIDERS

ROOT = Path(__file__).parents[2]


def found(typed):
    return {each["what"]: each for each in typed.json}


@pytest.fixture
def server():
    """An emulator in a thread of its own: the command under test has its own event loop."""
    loop, emulator = asyncio.new_event_loop(), Emulator()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield asyncio.run_coroutine_threadsafe(emulator.start(), loop).result(10)
    asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_sound_folder_has_nothing_to_mend(assay):
    assay.run()
    typed = assay("doctor")
    assert typed.code == 0, typed.out
    assert typed.out.splitlines()[-1].endswith("0 WARN, 0 FAIL")
    lines = {line[6:].partition("  ")[0] for line in typed.out.splitlines()}
    assert {"assay", "packages", "keys", "built-in tasks", "task.yaml", "store", "the emulator"} <= lines
    assert "1 runs" in found(assay("doctor", "--json"))["store"]["detail"]


def test_what_init_writes_is_sound_and_its_unused_model_is_a_warning(assay):
    assay("init", "new")
    for name in ("task.yaml", "cases.jsonl"):
        (assay.folder / name).unlink()
    for path in (assay.folder / "new").iterdir():
        path.rename(assay.folder / path.name)
    assay.write("models.yaml", "models: {small: {model: ollama/x, base_url: 'http://127.0.0.1:9'}}\n")
    typed = assay("doctor", "--json")
    assert typed.code == 0
    assert found(typed)["small"]["status"] == "WARN"
    assert found(typed)["plan.yaml"]["status"] == "OK"


def test_a_model_of_a_plan_that_nobody_answers_for_is_a_failure_with_its_remedy(assay):
    assay.write("models.yaml", "models: {m: {model: vllm/x, base_url: 'http://127.0.0.1:9/v1'}}\n")
    assay.write("plan.yaml", "task: task.yaml\nmodels: [m]\n")
    typed = assay("doctor")
    assert typed.code == 2
    assert re.search(r"^FAIL  m +m cannot be reached", typed.out, flags=re.MULTILINE)
    assert "fix: start the server" in typed.out
    assert assay("doctor", "--offline").code == 0


def test_a_server_that_answers_is_said_to(assay, server):
    assay.write("models.yaml", f"models: {{m: {{model: openai-compatible/skill-1, base_url: '{server}'}}}}\n")
    assert found(assay("doctor", "--json"))["m"] == {
        "what": "m",
        "status": "OK",
        "detail": f"answers at {server}",
        "fix": "",
    }


def test_a_broken_models_yaml_task_or_plan_is_named_with_its_line(assay):
    assay.write("models.yaml", "models:\n  a: {modell: x}\n")
    assay.write("plan.yaml", "task: task.yaml\nmodels: [emulated/skill-1]\nrepeat: 3\n")
    assay.write("cases.jsonl", '{"id": "a", "inputt": "x"}\n')
    typed = assay("doctor", "--offline", "--json")
    assert typed.code == 2
    told = found(typed)
    assert "line 2: unknown field 'modell'" in told["models.yaml"]["detail"]
    assert "line 3: unknown field 'repeat'" in told["plan.yaml"]["detail"]
    assert "cases.jsonl, line 1" in told["task.yaml"]["detail"]
    assert told["plan.yaml"]["fix"] == "did you mean repeats?"


def test_keys_are_named_and_never_shown(assay, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk-very-secret")
    assay.write(".env", "OPENAI_API_KEY=sk-also-secret\nOPENAI_APIKEY=sk-typo\n")
    (assay.folder / ".env").chmod(0o644)
    typed = assay("doctor", "--offline", "--json")
    assert typed.code == 0
    assert "secret" not in typed.out
    assert "sk-" not in typed.out
    assert found(typed)["keys"]["detail"] == "set: OPENAI_API_KEY, GROQ_API_KEY"
    warnings = [each for each in typed.json if each["status"] == "WARN"]
    assert [each["fix"] for each in warnings] == ["did you mean OPENAI_API_KEY?", "chmod 600 .env"]


def test_a_store_that_is_none_or_cannot_be_written_is_a_failure(assay):
    path = assay.write("assay.db", "this is no store at all, but a text of some length " * 20)
    typed = assay("doctor", "--offline", "--json", "--store", path)
    assert (typed.code, found(typed)["store"]["status"]) == (2, "FAIL")
    assert "made by the first run" in found(assay("doctor", "--offline", "--json"))["store"]["detail"]


def test_a_missing_package_is_a_failure_and_a_missing_extra_is_not(assay, monkeypatch):
    there = diagnosis.find_spec
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None if name == "sacrebleu" else there(name))
    told = found(assay("doctor", "--offline", "--json"))
    assert told["extra text"]["status"] == "OK"
    assert "pip install 'assay[text]'" in told["extra text"]["detail"]
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None if name == "aiohttp" else there(name))
    typed = assay("doctor", "--offline", "--json")
    assert (typed.code, found(typed)["packages"]["detail"]) == (2, "missing: aiohttp")


def test_every_extra_says_what_it_is_for():
    text = (ROOT / "pyproject.toml").read_text()
    part = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    assert set(re.findall(r"^([a-z]+) = ", part, flags=re.MULTILINE)) == set(diagnosis.EXTRAS)


def test_the_variables_that_it_knows_are_those_of_the_example_environment():
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    of_providers = {name for each in PROVIDERS.values() for name in (each.key, each.address) if name}
    assert {*diagnosis.SETTINGS, *of_providers} == example

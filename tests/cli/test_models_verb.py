"""Providers, their keys, and whether a model answers."""

import asyncio
import threading

import pytest

from assay.emulator.server import Emulator


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


def test_the_list_says_which_keys_are_set_and_never_shows_one(assay, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk-secret")
    typed = assay("models", "list", "--json")
    found = {each["provider"]: each for each in typed.json["providers"]}
    assert (found["groq"]["key_set"], found["openai"]["key_set"]) == (True, False)
    assert found["openai"]["needs_key"]
    out = assay("models", "list").out
    assert "missing: export OPENAI_API_KEY=" in out
    assert "gsk-secret" not in out + typed.out


def test_a_key_in_the_env_file_counts(assay):
    assay.write(".env", "OPENAI_API_KEY=sk-from-file\n")
    found = {each["provider"]: each for each in assay("models", "list", "--json").json["providers"]}
    assert found["openai"]["key_set"]


def test_a_server_that_answers_is_said_to(assay, server):
    typed = assay("models", "check", "openai-compatible/skill-1", "emulated/skill-0.8", "--base-url", server)
    assert typed.code == 0, typed.err
    assert typed.out.splitlines() == [
        "openai-compatible/skill-1   answers",
        "emulated/skill-0.8 (emulated)   answers",
    ]


def test_each_model_that_does_not_answer_has_its_remedy_and_the_others_are_still_asked(assay):
    typed = assay("models", "check", "openai/gpt-4o-mini", "olama/x", "emulated/skill-1")
    assert typed.code == 2
    assert typed.out == "emulated/skill-1 (emulated)   answers\n"
    assert "OPENAI_API_KEY" in typed.err
    assert "did you mean ollama?" in typed.err


def test_a_check_as_json_has_a_row_a_model(assay):
    typed = assay("models", "check", "gpt-4o-mini", "emulated/skill-1", "--json")
    assert typed.code == 2
    assert [(row["model"], row["problem"] is None) for row in typed.json] == [
        ("openai/gpt-4o-mini", False),
        ("emulated/skill-1", True),
    ]


def test_recorded_answers_are_checked_for_their_field(assay):
    assay.write("answers.jsonl", '{"id": 1, "reply": "x"}\n{"id": 2, "answer": "y"}\n')
    typed = assay("models", "check", "recorded/answers.jsonl")
    assert typed.code == 2
    assert "answers.jsonl, line 2: no field 'reply'" in typed.err

"""What a person got wrong is one clear line with the remedy, exit code 2, and nothing half done."""

import sqlite3

import pytest

from assay.cli.main import VERBS

SKILLED = ("--model", "emulated/skill-1")

SPEAKERS = ("--agent", "emulated/agent", "--client", "rules", "--evaluator", "none")
BAD = {
    "a task file that is missing": (
        ("run", "tasc.yaml", *SKILLED),
        "tasc.yaml: no such file",
        "did you mean task.yaml?",
    ),
    "a data file that is missing": (
        ("run", "task.yaml", *SKILLED, "--data", "case.jsonl"),
        "case.jsonl: no such file",
        "did you mean cases.jsonl?",
    ),
    "line 7 is not JSON": (
        ("run", "task.yaml", *SKILLED, "--data", "seven.jsonl"),
        "seven.jsonl, line 7: not JSON at character 20",
        "mend the JSON at the mark",
    ),
    "duplicate ids": (
        ("run", "task.yaml", *SKILLED, "--data", "twice.jsonl"),
        "twice.jsonl, line 7: the id 'c1' stands on line 1 already",
        "an id of its own",
    ),
    "an unknown scorer": (
        ("run", "task.yaml", *SKILLED, "--scorer", "exat"),
        "no scorer is called 'exat'",
        "did you mean exact?",
    ),
    "an unknown task": (("run", "arithmetik", *SKILLED), "no task 'arithmetik'", "did you mean arithmetic?"),
    "an unknown emulated model": (
        ("run", "task.yaml", "--model", "emulated/skil-1"),
        "the emulator knows no model 'skil-1'",
        "skill-P",
    ),
    "an unknown provider": (
        ("run", "task.yaml", "--model", "olama/x"),
        "unknown provider in 'olama/x'",
        "did you mean ollama?",
    ),
    "a missing key": (
        ("run", "task.yaml", "--model", "openai/gpt-4o-mini"),
        "openai/gpt-4o-mini needs a key in OPENAI_API_KEY",
        "export OPENAI_API_KEY=",
    ),
    "an endpoint that is down": (
        ("run", "task.yaml", "--model", "openai-compatible/x", "--base-url", "http://127.0.0.1:9/v1"),
        "openai-compatible/x cannot be reached",
        "start the server or mend --base-url",
    ),
    "an unknown field in a plan": (
        ("run", "plan.yaml"),
        "plan.yaml, line 3: unknown field 'repeat'",
        "did you mean repeats?",
    ),
    "no model": (("run", "task.yaml"), "the plan names no model", "add --model PROVIDER/NAME"),
    "no task": (("run",), "no task", "assay tasks list"),
    "a store path that cannot be made": (
        ("run", "task.yaml", *SKILLED, "--store", "task.yaml/x.db"),
        "the store task.yaml/x.db cannot be made",
        "--store FILE",
    ),
    "a store that is no store": (
        ("run", "task.yaml", *SKILLED, "--store", "cases.jsonl"),
        "cases.jsonl is not an assay store",
        "another file",
    ),
    "a negative concurrency": (
        ("run", "task.yaml", *SKILLED, "--concurrency", "-3"),
        "concurrency (schedule.slots) is -3",
        "above 0",
    ),
    "a concurrency that is no number": (
        ("run", "task.yaml", *SKILLED, "--concurrency", "x"),
        "'x' is not a valid integer",
        "assay run --help",
    ),
    "a negative token limit": (
        ("run", "task.yaml", *SKILLED, "--max-tokens", "-4"),
        "max_tokens is -4",
        "above 0",
    ),
    "negative retries": (("run", "task.yaml", *SKILLED, "--retries", "-1"), "retries is -1", "0 or more"),
    "a slice without cases": (
        ("run", "task.yaml", *SKILLED, "--slice", "odd=2"),
        "no cases with odd=2",
        "--slice",
    ),
    "an unknown verb": (("rn",), "no command 'rn'", "did you mean run?"),
    "an unknown option": (("run", "--modle", "x"), "No such option '--modle'", "assay run --help"),
    "no runs yet to show": (("show", "last/1"), "no runs yet", "assay demo"),
    "no runs yet to compare": (("compare", "last"), "no runs yet", "assay demo"),
    "no runs yet to export": (("export", "last"), "no runs yet", "assay demo"),
    "no runs yet to rescore": (("rescore", "last"), "no runs yet", "assay demo"),
    "a bench at a negative concurrency": (
        ("bench", *SKILLED, "--concurrency", "8,-1"),
        "'-1' is no number above 0",
        "--concurrency 1,8,64",
    ),
    "a bench at half a slot": (
        ("bench", *SKILLED, "--concurrency", "0.5"),
        "not whole numbers",
        "--concurrency 1,8,64",
    ),
    "a bench at a rate that is no number": (
        ("bench", *SKILLED, "--rate", "inf"),
        "'inf' is no number above 0",
        "--rate 5,20",
    ),
    "a duration that is no time": (
        ("bench", *SKILLED, "--duration", "1x"),
        "--duration 1x: not a time",
        "--duration 10s",
    ),
    "rate and concurrency": (
        ("bench", *SKILLED, "--rate", "5", "--concurrency", "1"),
        "do not go together",
        "one of them",
    ),
    "requests and a duration": (
        ("bench", *SKILLED, "--requests", "5", "--duration", "1s"),
        "--requests goes with neither",
        "one of them",
    ),
    "an emulator of an unknown task": (("emulate", "--task", "nope"), "no task 'nope'", "known: "),
    "an emulator of a task and a plan": (
        ("emulate", "--task", "qa", "--plan", "plan.yaml"),
        "do not go together",
        "one of them",
    ),
    "an emulator with cases of no task": (
        ("emulate", "--data", "cases.jsonl"),
        "--data without a task",
        "--task NAME",
    ),
    "an emulator with an unknown fault": (("emulate", "--mix", "ok=1,50O=5"), "50O", ""),
    "a file where results were to be": (
        ("simulate", *SPEAKERS, "--output-dir", "plan.yaml"),
        "plan.yaml cannot be a folder",
        "a folder that you may write to",
    ),
    "a file where logs were to be": (
        ("simulate", *SPEAKERS, "--log-dir", "plan.yaml/logs"),
        "plan.yaml/logs cannot be a folder",
        "a folder that you may write to",
    ),
    "a scenario that is not there": (
        ("simulate", *SPEAKERS, "--single", "99"),
        "no case 99, counted from 0: it holds 12",
        "ask for 0 to 11",
    ),
    "no conversations at once": (("simulate", *SPEAKERS, "--concurrency", "0"), "is 0", "above 0"),
    "a seed that no store can keep": (
        ("simulate", *SPEAKERS, "--seed", "9" * 30),
        "seed is 999",
        "2^53 - 1",
    ),
    "an address of a service that is none": (
        ("batch", "status", "x", "--api-url", "http://["),
        "no address",
        "http://127.0.0.1:5000",
    ),
    "a port of a service that is none": (
        ("batch", "list", "--api-url", "http://127.0.0.1:99999"),
        "no address",
        "http://127.0.0.1:5000",
    ),
    "a key that no header holds": (
        ("batch", "submit", "plan.json", "--key", "ключ"),
        "--key '\\u043a",
        "take a UUID",
    ),
    "a key of two lines": (("batch", "submit", "plan.json", "--key", "a\nb"), "--key 'a\\nb'", "UUID"),
    "no batch": (("batch", "status", ""), "BATCH is empty", "assay batch list"),
    "a name that drives the terminal": (
        ("simulate", "evil.json", *SPEAKERS),
        'scenario 0 "a\\x1b[2J"',
        "name",
    ),
    "a wrong word in a line of a script": (
        ("run", "script.yaml"),
        "exchange conversation, script[1].sya: unknown field 'sya'",
        "did you mean say?",
    ),
    "a line of a script that waits for no pattern": (
        ("run", "waits.yaml"),
        "script: when '(a' is no pattern: missing ): (a",
        "RE2",
    ),
    "an unknown task to look at": (("tasks", "show", "qaa"), "no task 'qaa'", "did you mean qa?"),
}


@pytest.fixture
def bad_files(assay):
    six = "".join(f'{{"id": "c{n}", "input": "q{n}", "target": "{n}"}}\n' for n in range(1, 7))
    assay.write("seven.jsonl", six + '{"id": 7, "input": }\n')
    assay.write("twice.jsonl", six + '{"id": "c1", "input": "again"}\n')
    assay.write("plan.yaml", "task: task.yaml\nmodels: [emulated/skill-1]\nrepeat: 3\n")
    assay.write("plan.json", "[]")
    talk = "task: phone_orders\nmodels: [emulated/agent]\nexchange: {{client: scripted, script: [{}]}}\n"
    assay.write("script.yaml", talk.format("a, {say: b, sya: c}"))
    assay.write("waits.yaml", talk.format("{say: b, when: '(a'}"))
    assay.write("evil.json", '[{"name": "a\\u001b[2J", "variables": {}, "x": 1}]')
    return assay


@pytest.mark.parametrize(
    ("variable", "text"),
    [("MAX_TURNS", "2.7"), ("CONCURRENCY", "0.5"), ("CONCURRENCY", "x"), ("TIMEOUT_SEC", "-1")],
)
def test_a_variable_that_is_no_number_of_its_kind_is_refused(assay, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    typed = assay("simulate", *SPEAKERS)
    assert typed.code == 2
    assert f"{variable}={text}: not a" in typed.err


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_with_its_remedy_and_nothing_is_begun(bad_files, name):
    words, problem, fix = BAD[name]
    before = sorted(path.name for path in bad_files.folder.iterdir())

    typed = bad_files(*words)

    lines = typed.err.splitlines()
    assert typed.code == 2
    assert typed.out == ""
    assert lines[0].startswith("error: ")
    assert problem in lines[0]
    assert lines[-1].startswith("fix:   ")
    assert fix in lines[-1]
    assert "Traceback" not in typed.err
    assert sorted(path.name for path in bad_files.folder.iterdir()) == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(assay):
    assay.run()
    place = assay.folder / ".assay" / "assay.db"
    with sqlite3.connect(place) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = place.read_bytes()

    typed = assay("run", "task.yaml", *SKILLED)

    assert typed.code == 2
    assert "was written by a newer assay (schema 99" in typed.err
    assert "Upgrade assay" in typed.err
    assert place.read_bytes() == before


def test_an_excerpt_marks_the_place(bad_files):
    typed = bad_files("run", "task.yaml", *SKILLED, "--data", "seven.jsonl")
    _, excerpt, mark, _ = typed.err.splitlines()
    assert excerpt.strip() == '{"id": 7, "input": }'
    assert excerpt[mark.index("^")] == "}"


def test_debug_shows_the_traceback_too(assay):
    typed = assay("--debug", "run", "tasc.yaml", *SKILLED)
    assert typed.code == 2
    assert "Traceback" in typed.err
    assert "fix:   " in typed.err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_of_itself(assay, verb):
    typed = assay(verb, "--help")
    assert typed.code == 0
    assert typed.out.startswith(f"Usage: assay {verb}")
    assert "\\b" not in typed.out


def test_a_load_run_that_was_broken_off_is_not_resumed(assay):
    """Its window is invalid: figures of two halves of a load would be those of no load."""
    assay.write(
        "plan.yaml",
        "task: task.yaml\nmodels: [emulated/skill-1]\nschedule: {kind: constant, rate: 50}\n"
        "window: {seconds: 0.2}\nsampling: {max_tokens: 9}\n",
    )
    cut = assay("run", "plan.yaml", "--budget", "0.000001")
    assert cut.code == 3
    again = assay("run", "--resume")
    assert again.code == 2
    assert "cannot be mended" in again.err

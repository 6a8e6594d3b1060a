"""The command as a process: what it serves, how it is interrupted, what a pipe may cut."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request


def started(folder, *words: str, **more) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    return subprocess.Popen(
        [sys.executable, "-c", "from assay.cli.main import main; main()", *words],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  loopback
        return bytes(answer.read())


def test_the_emulator_announces_its_address_first_and_knows_the_answers_of_its_task(assay):
    server = started(
        assay.folder, "emulate", "--task", "task.yaml", "--port", "0", "--ledger", "ledger.jsonl"
    )
    try:
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
        assert server.stdout.readline().startswith(f"try   curl -s {url}/chat/completions ")
        assert "knows 12 answers" in server.stdout.readline()
        typed = assay("run", "task.yaml", "--model", "openai-compatible/skill-1", "--base-url", url, "--json")
        assert typed.code == 0, typed.err
        assert typed.json["models"][0]["headline"]["value"] == 1.0
        assert json.loads(get(f"{url.removesuffix('/v1')}/stats"))["right"] == 12
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        server.stdout.close()
        server.stderr.close()
    assert len((assay.folder / "ledger.jsonl").read_text().splitlines()) > 12


def test_an_interrupted_run_keeps_what_it_has_says_how_to_go_on_and_is_resumed(assay):
    assay.write_cases(40)
    assay.write(
        "plan.yaml",
        "task: task.yaml\nmodels: [emulated/skill-1]\nschedule: {kind: closed, slots: 2}\n"
        "emulator: {ttft_ms: 100}\n",
    )
    process = started(assay.folder, "run", "plan.yaml")
    store = assay.folder / ".assay" / "assay.db"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if store.exists() and '"recorded":4' in assay("runs", "list", "--json").out.replace(" ", ""):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "ending what is in flight; once more to stop at once" in err
    assert "stopped: cancelled; go on with: assay run --resume run_" in out

    (row,) = assay("runs", "list", "--json").json
    assert row["state"] == "stopped (cancelled)"
    assert 4 <= row["recorded"] < 40

    resumed = assay("run", "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["run_id"] == row["run_id"]
    assert resumed.json["statuses"]["scored"] == 40
    assert resumed.json["models"][0]["attempts"]["calls"] == 40


def test_a_pipe_that_closes_early_is_no_error(assay):
    assay.write_cases(2000)
    assay.run("emulated/skill-1")
    process = started(assay.folder, "export", "last", "--to", "ndjson")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 0
    assert err == ""


def test_a_spent_budget_is_exit_code_3_and_the_run_is_partial(assay):
    typed = assay("run", "task.yaml", "--model", "emulated/skill-1", "--budget", "0.000001", "--json")
    assert typed.code == 3
    assert typed.json["statuses"]["not_run"] > 0


def test_help_imports_no_heavy_module():
    heavy = ["rich", "aiohttp", "httptools", "sqlite3", "jsonschema_rs", "ruamel.yaml", "assay.loop"]
    for words in (["--help"], ["bench", "--help"], ["runs", "list", "--help"], ["demo", "--help"]):
        code = (
            "import sys\nfrom assay.cli.main import main\n"
            f"try: main({words!r})\nexcept SystemExit: pass\n"
            f"print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]", words

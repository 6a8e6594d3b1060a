import http.client
import json
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal

import pytest

from assay.emulator.index import Index, entry
from assay.emulator.ledger import records_of
from assay.message import say


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "assay.emulator", *map(str, words)]


def asked(url: str, body: bytes | None = None) -> bytes:
    answer: http.client.HTTPResponse
    with urllib.request.urlopen(url, body, timeout=10) as answer:  # noqa: S310  our own loopback address
        return answer.read()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_the_process_tells_its_address_serves_and_ends_cleanly(tmp_path, told):
    index = Index(filter(None, [entry((say("user", "2 + 2"),), 4)]))
    (tmp_path / "index.jsonl").write_bytes(b"".join(index.lines()))
    (tmp_path / "script.json").write_text('{"*": ["ok", "ok"]}')
    words = [
        "--index",
        tmp_path / "index.jsonl",
        "--ledger",
        tmp_path / "ledger",
        "--ttft-ms",
        5,
        "--itl-ms",
        1,
    ]
    words += ["--script", tmp_path / "script.json", "--mix", "500=1", "--price-input", "1.5"]
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        body = {"model": "skill-1", "messages": [{"role": "user", "content": "2 + 2"}]}
        answer = json.loads(asked(f"{url}/chat/completions", json.dumps(body).encode()))
        shown = [json.loads(line) for line in asked(f"{url}/ledger").splitlines()]
        server.send_signal(told)
        assert server.wait(10) == 0
    assert answer["choices"][0]["message"]["content"] == "4"
    assert records_of((tmp_path / "ledger").read_bytes().splitlines(keepends=True)) == shown
    assert Decimal(shown[0]["price"]) == Decimal("0.000009")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--index", "/nowhere/index"], "cannot be read"),
        (["--mix", "bang=1"], "unknown fault"),
        (["--spread", "1"], "a spread not below 1"),
        (["--ttft-ms", "-1"], "negative"),
        (["--script", __file__], "not JSON"),
        (["--port", "99999"], "port"),
        (["--capacity", "rpm=0"], "rpm cannot be"),
        (["--timings", __file__], "not JSON"),
        (["--idle-ms", "-1"], "idle time is negative"),
        (["--max-requests", "0"], "requests below 1"),
    ],
)
def test_a_command_line_at_fault_is_one_error_with_a_remedy(words, problem):
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert problem in done.stderr
    assert "\nfix:   " in done.stderr


def test_capacity_times_and_connections_are_set_by_flags(tmp_path):
    (tmp_path / "times.json").write_text('{"*": {"ttft_ms": 60}}')
    words = ["--capacity", "rpm=60,burst_s=1,headers=true", "--timings", tmp_path / "times.json"]
    words += ["--idle-ms", 500, "--idle-end", "rst", "--max-requests", 1]
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().strip().removesuffix("/v1").rpartition(":")[2])
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        said = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
        client.request("POST", "/v1/chat/completions", json.dumps(said))
        answer = client.getresponse()
        headers = dict(answer.getheaders())
        answer.read()
        client.close()
        (row,) = [json.loads(line) for line in asked(f"http://127.0.0.1:{port}/ledger").splitlines()]
        server.terminate()
    assert (headers["connection"], headers["x-ratelimit-limit-requests"]) == ("close", "60")
    state = row["state"]
    assert state["done_sent"] - state["arrived"] >= 60_000_000

"""S18: keys in twenty formats, echoed by a hostile server in every way, are in nothing that a run leaves."""

import contextlib
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from assay.store.encoding import grown

CODE = "from assay.cli.main import main; main()"
CANARY = "kAnArY"
KEYS = [
    f"sk-{CANARY}0aB1cD2eF3gH4iJ5kL6mN7oP8qR9",
    f"sk-proj-{CANARY}_0aB1-cD2eF3_gH4iJ5kL6mN7oP8",
    f"sk-ant-api03-{CANARY}1-x_Y2z3AbCdEfGh-9AA",
    f"gsk_{CANARY}2aBcDeFgHiJkLmNoPqRsTuVw",
    f"hf_{CANARY}3aBcDeFgHiJkLmNoPqRs",
    f"xai-{CANARY}4aBcDeFgHiJkLmNoPqRs",
    f"AIzaSy{CANARY}5_aBcDeFgHiJkLmNoPq",
    f"ghp_{CANARY}6aBcDeFgHiJkLmNoPqRs",
    f"AKIA{CANARY}7ABCDEFGH",
    f"eyJhbGciOiJIUzI1NiJ9.{CANARY}8.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    f"00000000-1111-2222-3333-{CANARY}9abcd",
    f"{CANARY}A0123456789abcdef0123456789abcdef",
    f"{CANARY}B+base64/with+slashes/and+pads==",
    f"{CANARY}C:user:with:colons",
    f"{CANARY}D.dots.and~tildes~",
    f"{CANARY}E%20percent%2Fsigns",
    f"{CANARY}F&amp=ersands?and#hashes",
    f'{CANARY}G"quoted"and\\slashed',
    f"{CANARY}H<tag>and{{braces}}$dollars",
    f"{CANARY}I!short",
]
MODES = ("401", "json", "html", "malformed", "200error", "stream", "cut", "escaped")


class Echo(BaseHTTPRequestHandler):
    """Puts what it was sent into every error that it answers; the mode is the first part of the path."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        sent = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        key = self.headers["authorization"].removeprefix("Bearer ")
        wrong = f"Incorrect API key provided: {key}. Sent: {sent}"
        error = {"error": {"message": wrong, "type": key, "code": key, "param": {"key": [key]}}}
        mode = self.path.split("/")[1]
        status, kind, body = {
            "401": (401, "application/json", json.dumps({"detail": wrong})),
            "json": (400, "application/json", json.dumps(error)),
            "html": (400, "text/html", f"<html><pre>{sent}</pre></html>"),
            "malformed": (200, "application/json", '{"choices": [' + wrong),
            "200error": (200, "application/json", json.dumps(error)),
            "stream": (200, "text/event-stream", f"data: {json.dumps(error)}\n\ndata: [DONE]\n\n"),
            "cut": (200, "text/event-stream", f"data: {json.dumps(wrong)}\n\n: {key}\n\n"),
            "escaped": (400, "application/json", json.dumps({"message": f"{quote(key)} {json.dumps(key)}"})),
        }[mode]
        data = body.encode()
        self.send_response(status, key)
        for name, value in (("content-type", kind), ("content-length", str(len(data))), ("x-key", key)):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def echo():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def environment(bench):
    """Half of the keys are variables, half lines of .env; a file of one's own mode is made by default."""
    lines = [f"CANARY_{n}_KEY='{key}'\n" for n, key in enumerate(KEYS) if n % 2 and "'" not in key]
    (bench.folder / ".env").write_text("".join(lines))
    variables = {f"CANARY_{n}_KEY": key for n, key in enumerate(KEYS) if not n % 2}
    return {**os.environ, **variables}


def processes():
    """The command lines of all processes, as `ps` shows them."""
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in shown.splitlines() if not line.startswith("ps "))


def cells(path):
    """All that a store holds, opened where it is packed."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  its own names
                for cell in row:
                    yield cell.encode() if isinstance(cell, str) else cell if isinstance(cell, bytes) else b""
                    if isinstance(cell, bytes):
                        with contextlib.suppress(Exception):
                            yield grown(cell)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", [0, 2])
def test_keys_are_in_nothing_that_a_run_leaves_and_in_no_command_line(bench, echo, environment, workers):
    bench.write_cases(1)
    models = [
        {"name": f"m{n}-{mode}", "model": "openai-compatible/x", "base_url": f"{echo}/{mode}/v1",
         "key_variable": f"CANARY_{n}_KEY"}
        for n in range(len(KEYS)) for mode in MODES
    ]  # fmt: skip
    plan = {
        "task": "task.yaml",
        "models": models,
        "stream": True,
        "retry": {"retries": 0},
        "workers": workers,
    }
    (bench.folder / "plan.yaml").write_text(json.dumps({**plan, "schedule": {"kind": "closed", "slots": 8}}))
    store, said = bench.folder / "a.db", []

    def assay(*words, good=(0,)):
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, *words],
            cwd=bench.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        said.append(processes())
        out, _ = process.communicate(timeout=200)
        assert process.returncode in good, out[-2000:]
        said.append(out)

    at = ["--store", str(store)]
    assay("run", "plan.yaml", *at, "--log-dir", "logs", good=(4,))
    assay("runs", "show", "last", *at)
    assay("show", "last/1", *at)
    assay("report", "last", "-o", "report.html", *at)
    assay("report", "last", "-o", "report.md", *at)
    for to in ("csv", "ndjson", "json", "junit", "prometheus"):
        assay("export", "last", "--to", to, "-o", f"export.{to}", *at)
    assay("runs", "verify", *at)
    (bench.folder / ".env").unlink()
    left = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert {"a.db", "report.html", "export.csv"} <= {path.name for path in left}
    assert any(path.parent.name == "logs" for path in left)
    held = {str(path): path.read_bytes() for path in left} | {"said": "\n".join(said).encode()}
    held["cells of a.db"] = b"\0".join(cells(store))
    assert b"Incorrect API key provided" in held["cells of a.db"]  # what was echoed is on record, without it
    found = {
        (name, match.group())
        for name, data in held.items()
        for match in re.finditer(b".{0,30}kAnArY.{0,40}", data)
    }
    assert not found
    assert stat.S_IMODE(store.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "words",
    [
        ["--base-url", f"http://user:{CANARY}0123456789@127.0.0.1:9/v1"],
        ["--base-url", f"http://{CANARY}0123456789@127.0.0.1:9/v1"],
        ["--base-url", f"ftp://user:{CANARY}0123456789@127.0.0.1:9/v1"],
        ["--base-url", f"http://user:{CANARY}0123456789@/v1"],
    ],
)
def test_an_address_with_a_password_is_refused_without_showing_it(bench, words):
    command = [sys.executable, "-c", CODE, "run", "task.yaml", "--model", "openai-compatible/x"]
    ran = subprocess.run(
        [*command, *words, "--store", "a.db"], cwd=bench.folder, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert CANARY not in ran.stdout + ran.stderr
    assert not (bench.folder / "a.db").exists()


def test_a_plan_with_a_key_in_a_header_is_refused_without_showing_it(bench):
    for n, header in enumerate(("authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key")):
        model = {
            "name": "openai-compatible/x",
            "base_url": "http://127.0.0.1:9/v1",
            "headers": {header: CANARY * 3},
        }
        (bench.folder / "plan.yaml").write_text(json.dumps({"task": "task.yaml", "models": [model]}))
        ran = subprocess.run(
            [sys.executable, "-c", CODE, "run", "plan.yaml", "--store", f"{n}.db"],
            cwd=bench.folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 2, header
        assert f"the header {header} may hold a key" in ran.stderr
        assert CANARY not in ran.stdout + ran.stderr
        assert not (bench.folder / f"{n}.db").exists()

"""The service as its users have it: a process on loopback, and an emulator in another."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

from assay.emulator.ledger import records_of

ASSAY = str(Path(sys.executable).with_name("assay"))
VARIABLES: dict[str, object] = {
    "PERSONALITY": "спокойный",
    "AMB_LEVEL": 0,
    "PATIENCE": 2,
    "ORDER_GOAL": '[{"name":"филе", "qty":2, "from_history":true}]',
    "CURRENT_DATE": "2025-06-08 Sunday",
    "LOCATIONS": "Москва, Санкт-Петербург, Екатеринбург",
    "DELIVERY_DAYS": "1-2 рабочих дня",
    "PURCHASE_HISTORY": "Ранее заказывал филе курицы 3 раза",
    "SEED": 12345,
}
CLASSIC = [{"name": "calm_reorder", "variables": VARIABLES}]
TERMINAL = ("completed", "failed", "cancelled")


def scenario(number: int, name: str = "=каждый день", **variables) -> dict[str, object]:
    """A classic scenario that differs from others by its seed."""
    return {"name": name, "variables": {**VARIABLES, "SEED": number, **variables}}


class Answered:
    """An answer as it came."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body, parse_float=Decimal)


class Emulated:
    """The emulator in a process of its own, with its ledger in a file."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.ledger = folder / "ledger"
        prices = ("--price-input", "0.15", "--price-output", "0.60")
        command = [sys.executable, "-m", "assay.emulator", "--ledger", str(self.ledger), *prices, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()

    def records(self):
        return records_of(self.ledger.read_bytes().splitlines(keepends=True))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Served:
    """`assay serve` in a folder; `begin` after `kill` is a restart on the same store."""

    def __init__(self, folder: Path, *flags: str, **environment: str) -> None:
        self.folder, self.flags = folder, flags
        self.environment = {**os.environ, "WEBHOOK_URL": "", **environment}
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def begin(self) -> None:
        command = [ASSAY, "serve", "--port", "0", *self.flags]
        log = (self.folder / "serve.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, env=self.environment
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line, (self.folder / "serve.log").read_text()
        self.port = int(line.strip().rpartition(":")[2])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill(signal.SIGTERM)

    def ask(self, method: str, path: str, body=None, **headers: str) -> Answered:
        """One request, as it stands; a body that is no bytes goes as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, f"/api{path}", body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, found, answer.read())

    def post(self, body, path: str = "/batches", **headers: str) -> str:
        """Posts a batch that is accepted; gives its id."""
        answer = self.ask("POST", path, body, **headers)
        assert answer.status == 202, answer.body
        return str(answer.json["batch_id"])

    def ended(self, batch: str, within: float = 50):
        """The status of a batch when it has ended."""
        end = time.monotonic() + within
        while (standing := self.ask("GET", f"/batches/{batch}").json)["status"] not in TERMINAL:
            assert time.monotonic() < end, standing
            time.sleep(0.05)
        return standing

    def until(self, batch: str, conversations: int, within: float = 30) -> None:
        """Returns when so many conversations of a batch have ended."""
        end = time.monotonic() + within
        while True:
            standing = self.ask("GET", f"/batches/{batch}").json
            if standing["completed"] + standing["failed"] >= conversations:
                return
            assert time.monotonic() < end, standing
            time.sleep(0.01)


SPEAKERS = ("--agent", "emulated/agent", "--client", "emulated/client", "--evaluator", "emulated/judge")

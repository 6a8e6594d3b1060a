"""What the benchmarks of runs in several processes share: a served task, its workers, their end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from assay.emulator.index import Index, entry
from assay.emulator.server import Emulator
from assay.keys import JSON
from assay.loading.bind import PRICES, load_task, read_prices
from assay.loading.environment import Environment
from assay.message import Usage
from assay.plan import ModelChoice, Plan
from harness import ASSAY, ENVIRONMENT

MODEL = "emulated/skill-1"


def write_task(folder: Path, cases: Sequence[tuple[str, str]]) -> Path:
    """A task of these prompts and answers."""
    rows = ({"id": f"c{n}", "input": prompt, "target": answer} for n, (prompt, answer) in enumerate(cases))
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "task.yaml"
    path.write_text(json.dumps({"name": "shared", "cases": "cases.jsonl", "scorers": ["exact"]}))
    return path


def index_of(task: Path) -> Index:
    """What an emulator must know to answer the task right."""
    loaded, _ = load_task(Plan(task=str(task), models=(ModelChoice(MODEL),)), Environment({}))
    index = Index()
    for case in loaded:
        index.add(entry(loaded.exchange.opening(case), case.target))
    return index


def write_plan(task: Path, server: Emulator, **fields: JSON) -> Path:
    """The plan of the task's only model at the server."""
    path = task.with_name("plan.yaml")
    form = {"task": str(task), "models": [{"name": MODEL, "base_url": server.url}], **fields}
    path.write_text(json.dumps(form))
    return path


def started(*words: str) -> subprocess.Popen[bytes]:
    """`assay run` with these words, in a process group of its own."""
    return subprocess.Popen(
        [ASSAY, "run", "--quiet", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def workers_of(pid: int) -> list[int]:
    """The worker processes of a run's first process."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it is gone
            if parent == pid and b"assay.crew" in words:
                found.append(int(place.name))
    return found


def kill(pid: int) -> bool:
    """Whether there was such a process to be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def billed(server: Emulator) -> Decimal:
    """Dollars by the server's own ledger."""
    prices = read_prices(PRICES)
    usages = (Usage(each.input, each.output) for each in server.ledger.records() if each.billed)
    return sum((prices.cost(MODEL, usage) or Decimal(0) for usage in usages), Decimal(0))

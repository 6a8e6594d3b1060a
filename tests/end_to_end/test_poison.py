"""R33 in one process: poisonous cases spoil their own trials, each with its reason, and no other."""

import json
import os
import resource
import subprocess
import sys

import pytest

from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import Status

COUNT = 1000
SCORER = """
import asyncio, time

from assay.trial import Score

POISON = {}


def poison(name):
    def kept(code):
        POISON[name] = code
    return kept


@poison("c100")
async def crash():
    raise ZeroDivisionError("poison")


@poison("c200")
async def endless():
    while True:
        pass


@poison("c300")
async def deaf():
    while True:
        try:
            time.sleep(1000)
        except Exception:
            pass


@poison("c400")
async def yielding():
    while True:
        await asyncio.sleep(0)


@poison("c500")
async def greedy():
    return bytearray(1 << 42)


@poison("c600")
async def deep():
    return json_like(0)


def json_like(n):
    return json_like(n + 1)


class Checker:
    name, version, settings, seats = "checker", 1, None, ()

    async def score(self, trial, table):
        if trial.case.name in POISON:
            await POISON[trial.case.name]()
        return [Score("checker", trial.transcript.final.text == trial.case.target)]


checker = Checker
"""
REASONS = {
    "c100": "ZeroDivisionError: poison",
    "c200": "Overrun: it computed for more than 1 s (code_limit)",
    "c300": "Overrun: it computed for more than 1 s (code_limit)",
    "c400": "Overrun: it computed for more than 1 s (code_limit)",
    "c500": "MemoryError: ",
    "c600": "RecursionError: maximum recursion depth exceeded",
}


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


@pytest.mark.timeout(180)
def test_poisonous_cases_among_a_thousand_leave_all_others_fine(bench):
    bench.write_cases(COUNT)
    (bench.folder / "own.py").write_text(SCORER)
    plan = bench.folder / "plan.yaml"
    plan.write_text(
        "task: task.yaml\nmodels: [emulated/skill-1]\nscorers: [python:own:checker]\ncode_limit: 1.0\n"
    )
    command = [sys.executable, "-c", "from assay.cli.main import main; main()", "run", "plan.yaml"]
    ran = subprocess.run(
        [*command, "--store", str(bench.store), "--json"],
        cwd=bench.folder, env=dict(os.environ), preexec_fn=little_memory,
        check=False, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    assert shown["statuses"]["scored"] == COUNT - len(REASONS)
    assert shown["statuses"]["unscored"] == len(REASONS)
    trials = list(SqliteStore.open(bench.store, create=False).trials(Where()))
    spoilt = {t.case.name: t.scores[0].reason for t in trials if t.status is not Status.SCORED}
    assert spoilt == REASONS
    assert {t.detail for t in trials if t.status is not Status.SCORED} == {"scorer_error"}
    assert all(t.scores[0].value is True for t in trials if t.status is Status.SCORED)

"""R4 and R5 in short: what SIGTERM, SIGSTOP and SIGCONT do to a run that is a process."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from assay.emulator.ledger import records_of
from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import Status

SLOTS = 16
ASSAY = [sys.executable, "-c", "from assay.cli.main import main; main()"]


@contextmanager
def emulated(ledger, *flags):
    """The emulator as a process; gives its base URL."""
    command = [sys.executable, "-m", "assay.emulator", "--ledger", str(ledger), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield server.stdout.readline().strip()
        server.terminate()


def asked(ledger):
    """The requests that came to the emulator so far."""
    return records_of(ledger.read_bytes().splitlines(keepends=True)) if ledger.exists() else []


@contextmanager
def running(folder, *words):
    process = subprocess.Popen(
        [*ASSAY, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def plan_of(folder, url):
    """48 conversations, 16 at a time: an agent that calls tools, a customer by rules."""
    path = folder / "plan.yaml"
    path.write_text(
        f"task: phone_orders\nmodels: [{{name: emulated/agent, base_url: '{url}'}}]\n"
        "exchange: {client: rules}\nscorers: [state]\nrepeats: 4\n"
        f"schedule: {{kind: closed, slots: {SLOTS}}}\n"
    )
    return path


@pytest.mark.timeout(180)
def test_sigterm_ends_what_is_in_flight_begins_nothing_and_nothing_is_paid_again(tmp_path):
    ledger, store = tmp_path / "ledger", tmp_path / "a.db"
    with emulated(ledger, "--ttft-ms", "150") as url:
        words = ["run", str(plan_of(tmp_path, url)), "--store", str(store), "--quiet"]
        with running(tmp_path, *words) as run:
            until(lambda: len(asked(ledger)) > 6 * SLOTS)
            told = time.monotonic_ns()
            run.send_signal(signal.SIGTERM)
            assert run.wait(30) == 130
        late = [row for row in asked(ledger) if row["t_mono"] > told + 0.5e9]
        before = len(asked(ledger))
        assert late == []
        with closing(sqlite3.connect(store)) as connection:
            attempts = "SELECT count(*), count(s.call) FROM calls c LEFT JOIN settlements s ON s.call = c.id"
            assert connection.execute(attempts).fetchone() == (before, before)  # none is in the air
        resumed = subprocess.run(
            [*ASSAY, "run", "--resume", "--store", str(store), "--json"],
            cwd=tmp_path, check=False, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert resumed.returncode == 0, resumed.stderr
        paid = len(asked(ledger))
    trials = list(SqliteStore.open(store, create=False).trials(Where()))
    assert {trial.status for trial in trials} == {Status.SCORED}
    assert len(trials) == 48
    assert sum(len(trial.calls) for trial in trials) == paid > before
    assert json.loads(resumed.stdout)["models"][0]["attempts"]["unknown"] == 0


@pytest.mark.timeout(120)
def test_calls_of_a_stopped_process_are_flagged_and_kept_out_of_latency(bench):
    bench.write_cases(400)
    ledger = bench.folder / "ledger"
    with emulated(ledger, "--ttft-ms", "100") as url:
        words = ["run", "task.yaml", "--model", "emulated/skill-1", "--base-url", url, "--stream"]
        words += ["--concurrency", str(SLOTS), "--store", str(bench.store), "--json"]
        with running(bench.folder, *words) as run:
            until(lambda: len(asked(ledger)) > 3 * SLOTS)
            os.kill(run.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WNOWAIT)
            stopped = time.monotonic_ns()
            time.sleep(3)
            os.kill(run.pid, signal.SIGCONT)
            out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    trials = list(SqliteStore.open(bench.store, create=False).trials(Where()))
    calls = [call for trial in trials for call in trial.calls]
    paused = [call for call in calls if call.paused]
    shown = json.loads(out)["models"][0]
    in_flight = [row for row in asked(ledger) if stopped - 0.08e9 < row["t_mono"] < stopped]
    assert 1 <= len(in_flight) <= len(paused) <= SLOTS
    assert shown["roles"]["candidate"]["paused"] == len(paused)
    assert shown["latency"]["n"] == len(calls) - len(paused) == 400 - len(paused)
    assert shown["latency"]["p99"]["value"] < 2.5
    assert f"{len(paused)} calls were in flight while this process stood still" in shown["notes"][0]

"""A thousand conversations at once: how much longer than their models' own time do they take?

    python benchmarks/conversations.py [--conversations 1000] [--concurrency 200] [--profile FILE]

Agent and customer are emulated models in a process of their own (300 ms to the first token, 40 tokens a
second); the agent works with tools over a world. A conversation has 8 lines a side. The ideal is the time
that the same calls, each just as long as its model takes, would need on as many slots as were open: prices,
record, tools, guard and transport take no time in it. Server on core 0, assay on core 1; the wall is that
of the whole `assay run`, start-up and report included. Exits with 1 above RATIO.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import Call, Trial
from harness import ASSAY, Timed, emulator, timed

RATIO = 1.1
TTFT_S, TOKENS_A_SECOND = 0.3, 40.0
LINES = 16
GOODS = ("гречка", "творог", "сметана", "молоко", "лук", "морковь", "картошка")
PHONES = ("+79005551212", "+79006667788", "+79008889900")

PARTS = ("until a request leaves", "until its reply has come", "between calls", "all beyond the ideal")

PLAN = """\
task: phone_orders
data: %(data)s
models: [{name: emulated/agent, base_url: "%(url)s"}]
cast: {client: {name: emulated/client, base_url: "%(url)s"}}
exchange: {limits: {max_turns: %(lines)d, timeout_s: 600, turn_timeout_s: 120}}
scorers: [state]
schedule: {kind: closed, slots: %(slots)d}
"""


def write_scenarios(path: Path, conversations: int) -> None:
    """Customers who want five goods and tell one detail a line: none is done in 16 lines."""
    with path.open("w", encoding="utf-8") as file:
        for n in range(conversations):
            goal = [{"name": GOODS[(n + k) % len(GOODS)], "qty": 1 + (n + k) % 4} for k in range(5)]
            variables = {
                "PERSONALITY": ("спокойный", "растерянный")[n % 2],
                "AMB_LEVEL": 3,
                "PATIENCE": 3,
                "ORDER_GOAL": json.dumps(goal, ensure_ascii=False),
                "CURRENT_DATE": "2025-06-08 Sunday",
                "SEED": n,
                "CUSTOMER_PHONE": PHONES[n % len(PHONES)],
            }
            file.write(json.dumps({"name": f"c{n}", "variables": variables}, ensure_ascii=False) + "\n")


def own_seconds(call: Call) -> float:
    """What the model itself takes for a call."""
    output = call.reply.usage.output if call.reply.usage is not None else 1
    return TTFT_S + max(0, output - 1) / TOKENS_A_SECOND


def ideal(conversations: Iterable[float], slots: int) -> float:
    """The seconds that so long conversations need on so many slots, each started where one is free."""
    free = [0.0] * slots
    for seconds in conversations:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def played(folder: Path, url: str, given: argparse.Namespace) -> tuple[Timed, list[Trial]]:
    """The run, and its conversations in order of start."""
    write_scenarios(folder / "scenarios.jsonl", given.conversations)
    plan = {"data": folder / "scenarios.jsonl", "url": url, "lines": LINES, "slots": given.concurrency}
    (folder / "plan.yaml").write_text(PLAN % plan)
    store = folder / "assay.db"
    command = [ASSAY, "run", str(folder / "plan.yaml"), "--store", str(store), "--json"]
    if given.profile:
        command = [sys.executable, "-m", "cProfile", "-o", given.profile, *command]
    run = timed(command)
    trials = list(SqliteStore.open(store, create=False).trials(Where()))
    ends = {trial.transcript.outcome.reason for trial in trials}
    if len(trials) != given.conversations or ends != {"max_turns"}:
        raise SystemExit(f"{len(trials)} conversations, which ended {ends}")
    trials.sort(key=lambda trial: trial.started)
    return run, trials


def excess(trial: Trial) -> tuple[float, float, float, float]:
    """Where a conversation's seconds beyond its models' own go: until a request leaves (intent committed,
    connection ready), until its reply has come, between one call and the next, and all of it.
    """
    calls = sorted(trial.calls, key=lambda call: call.reply.instants.picked)
    instants = [call.reply.instants for call in calls]
    leaving = sum(each.sent - each.picked for each in instants) / 1e9
    coming = sum((each.ended - each.sent) / 1e9 for each in instants) - sum(map(own_seconds, calls))
    between = sum(b.picked - a.ended for a, b in pairwise(instants)) / 1e9
    return leaving, coming, between, trial.ended - trial.started - sum(map(own_seconds, calls))


def show(run: Timed, trials: Sequence[Trial], slots: int) -> float:
    needed = ideal([sum(map(own_seconds, trial.calls)) for trial in trials], slots)
    number = sum(len(trial.calls) for trial in trials)
    span = max(trial.ended for trial in trials) - min(trial.started for trial in trials)
    share, each = run.cpu / run.wall, run.cpu / number * 1e3
    print(f"{len(trials)} conversations of {LINES} lines, {number} calls, {slots} at once")
    print(f"ideal {needed:7.2f} s   the same calls at the models' own speed")
    print(f"wall  {run.wall:7.2f} s   ratio {run.wall / needed:.3f} (at most {RATIO})")
    print(f"of it {span:7.2f} s   from the first conversation's start to the last one's end")
    for name, values in zip(PARTS, zip(*map(excess, trials), strict=True), strict=True):
        print(f"  {name:<34} {sum(values) / len(trials):6.3f} s a conversation")
    print(f"assay's CPU {run.cpu:.1f} s: {share:.0%} of its core, {each:.2f} ms a call")
    print(f"peak {run.peak_mb:.0f} MB; load of the machine {os.getloadavg()[0]:.1f}")
    return run.wall / needed


def main() -> int:
    parser = argparse.ArgumentParser(description="A thousand conversations against their ideal.")
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--profile", metavar="FILE", help="write cProfile's record of assay there")
    given = parser.parse_args()
    speed = ["--ttft-ms", str(TTFT_S * 1e3), "--itl-ms", str(1e3 / TOKENS_A_SECOND)]
    with tempfile.TemporaryDirectory() as place, emulator(*speed) as url:
        run, trials = played(Path(place), url, given)
    return 0 if show(run, trials, given.concurrency) <= RATIO else 1


if __name__ == "__main__":
    sys.exit(main())

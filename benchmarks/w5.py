"""W5: 200 conversations of two models, 8 turns a side: 3,200 calls against servers of zero latency.

    python benchmarks/w5.py [--conversations 200] [--concurrency 64] [--rounds 5]

`talk` is the workload as it was given to the peers: two models without tools talk for 16 lines. The
server is mockllm; each of its answers holds the number of its request, so that no two lines are alike
and neither a loop guard nor a cache ends a call early. `orders` is the product's own conversation:
phone orders with nine tools over a world, agent and customer played by the emulator in a process of
its own; it ends when the order is placed, so its calls are counted, not set. The figures are those of the
whole `assay run` command, start-up and report included. Server on core 0, assay on core 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness import ASSAY, Timed, emulator, mock_server, spread, tell, timed

TURNS = 8
SCENARIOS = 12
"""How many the task phone_orders has."""

TALK = """\
name: talk
cases: scenarios.jsonl
exchange:
  conversation:
    language: en
    prompts: {agent: "You sell groceries by telephone.", client: "You buy groceries. {{BRIEF}}"}
    guard: false  # the server's lines are no customer's
    limits: {max_turns: %d, timeout_s: 600}
scorers: [says]
"""

EXPECT = {"says": [{"any_of": ["number"]}]}

PLAN = """\
task: %(task)s
models: [{name: %(agent)s, base_url: "%(url)s"}]
cast: {client: {name: %(client)s, base_url: "%(url)s"}}
scorers: [%(scorer)s]
repeats: %(repeats)d
schedule: {kind: closed, slots: %(slots)d}
"""


@dataclass
class Setting:
    """One way to play W5: its plan, and how many calls a conversation must have (None: any)."""

    name: str
    plan: Path
    conversations: int
    calls: int | None
    runs: list[Timed] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)

    def play(self, store: Path) -> None:
        """One round, checked: all conversations ended as they should, with the calls that they should."""
        run = timed([ASSAY, "run", str(self.plan), "--store", str(store), "--json"])
        summary = json.loads(run.out)
        calls = summary["models"][0]["attempts"]["calls"]
        if summary["statuses"]["scored"] != self.conversations:
            raise SystemExit(f"{self.name}: not all were scored: {summary['statuses']}")
        if self.calls is not None and calls != self.calls * self.conversations:
            raise SystemExit(f"{self.name}: {calls} calls, not {self.calls} a conversation")
        self.runs.append(run)
        self.counted.append(calls)

    def show(self) -> None:
        calls = self.counted[0]
        walls = [run.wall for run in self.runs]
        print(f"{self.name}: {self.conversations} conversations, {calls} calls; median (least - greatest)")
        targets = ("100", "0.6 ms") if self.name == "talk" else ("", "")
        tell("whole wall", f"{spread(walls)} s")
        tell("conversations/s", spread([self.conversations / wall for wall in walls], 0), targets[0])
        tell("calls/s", spread([calls / wall for wall in walls], 0))
        tell("CPU a call", f"{spread([run.cpu / calls * 1e3 for run in self.runs], 3)} ms", targets[1])
        tell("peak memory", f"{spread([run.peak_mb for run in self.runs], 0)} MB")


def write_talk(folder: Path, url: str, conversations: int, slots: int) -> Setting:
    goal = json.dumps([{"name": "milk", "qty": 1}])
    with (folder / "scenarios.jsonl").open("w") as file:
        for n in range(conversations):
            row = {"name": f"talk {n}", "variables": {"ORDER_GOAL": goal, "SEED": n}, "expect": EXPECT}
            file.write(json.dumps(row) + "\n")
    (folder / "talk.yaml").write_text(TALK % (2 * TURNS))
    model = "openai-compatible/mock"
    plan = {"task": folder / "talk.yaml", "agent": model, "client": model, "url": url, "scorer": "says"}
    (folder / "talk_plan.yaml").write_text(PLAN % {**plan, "repeats": 1, "slots": slots})
    return Setting("talk", folder / "talk_plan.yaml", conversations, 2 * TURNS)


def write_orders(folder: Path, url: str, conversations: int, slots: int) -> Setting:
    repeats = -(-conversations // SCENARIOS)
    plan = {"task": "phone_orders", "agent": "emulated/agent", "client": "emulated/client", "url": url}
    text = PLAN % {**plan, "scorer": "state", "repeats": repeats, "slots": slots}
    (folder / "orders_plan.yaml").write_text(text)
    return Setting("orders", folder / "orders_plan.yaml", repeats * SCENARIOS, None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, mock_server("--number", "1") as mock, emulator() as emulated:
        folder = Path(place)
        talk = write_talk(folder, mock, given.conversations, given.concurrency)
        orders = write_orders(folder, emulated, given.conversations, given.concurrency)
        for setting in (talk, orders):
            for n in range(given.rounds):
                setting.play(folder / f"{setting.name}-{n}.db")
            setting.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""W1: `assay run` evaluates 2,000 single-turn samples against a server of zero latency.

    python benchmarks/w1.py [--samples 2000] [--concurrency 64] [--rounds 5]

The whole command is timed, from its start to its end, with every sample stored and scored. The rate
net of start-up takes off the wall time of the same command with one sample. The floor clients run in
the same rounds. Server on core 0, clients on core 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from floor_client import CLIENTS
from gen_data import write_task
from harness import ASSAY, HERE, Timed, mock_server, spread, tell, timed


def evaluate(folder: Path, url: str, concurrency: int, samples: int, store: str) -> tuple[Timed, float]:
    """One `assay run` in full, checked; with it the seconds of its request phase."""
    command = [ASSAY, "run", str(folder / "task.yaml"), "--model", "openai-compatible/mock"]
    command += ["--base-url", url, "--concurrency", str(concurrency), "--limit", str(samples)]
    run = timed([*command, "--store", str(folder / store), "--json"])
    summary = json.loads(run.out)
    (model,) = summary["models"]
    if summary["statuses"]["scored"] != samples or model["headline"]["value"] != 1:
        raise SystemExit(f"not all samples were scored right: {summary['statuses']}")
    return run, model["speed"]["wall_seconds"]


def floors(*, slow: bool) -> list[str]:
    """The floor clients whose library is here; httpx needs seconds for what others do in tenths."""
    whole = [name for name in CLIENTS if name != "stream"]
    here = [name for name in whole if name == "raw" or importlib.util.find_spec(name) is not None]
    return [name for name in here if slow or name != "httpx"]


@dataclass
class Rounds:
    """What was measured, a value a round: whole runs, runs of one sample, request phases, floors."""

    samples: int
    concurrency: int
    latency_ms: float
    whole: list[Timed] = field(default_factory=list)
    single: list[Timed] = field(default_factory=list)
    phases: list[float] = field(default_factory=list)
    bare: dict[str, list[float]] = field(default_factory=dict)

    def play(self, folder: Path, url: str, name: str) -> None:
        """One round, the products and the floors one after another."""
        run, phase = evaluate(folder, url, self.concurrency, self.samples, f"{name}.db")
        self.whole.append(run)
        self.phases.append(phase)
        self.single.append(evaluate(folder, url, self.concurrency, 1, f"{name}-one.db")[0])
        for client in floors(slow=not self.latency_ms):
            words = [str(HERE / "floor_client.py"), client, str(folder / "qa.jsonl")]
            floor = timed([sys.executable, *words, str(self.concurrency), url])
            self.bare.setdefault(client, []).append(json.loads(floor.out)["wall_s"])

    def show(self) -> None:
        one = self.latency_ms / 1e3
        pairs = list(zip(self.whole, self.single, strict=True))
        net = [self.samples / (run.wall - single.wall + one) for run, single in pairs]
        net_cpu = [(run.cpu - single.cpu) / self.samples * 1e3 for run, single in pairs]
        print(f"{self.samples} samples, {self.concurrency} in flight, {self.latency_ms:g} ms an answer")
        target = {} if one else TARGETS
        tell("whole wall", f"{spread([run.wall for run in self.whole])} s", target.get("wall", ""))
        tell("start-up (one sample)", f"{spread([single.wall - one for single in self.single])} s")
        tell("rate net of start-up", f"{spread(net, 0)} samples/s", target.get("rate", ""))
        cpu = [run.cpu / self.samples * 1e3 for run in self.whole]
        tell("CPU a sample, whole", f"{spread(cpu, 3)} ms", target.get("cpu", ""))
        tell("CPU a sample, net", f"{spread(net_cpu, 3)} ms")
        tell("peak memory", f"{spread([run.peak_mb for run in self.whole], 0)} MB")
        if one:
            ideal = self.samples / self.concurrency * one
            tell("ideal / whole wall", f"{spread([100 * ideal / r.wall for r in self.whole], 0)} %", "70 %")
            tell("ideal / request phase", f"{spread([100 * ideal / p for p in self.phases], 0)} %", "92 %")
        for name, walls in self.bare.items():
            ratio = statistics.median(run.wall for run in self.whole) / statistics.median(walls)
            tell(f"floor, {name}", f"{spread(walls, 3)} s; assay's whole wall is {ratio:.1f} times that")


TARGETS = {"wall": "1.2 s", "rate": "3,000", "cpu": "0.5 ms"}
"""Those of W1; an evaluation of slow answers has its own."""


def measure(rounds: Rounds, count: int) -> None:
    """Plays so many rounds and prints them: median (least - greatest). A first round is not counted."""
    with tempfile.TemporaryDirectory() as place, mock_server("--ttft-ms", str(rounds.latency_ms)) as url:
        folder = Path(place)
        write_task(folder, rounds.samples)
        evaluate(folder, url, rounds.concurrency, 1, "first.db")
        for n in range(count):
            rounds.play(folder, url, str(n))
    rounds.show()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    measure(Rounds(given.samples, given.concurrency, 0), given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

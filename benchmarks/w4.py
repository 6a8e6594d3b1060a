"""W4: streams without any delay, 64 at once: how many streamed tokens a second one core takes in.

python benchmarks/w4.py [--requests 4000] [--streams 64] [--tokens 128] [--rounds 3] [--workers 0]

With --workers the run has all cores, beside the server.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from harness import HERE, mock_server, spread, tell, timed
from w3 import played, write_task


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    phase, whole, cpu, floors = [], [], [], []
    total = given.requests * given.tokens
    with tempfile.TemporaryDirectory() as place, mock_server("--tokens", str(given.tokens)) as url:
        task = write_task(Path(place), given.requests)
        for n in range(given.rounds):
            run, model = played(task, url, given.streams, Path(place) / f"{n}.db", given.workers)
            phase.append(total / model["speed"]["wall_seconds"])
            whole.append(total / run.wall)
            cpu.append(run.cpu / total * 1e6)
            words = [str(HERE / "floor_client.py"), "stream", str(Path(place) / "streams.jsonl")]
            bare = json.loads(timed([sys.executable, *words, str(given.streams), url]).out)
            floors.append(bare["tokens"] / bare["wall_s"])
    print(f"{given.requests} requests of {given.tokens} tokens, {given.streams} streams at once")
    tell("tokens/s, request phase", spread(phase, 0), "200,000")
    tell("tokens/s, whole wall", spread(whole, 0))
    tell("CPU a token, whole run", f"{spread(cpu, 2)} us")
    ratio = statistics.median(floors) / statistics.median(phase)
    tell("floor, stream", f"{spread(floors, 0)} tokens/s, {ratio:.1f} times assay's")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""W6: how soon the command answers: `assay --help`, and the first request after the launch of `assay run`.

    python benchmarks/w6.py [--rounds 7]

The first request's arrival is what the server noted of it, by the clock that both share. `python -c pass`
in the same rounds is the floor. Server on core 0, assay on core 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from gen_data import write_task
from harness import ASSAY, fetched, mock_server, spread, tell, timed


def first_request(folder: Path, url: str, store: str) -> float:
    """Seconds from the launch of the command to its first request, as the server heard it."""
    command = [ASSAY, "run", str(folder / "task.yaml"), "--model", "openai-compatible/mock"]
    command += ["--base-url", url, "--limit", "1", "--store", str(folder / store), "--json"]
    began = time.monotonic_ns()
    timed(command)
    (line,) = fetched(f"{url.removesuffix('/v1')}/truth?reset=1").splitlines()
    return (float(json.loads(line)["arr"]) - began) / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    bare, helped, of_a_verb, first = [], [], [], []
    with tempfile.TemporaryDirectory() as place, mock_server() as url:
        folder = Path(place)
        write_task(folder, 1)
        first_request(folder, url, "warm.db")
        for n in range(given.rounds):
            bare.append(timed([sys.executable, "-c", "pass"]).wall)
            helped.append(timed([ASSAY, "--help"]).wall)
            of_a_verb.append(timed([ASSAY, "run", "--help"]).wall)
            first.append(first_request(folder, url, f"{n}.db"))
    print("from the launch of the command; median (least - greatest)")
    tell("assay --help", f"{spread(helped, 3)} s", "0.12 s")
    tell("assay run --help", f"{spread(of_a_verb, 3)} s")
    tell("first request", f"{spread(first, 3)} s", "0.35 s")
    tell("floor, python -c pass", f"{spread(bare, 3)} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

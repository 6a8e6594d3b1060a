"""R26: 600 requests and 60,000 tokens a minute on one key, four processes, three minutes.

    python benchmarks/shared_limits.py [--workers 4] [--seconds 180] [--rpm 600] [--tpm 60000]

An `assay run` by duration against an emulator in this process that holds to token buckets of one
second's worth. Prompts differ in length so that both limits bind in turn: a call costs a hundred tokens
on average. It held if, in the window, at least 95 % of the limit that binds was accepted, and at most
1 % of all requests were refused (429). Exits with 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from assay.emulator.capacity import Capacity
from assay.emulator.server import Emulator
from shared import index_of, started, write_plan, write_task

BURST_SECONDS = 1.0


def cases(mean: int, count: int, draw: random.Random) -> list[tuple[str, str]]:
    """Prompts of so many tokens on average, from half to one and a half of it, each with its answer."""
    found = []
    for n in range(count):
        tokens = draw.randint(mean // 2, mean + mean // 2) - 5  # what a message and the answer take
        found.append((f"{n:06} ".ljust(4 * tokens, "x"), "yes"))
    return found


async def measure(given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mean = round(given.tpm / given.rpm)
        task = write_task(folder, cases(mean, 500, random.Random(given.seed)))
        capacity = Capacity(rpm=given.rpm, tpm=given.tpm, burst_s=BURST_SECONDS)
        async with Emulator(index_of(task), capacity=capacity) as server:
            limits = {"requests_per_minute": given.rpm, "tokens_per_minute": given.tpm}
            plan = write_plan(task, server, limits=limits, sampling={"max_tokens": 1}, workers=given.workers,
                              window={"seconds": given.seconds, "warm_up": 2},
                              schedule={"kind": "closed", "slots": 64})  # fmt: skip
            run = started("--store", str(folder / "a.db"), str(plan))
            code = await asyncio.to_thread(run.wait)
            if run.stderr is not None:
                said = run.stderr.read().decode(errors="replace")
                run.stderr.close()
            if code:
                raise SystemExit(f"the run ended with {code}\n{said}")
            records = server.ledger.records()
    begin = records[0].arrived + 2_000_000_000
    window = [each for each in records if begin <= each.arrived < begin + given.seconds * 10**9]
    accepted = [each for each in window if each.status == 200]
    refused = sum(each.status == 429 for each in window)
    minutes = given.seconds / 60
    requests = len(accepted) / (given.rpm * minutes)
    tokens = sum(each.input + each.output for each in accepted) / (given.tpm * minutes)
    print(
        f"{given.workers} workers, {given.rpm:g} requests, {given.tpm:g} tokens a minute, {given.seconds:g} s"
    )
    print(f"  accepted                  {len(accepted)} requests: {100 * requests:.1f} % of the requests,"
          f" {100 * tokens:.1f} % of the tokens")  # fmt: skip
    print(f"  refused (429)             {refused} of {len(window)}: {100 * refused / len(window):.2f} %")
    good = max(requests, tokens) >= 0.95 and refused <= 0.01 * len(window)
    print("held" if good else "DID NOT HOLD")
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--rpm", type=float, default=600.0)
    parser.add_argument("--tpm", type=float, default=60_000.0)
    parser.add_argument("--seed", type=int, default=1)
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())

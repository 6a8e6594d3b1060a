"""A real server with a tiny random model, evaluated by `assay run`.

    python benchmarks/real_server.py [--server llama] [--cases 100] [--slots 16]

real_servers.py builds and starts it: llama.cpp's llama-server, or `transformers serve`. 100 cases of
the task arithmetic are streamed, 16 in flight. Of them at least 95 must be scored, and every
scored one must have its usage and its timing in the record. The answers are noise: the model's
weights are random. Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Status
from harness import ASSAY, timed
from real_servers import NAME, llama, transformers

MOST_TOKENS = 64


def whole(call: Call) -> bool:
    """Whether a settled call has usage and timing: tokens, first byte to last in order, a TTFT."""
    usage, ttft, latency = call.reply.usage, call.ttft, call.latency
    if usage is None or ttft is None or latency is None:
        return False
    return usage.input > 0 and usage.output > 0 and 0 < ttft <= latency


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", choices=("llama", "transformers"), default="llama")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--slots", type=int, default=16)
    given = parser.parse_args()
    began = time.monotonic()
    served = llama(given.slots) if given.server == "llama" else transformers()
    with tempfile.TemporaryDirectory() as place, served as server:
        prepared = time.monotonic() - began
        store = Path(place) / "a.db"
        words = [ASSAY, "run", "arithmetic", "--model", f"openai-compatible/{NAME}", "--base-url", server.url]
        words += ["--concurrency", str(given.slots), "--stream", "--limit", str(given.cases)]
        words += ["--max-tokens", str(MOST_TOKENS), "--store", str(store), "--json"]
        run = timed(words)
        trials = list(SqliteStore.open(store, create=False).trials(Where()))
    (shown,) = json.loads(run.out)["models"]
    scored = [trial for trial in trials if trial.status is Status.SCORED]
    calls = [call for trial in scored for call in trial.calls if call.state is CallState.DONE]
    kept = sum(map(whole, calls))
    clocks = sorted({call.reply.instants.clock for call in calls})
    print(f"prepared in {prepared:.0f} s; {given.cases} cases, {given.slots} in flight, {run.wall:.2f} s")
    print(f"scored {len(scored)} of {given.cases}; {kept} of {len(calls)} calls with usage and timing")
    print(f"statuses {shown['statuses']}, finishes {shown['finishes']}, reasons {shown['reasons']}")
    print(f"tokens {shown['tokens']['input']} in, {shown['tokens']['output']} out; clocks {clocks}")
    for name in ("ttft", "tpot", "output_rate"):
        figure = shown["speed"][name]
        print(f"{name:<12} p50 {figure['p50']['value']:.6g}  p95 {figure['p95']['value']:.6g}")
    held = len(scored) >= 0.95 * given.cases and kept == len(calls) >= len(scored)
    print("held" if held else "DID NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

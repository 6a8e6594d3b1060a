"""W3: 64, 512 and 1,024 streams at once, TTFT 50 ms, 10 ms a token, 128 tokens: are the reported times true?

    python benchmarks/w3.py [--streams 64,512,1024] [--waves 4] [--rounds 3]

Each number of streams is held for four waves of them: the ideal is four times what one stream takes.
`assay run --stream` is held to the server's own record of each request; both read CLOCK_MONOTONIC. A
request is matched to its record by the length of its body: each prompt has a length of its own. As
seeds have 15 or 16 digits, some lengths meet all the same; those requests are left out. Errors are those
of the first token's stamp (reported - written by the server), of the TTFT (reported - from the request's
arrival at the server to its first token) and of the mean gap between tokens. Server on core 0, assay
on core 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.keys import JSON
from assay.models.openai_request import RequestWriter
from assay.ports import Capabilities, Where
from assay.stats.quantiles import type7
from assay.store.sqlite import SqliteStore
from assay.trial import Call
from harness import ASSAY, CLIENT_CORE, Timed, fetched, mock_server, spread, tell, timed

TASK = """\
name: streams
cases: streams.jsonl
exchange: single
prompt: {user: "{{INPUT}}"}
scorers: [exact]
sampling: {temperature: 0, max_tokens: 128}
"""


def write_task(folder: Path, requests: int) -> Path:
    with (folder / "streams.jsonl").open("w") as file:
        for n in range(requests):
            file.write(json.dumps({"id": n, "input": f"{n:05d} " + "x" * (200 + n), "target": "y"}) + "\n")
    task = folder / "task.yaml"
    task.write_text(TASK)
    return task


def played(task: Path, url: str, streams: int, store: Path, workers: int = 0) -> tuple[Timed, JSON]:
    """One `assay run` of streams, all answered; the run and its model's summary.

    With workers it has all cores.
    """
    words = [ASSAY, "run", str(task), "--model", "openai-compatible/mock", "--base-url", url]
    words += ["--concurrency", str(streams), "--stream", "--store", str(store), "--json"]
    words += ["--workers", str(workers)]
    run = timed(words, core=None if workers else CLIENT_CORE)
    (model,) = json.loads(run.out)["models"]
    if model["statuses"]["scored"] != model["planned"]:
        raise SystemExit(f"not all streams came through: {model['statuses']}")
    return run, model


@dataclass
class Errors:
    """Milliseconds (gaps: percent) between what is reported and what the server did."""

    stamp: list[float] = field(default_factory=list)
    ttft: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)

    def add(self, call: Call, truth: JSON) -> None:
        stamps, sent = call.reply.arrivals.token_stamps(), call.reply.instants.sent
        self.stamp.append((stamps[0] - truth["first"]) / 1e6)
        self.ttft.append(((stamps[0] - sent) - (truth["first"] - truth["arr"])) / 1e6)
        gap = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
        true_gap = (truth["last"] - truth["first"]) / (truth["tok"] - 1)
        self.gap.append(100 * (gap / true_gap - 1))


def matched(store: Path, truths: Sequence[JSON]) -> Iterator[tuple[Call, JSON]]:
    """Each call with the server's record of it, where the length of its body tells it from all others."""
    writer = RequestWriter("mock", Capabilities())
    lengths = Counter(truth["in"] for truth in truths)
    single = {truth["in"]: truth for truth in truths if lengths[truth["in"]] == 1}
    for trial in SqliteStore.open(store, create=False).trials(Where()):
        for call in trial.calls:
            truth = single.get(len(writer.write(call.request)))
            if truth is not None:
                yield call, truth


def errors_of(store: Path, url: str) -> Errors:
    lines = fetched(f"{url.removesuffix('/v1')}/truth?reset=1").splitlines()
    errors = Errors()
    for call, truth in matched(store, [json.loads(line) for line in lines]):
        errors.add(call, truth)
    return errors


def show_error(name: str, rounds: Sequence[Sequence[float]], target: str) -> None:
    found = [[type7(sorted(values), q) for values in rounds] for q in (0.5, 0.99)]
    tell(name, f"p50 {spread(found[0], 3)}  p99 {spread(found[1], 3)} ms", target)


def measure(streams: int, waves: int, rounds: int) -> None:
    """Plays so many rounds with so many streams at once, and prints them."""
    runs, shares, errors = [], [], []
    requests, ideal = streams * waves, waves * (0.050 + 127 * 0.010)
    flags = ["--ttft-ms", "50", "--itl-ms", "10", "--tokens", "128"]
    with tempfile.TemporaryDirectory() as place, mock_server(*flags) as url:
        task = write_task(Path(place), requests)
        for n in range(rounds):
            store = Path(place) / f"{n}.db"
            run, model = played(task, url, streams, store)
            runs.append(run)
            shares.append(100 * ideal / model["speed"]["wall_seconds"])
            errors.append(errors_of(store, url))
    print(f"{requests} requests, {streams} streams at once, {len(errors[0].stamp)} matched", flush=True)
    tell("share of the ideal rate", f"{spread(shares, 1)} %", "97 % up to 512 streams")
    show_error("error of the first stamp", [e.stamp for e in errors], "")
    show_error("error of the TTFT", [e.ttft for e in errors], "p50 1 ms, p99 5 ms")
    tell("error of the mean gap", f"{spread([statistics.fmean(e.gap) for e in errors], 3)} %", "0.5 %")
    cpu = [run.cpu / requests * 1e3 for run in runs]
    tell("CPU a request, whole run", f"{spread(cpu, 2)} ms", "2.7 ms")
    tell("peak memory", f"{spread([run.peak_mb for run in runs], 0)} MB", "90 MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", default="64,512,1024")
    parser.add_argument("--waves", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for streams in given.streams.split(","):
        measure(int(streams), given.waves, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

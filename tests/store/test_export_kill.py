"""An export that was killed leaves no half file under its name; one beside a running run is whole."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.ports import Where
from assay.store.export import export_to
from assay.store.sqlite import SqliteStore

CHILD = Path(__file__).with_name("writing_child.py")

EXPORT = """
import itertools, sys
from pathlib import Path
from assay.ports import Where
from assay.store.export import export_to
from assay.store.sqlite import SqliteStore
trials = list(SqliteStore.open(sys.argv[1], create=False).trials(Where()))
export_to(Path(sys.argv[2]), itertools.cycle(trials), sys.argv[3])
"""


@pytest.fixture
async def recorded(place, sample):
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    for n in range(5):
        await sample.played(store, f"k{n}")
    await store.close()
    return place


@pytest.mark.parametrize("to", ["csv", "ndjson", "json"])
@pytest.mark.parametrize("before", [None, b"an earlier export\n"])
def test_an_export_killed_on_the_way_leaves_what_was_there(recorded, tmp_path, to, before) -> None:
    target = tmp_path / f"out.{to}"
    if before is not None:
        target.write_bytes(before)
    process = subprocess.Popen([sys.executable, "-c", EXPORT, str(recorded), str(target), to])
    end = time.monotonic() + 20
    while not any(draft.stat().st_size > 50_000 for draft in tmp_path.glob(".out.*.part")):
        assert process.poll() is None
        assert time.monotonic() < end
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (target.read_bytes() if target.exists() else None) == before


def test_exports_beside_a_running_run_hold_whole_trials_and_ever_more(place, tmp_path, opened) -> None:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(place), "run", "0", "1000000"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"opened\n"
    store = opened(place, create=False)
    counts: list[int] = []
    while len(counts) < 5:
        target = tmp_path / f"{len(counts)}.ndjson"
        count = export_to(target, store.trials(Where()), "ndjson")
        rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
        assert len(rows) == count
        assert all(row["reply"] == f"It is {row['trial_key']}." for row in rows)
        if count and (not counts or count > counts[-1]):
            counts.append(count)
        while told(process):
            os.read(process.stdout.fileno(), 1 << 16)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def told(process) -> bool:
    """Whether the child has told something: a full pipe would stop it."""
    return bool(select.select([process.stdout], [], [], 0)[0])

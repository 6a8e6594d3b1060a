"""Many processes write one store at once: nobody is told that it is locked, and nothing is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from assay.ports import Where
from assay.store.verification import verified
from assay.trial import Status

CHILD = Path(__file__).with_name("writing_child.py")


@pytest.mark.timeout(600)
def test_eight_processes_write_one_store_at_once(place, opened, request) -> None:
    """A trial is four writes: `--writes 50000` is the long form."""
    count = -(-request.config.getoption("--writes") // (8 * 4))
    writers = [
        subprocess.Popen(
            [sys.executable, str(CHILD), str(place), f"run-{n}", "0", str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n in range(8)
    ]
    for writer in writers:
        out, err = writer.communicate(timeout=590)
        assert writer.returncode == 0, err.decode()
        assert err == b""
        assert out.decode().splitlines()[-1] == "closed"
    store = opened(place, create=False)
    for n in range(8):
        trials = list(store.trials(Where(run=f"run-{n}")))
        assert sorted(int(trial.key) for trial in trials) == list(range(count))
        assert {trial.status for trial in trials} == {Status.SCORED}
        assert all(trial.calls[0].reply.text == f"It is {trial.key}." for trial in trials)
    found = verified(place)
    assert (found.runs, found.trials, found.calls, found.unsettled) == (8, 8 * count, 8 * count, 0)
    assert found.faults == ()

"""The short form of benchmarks/chaos.py, which says what it holds the record to."""

import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).parents[2] / "benchmarks" / "chaos.py"


@pytest.mark.timeout(240)  # several processes on cores that other tests share
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_killed_again_and_again_loses_doubles_and_hides_nothing(workers):
    words = ["--kills", "4", "--trials", "96", "--in-flight", "8", "--workers", workers]
    chaos = subprocess.run(
        [sys.executable, str(CHAOS), *words], check=False, capture_output=True, text=True, timeout=200
    )
    assert chaos.returncode == 0, chaos.stdout + chaos.stderr
    assert "kills: 4," in chaos.stdout
    assert "96 planned, 96 recorded, 0 lost, 0 recorded twice" in chaos.stdout

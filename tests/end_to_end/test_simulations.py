"""The simulations of tests, intervals and gates, in short; benchmarks/simulations.py plays them in full."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "simulations.py"


def simulated(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("N1", 600),
        ("N2", 4000),
        ("N3", 400),
        ("N4", 250),
        ("N6", 200),
        ("N7", 40),
        ("N8", 700),
        ("N9", 1000),
        ("N10", 800),
    ],
)
def test_a_simulation_stays_inside_its_binomial_bands(name, runs):
    done = simulated(name, "--runs", str(runs), "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}  " in done.stdout
    assert "LEFT THE BAND" not in done.stdout


def test_a_share_outside_its_band_is_seen():
    code = (
        "import sys; sys.argv = ['x', 'N1', '--runs', '400']\n"
        "import simulations as s\n"
        "s.SIMULATIONS['N1'] = lambda runs, draw: iter([s.Share('w', 36, 400, 0.01, 0.02)])\n"
        "sys.exit(s.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPT.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "LEFT THE BAND" in done.stdout


def test_an_unknown_simulation_is_an_error():
    assert simulated("N99").returncode == 2

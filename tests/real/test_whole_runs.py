"""`assay run` over each real server: a hundred streamed cases, usage and times in the record."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "real_server.py"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["llama", "transformers"])
def test_a_run_over_a_real_server_is_scored_and_timed(kind, request, capsys):
    if not request.config.getoption("--real"):
        pytest.skip("`make test-real` builds and starts real servers")
    words = ["--server", kind, "--slots", "8"]
    ran = subprocess.run([sys.executable, str(SCRIPT), *words], check=False, capture_output=True, text=True)
    with capsys.disabled():
        print(f"\n{kind}\n{ran.stdout}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "held" in ran.stdout

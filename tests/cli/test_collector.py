"""A run is not held up by the garbage collector."""

import subprocess
import sys

TOLD = """
import gc, sys
from assay.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0], file=sys.stderr)
"""


def test_what_is_loaded_is_left_out_of_its_rounds_and_these_are_rarer(tmp_path):
    words = ["run", "arithmetic", "--model", "emulated/skill-0.8", "--limit", "3", "--quiet"]
    words += ["--store", str(tmp_path / "runs.db")]
    done = subprocess.run(
        [sys.executable, "-c", TOLD, *words], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "True 10000"

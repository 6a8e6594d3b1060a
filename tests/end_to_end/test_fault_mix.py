"""R12 in short: a fifth of all requests meet a fault, and no wrong record comes of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay.emulator.faults import FAULTS, fault_named
from assay.errors import ErrorClass

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def test_the_mix_holds_the_whole_catalogue_but_for_what_stops_a_model_or_cannot_be_detected():
    mix = json.loads((BENCHMARKS / "fault_mix.json").read_bytes())
    mixed = {fault_named(text).fault.name for text in mix["faults"]}
    left_out = {
        name
        for name, fault in FAULTS.items()
        if fault.error is ErrorClass.DENIED
        or not fault.detectable
        or fault.calls
        or name == "ok"
        or (fault.paths and "/chat/completions" not in fault.paths)
    }
    assert mixed == set(FAULTS) - left_out
    assert left_out == {"ok", "401", "403", "404", "429quota", "429spend"} | {
        "wordless",
        "s_dup",
        "s_reordered",
        "badarguments",
        "s_toolchars",
        "s_toolturns",
        "s_joined",
        "nodurations",
    }
    assert (mix["share"], mix["slots"]) == (0.2, 128)


@pytest.mark.timeout(120)
def test_every_record_of_a_mixed_run_is_right_or_names_its_fault():
    command = [sys.executable, str(BENCHMARKS / "fault_mix.py"), "--requests", "1500"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("wrong: 0") == 2
    assert "750 trials" in ran.stdout
    assert ran.stdout.count("  rejected ") == 2

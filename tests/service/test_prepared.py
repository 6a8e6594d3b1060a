"""Threads may read the same form first at the same time."""

import subprocess
import sys

import pytest

RACE = """
import sys, threading
import msgspec
from assay.loading.batches import PostedBatch
from assay.loading.scenario_form import Scenario
from assay.service.prepared import prepare_forms

prepare_forms()
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
SCENARIO = {"name": "x", "variables": {}, "expect": {"state": [{"added": {"table": "t"}}]}}


def read():
    together.wait()
    msgspec.convert(SCENARIO, Scenario)
    msgspec.convert({"scenarios": []}, PostedBatch)


threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.timeout(120)
def test_no_two_threads_that_read_a_form_first_crash_the_process():
    codes = [subprocess.run([sys.executable, "-c", RACE], check=False).returncode for _ in range(12)]
    assert codes == [0] * 12

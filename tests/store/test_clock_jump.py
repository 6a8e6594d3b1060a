"""A wall clock that jumps takes no run from its writer. The jump is made by a library before the clock."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay.ports import Where

CHILD = Path(__file__).with_name("writing_child.py")

CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, id, at);
    const char *jump = getenv("JUMP");
    if (!failed && id == CLOCK_REALTIME && jump) at->tv_sec += atol(jump);
    return failed;
}
"""


@pytest.fixture
def jumping(tmp_path):
    """The environment of a process whose wall clock is so many seconds off."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux")
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)

    def by(seconds: int) -> dict[str, str]:
        return {**os.environ, "LD_PRELOAD": str(library), "JUMP": str(seconds)}

    return by


def start(place, environment, count):
    command = [sys.executable, str(CHILD), str(place), "run", "0", str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def test_the_library_moves_the_wall_clock_and_no_other(jumping) -> None:
    code = "import time; print(time.time(), time.monotonic())"
    now = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        for environment in (jumping(0), jumping(-86400))
    ]
    (wall, mono), (jumped, then) = ([float(word) for word in done.stdout.split()] for done in now)
    assert -86400 <= jumped - wall < -86300
    assert 0 <= then - mono < 60


@pytest.mark.parametrize("jump", [3600, -3600, -86400])
def test_a_run_is_kept_from_a_second_process_and_given_to_one_after_a_kill(
    place, jumping, jump, opened
) -> None:
    first = start(place, None, 1_000_000)
    assert first.stdout is not None
    assert first.stdout.readline() == b"opened\n"
    second = start(place, jumping(jump), 10)
    told = second.communicate(timeout=30)[0].decode()
    assert told.startswith(f"refused run run is being written by process {first.pid} on ")
    first.kill()
    first.wait()
    first.stdout.close()
    third = start(place, jumping(jump), 10)
    assert third.communicate(timeout=30)[0].decode().endswith("closed\n")
    trials = list(opened(place, create=False).trials(Where()))
    assert len({trial.key for trial in trials}) == len(trials) >= 10

"""R11: a wall clock that jumps while a run is under way moves no duration and starts no storm."""

import itertools
import os
import shutil
import struct
import subprocess
import sys
import time

import pytest

from assay.emulator.ledger import records_of
from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import CallState, Status

CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile long *jump;

__attribute__((constructor)) static void open_jump(void) {
    const char *path = getenv("JUMP");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) jump = at;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, id, at);
    if (!failed && id == CLOCK_REALTIME && jump) at->tv_sec += *jump;
    return failed;
}
"""
JUMPS = (3600, 0, -3600, -86400, 0, 3600)
COUNT, TTFT = 400, 0.1


class WallClock:
    """The wall clock of the processes of `environment`: so many seconds off, as it is told."""

    def __init__(self, folder) -> None:
        self._file = folder / "jump"
        self.environment = {**os.environ, "LD_PRELOAD": str(folder / "clock.so"), "JUMP": str(self._file)}
        self.jump(0)

    def jump(self, seconds: int) -> None:
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("l", seconds))


@pytest.fixture
def wall_clock(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux")
    source = tmp_path / "clock.c"
    source.write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(tmp_path / "clock.so"), str(source)], check=True)
    return WallClock(tmp_path)


@pytest.mark.timeout(120)
def test_a_wall_clock_that_jumps_in_a_run_moves_no_duration_and_starts_no_storm(bench, wall_clock):
    bench.write_cases(COUNT)
    ledger = bench.folder / "ledger"
    flags = ["--ttft-ms", str(TTFT * 1000), "--ledger", str(ledger), "--mix", "ok=95,500=5"]
    emulator = [sys.executable, "-m", "assay.emulator", *flags]
    with subprocess.Popen(emulator, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        words = ["run", "task.yaml", "--model", "emulated/skill-1", "--base-url", url, "--stream"]
        words += ["--concurrency", "8", "--retries", "5", "--store", str(bench.store), "--quiet"]
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-c", "from assay.cli.main import main; main()", *words],
            cwd=bench.folder, env=wall_clock.environment, stdout=subprocess.DEVNULL,
        ) as run:  # fmt: skip
            jumps = 0
            while not ledger.exists() or ledger.read_bytes().count(b'"arrived"') < 8:
                assert run.poll() is None
                time.sleep(0.005)
            for jump in itertools.cycle(JUMPS):
                wall_clock.jump(jump)
                jumps += 1
                time.sleep(0.15)
                if run.poll() is not None:
                    break
        took = time.monotonic() - began
        server.terminate()
    assert run.returncode == 0
    assert jumps > len(JUMPS)
    trials = list(SqliteStore.open(bench.store, create=False).trials(Where()))
    asked = records_of(ledger.read_bytes().splitlines(keepends=True))
    calls = [call for trial in trials for call in trial.calls]
    assert {trial.status for trial in trials} == {Status.SCORED}
    assert len(calls) == len(asked) == COUNT + sum(row["fault"] == "500" for row in asked) < 1.3 * COUNT
    wall = [trial.wall / 1e9 for trial in trials]
    assert max(wall) - min(wall) > 80_000  # the run saw the jumps
    done = [call for call in calls if call.state is CallState.DONE]
    served = sorted(
        (row["state"]["done_sent"] - row["state"]["arrived"]) / 1e9 for row in asked if row["fault"] == "ok"
    )
    for call, least in zip(sorted(done, key=lambda call: call.latency), served, strict=True):
        assert least - 0.05 <= call.latency < took  # the emulator may be held up before it notes that it sent
        assert TTFT - 0.001 <= call.ttft <= call.latency
        instants = call.reply.instants
        assert (
            0 < instants.picked <= instants.admitted <= instants.connected <= instants.sent < instants.ended
        )
    assert all(0 <= trial.started <= trial.ended < took for trial in trials)

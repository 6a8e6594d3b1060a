"""What the benchmarks share: servers on one core, a timed command on the other, medians."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "bench"
ASSAY = str(Path(sys.executable).parent / "assay")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": str(CACHE / "pycache"),
}
"""Bytecode is kept, as it is for whoever runs a command for the second time."""


@dataclass(frozen=True)
class Timed:
    """One command from its start to its end: seconds, seconds of all its CPU, MB at its peak."""

    wall: float
    cpu: float
    peak_mb: float
    code: int
    out: bytes


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command on one core; as it is where there is one core only, or `core` is None."""
    if SERVER_CORE == CLIENT_CORE or core is None:
        return list(command)
    return ["taskset", "-c", str(core), *command]


def timed(command: Sequence[str], *, core: int | None = CLIENT_CORE, good: Sequence[int] = (0,)) -> Timed:
    """Runs a command to its end. Raises SystemExit, with what it said, where its code is not good."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(pinned(core, command), stdout=out, stderr=err, env=ENVIRONMENT)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in good:
            said = err.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
        cpu = used.ru_utime + used.ru_stime
        return Timed(wall, cpu, used.ru_maxrss / 1024, process.returncode, out.read())


@contextmanager
def serving(
    command: Sequence[str],
    url: str | None,
    *,
    patience: float = 30.0,
    ready: str | None = None,
    folder: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A server on its core until the block ends; without a `url` its first line tells it.

    It is there when `ready` answers, or else its list of models. `folder` is where it runs, `settings`
    its whole environment.
    """
    process = subprocess.Popen(
        pinned(SERVER_CORE, command),
        cwd=folder,
        env=settings,
        stdout=subprocess.PIPE if url is None else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if url is None:
            assert process.stdout is not None  # noqa: S101  it was asked for above
            url = process.stdout.readline().decode().strip()
        _await(ready or f"{url}/models", process, patience)
        yield url
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await(url: str, process: subprocess.Popen[bytes], patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            fetched(url)
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"no server answers at {url}") from None
            time.sleep(0.02)
        else:
            return


def fetched(url: str, body: bytes | None = None, *, patience: float = 30.0) -> bytes:
    """The body of an answer of one of our own servers."""
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  loopback
    with urllib.request.urlopen(asked, timeout=patience) as answer:  # noqa: S310  loopback
        content: bytes = answer.read()
        return content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mock_server(*flags: str) -> Iterator[str]:
    """mockllm, compiled when its source is newer; gives its base URL."""
    source, program = HERE / "mockllm" / "mockllm.c", CACHE / "mockllm"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    port = free_port()
    command = [str(program), "--port", str(port), *flags]
    with serving(command, f"http://127.0.0.1:{port}/v1") as url:
        yield url


@contextmanager
def emulator(*flags: str) -> Iterator[str]:
    """The emulator in a process of its own; gives its base URL."""
    with serving([sys.executable, "-m", "assay.emulator", *flags], None) as url:
        yield url


def spread(values: Sequence[float], digits: int = 2) -> str:
    """A median with the least and the greatest: `1.08 (1.05 - 1.21)`."""
    middle = statistics.median(values)
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f} - {max(values):,.{digits}f})"


def tell(name: str, figure: str, target: str = "") -> None:
    """One line: what was measured, the figure, the target beside it."""
    print(f"  {name:<26} {figure}" + (f"   [target {target}]" if target else ""))

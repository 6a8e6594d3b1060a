"""A real server: llama.cpp's llama-server with a tiny random model, evaluated by `assay run`.

    python benchmarks/real_server.py [--cases 100] [--slots 16]

The first time it builds llama-server from the source distribution of llama-cpp-python (some six
minutes on two cores; needs a C++ compiler and a package index) and makes the model on the spot; both
stay in .cache/real/. 100 cases of the task arithmetic are streamed, 16 in flight. Of them at
least 95 must be scored, and every scored one must have its usage and its timing in the record.
The answers are noise: the model's weights are random. Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from assay.ports import Where
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Status
from harness import ASSAY, HERE, ROOT, fetched, free_port, serving, timed

REAL = ROOT / ".cache" / "real"
SOURCE = "llama-cpp-python==0.3.36"
TOOLS = ["cmake", "ninja", "numpy", "tokenizers", "gguf"]
OFF = ["CURL", "OPENSSL", "BUILD_TESTS", "BUILD_UI", "BUILD_WEBUI", "BUILD_EXAMPLES"]
MOST_TOKENS = 64


def environment() -> Path:
    """The folder of programs of a virtual environment with what builds the server and the model."""
    programs = REAL / "venv" / "bin"
    ready = REAL / "venv" / "installed"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", str(REAL / "venv")], check=True)
        subprocess.run([str(programs / "python"), "-m", "pip", "install", "--quiet", *TOOLS], check=True)
        ready.touch()
    return programs


def server() -> Path:
    """llama-server, built if it is not there."""
    built = REAL / "build" / "bin" / "llama-server"
    if built.exists():
        return built
    programs = environment()
    pip = [str(programs / "python"), "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-binary", "llama-cpp-python", SOURCE, "--dest", str(REAL)], check=True)
    (archive,) = REAL.glob("llama_cpp_python-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(REAL, filter="data")
    source = REAL / archive.name.removesuffix(".tar.gz") / "vendor" / "llama.cpp"
    switches = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_BUILD_SERVER=ON"]
    switches += [f"-DLLAMA_{name}=OFF" for name in OFF]
    cmake, folder = str(programs / "cmake"), str(REAL / "build")
    _run([cmake, "-S", str(source), "-B", folder, "-G", "Ninja", *switches], programs)
    _run([cmake, "--build", folder, "--target", "llama-server", "-j", str(os.cpu_count())], programs)
    return built


def _run(command: list[str], programs: Path) -> None:
    """A step of the build, with the environment's programs (ninja) in reach."""
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, check=True, env={**os.environ, "PATH": path}, stdout=subprocess.DEVNULL)


def model() -> Path:
    """The tiny model, made if it is not there."""
    path = REAL / "tiny.gguf"
    if not path.exists():
        python, draft = environment() / "python", path.with_suffix(".draft")
        subprocess.run([str(python), str(HERE / "tiny_model.py"), str(draft)], check=True)
        draft.rename(path)
    return path


def whole(call: Call) -> bool:
    """Whether a settled call has usage and timing: tokens, first byte to last in order, a TTFT."""
    usage, ttft, latency = call.reply.usage, call.ttft, call.latency
    if usage is None or ttft is None or latency is None:
        return False
    return usage.input > 0 and usage.output > 0 and 0 < ttft <= latency


def warm(url: str) -> None:
    """One call outside all clocks: the first one after a start may pay for its set-up."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "1 + 1"}], "max_tokens": 4}
    fetched(f"{url}/chat/completions", json.dumps(body).encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--slots", type=int, default=16)
    given = parser.parse_args()
    REAL.mkdir(parents=True, exist_ok=True)
    port = free_port()
    began = time.monotonic()
    command = [str(server()), "-m", str(model()), "--port", str(port), "--alias", "tiny"]
    command += ["-np", str(given.slots), "-c", str(4096 * given.slots), "-t", "1"]
    prepared = time.monotonic() - began
    with tempfile.TemporaryDirectory() as place, serving(command, f"http://127.0.0.1:{port}/v1") as url:
        warm(url)
        store = Path(place) / "a.db"
        words = [ASSAY, "run", "arithmetic", "--model", "openai-compatible/tiny", "--base-url", url]
        words += ["--concurrency", str(given.slots), "--stream", "--limit", str(given.cases)]
        words += ["--max-tokens", str(MOST_TOKENS), "--store", str(store), "--json"]
        run = timed(words)
        trials = list(SqliteStore.open(store, create=False).trials(Where()))
    (shown,) = json.loads(run.out)["models"]
    scored = [trial for trial in trials if trial.status is Status.SCORED]
    calls = [call for trial in scored for call in trial.calls if call.state is CallState.DONE]
    kept = sum(map(whole, calls))
    clocks = sorted({call.reply.instants.clock for call in calls})
    print(f"prepared in {prepared:.0f} s; {given.cases} cases, {given.slots} in flight, {run.wall:.2f} s")
    print(f"scored {len(scored)} of {given.cases}; {kept} of {len(calls)} calls with usage and timing")
    print(f"statuses {shown['statuses']}, finishes {shown['finishes']}, reasons {shown['reasons']}")
    print(f"tokens {shown['tokens']['input']} in, {shown['tokens']['output']} out; clocks {clocks}")
    for name in ("ttft", "tpot", "output_rate"):
        figure = shown["speed"][name]
        print(f"{name:<12} p50 {figure['p50']['value']:.6g}  p95 {figure['p95']['value']:.6g}")
    held = len(scored) >= 0.95 * given.cases and kept == len(calls) >= len(scored)
    print("held" if held else "DID NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

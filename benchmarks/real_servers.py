"""Real servers of a tiny model, built once: llama.cpp's `llama-server` and `transformers serve`.

    python benchmarks/real_servers.py [llama] [transformers]

Builds them and the model, and asks each one question. llama-server comes from the source distribution of
llama-cpp-python (some six minutes on two cores; needs a C++ compiler), the other from packages
of some 1.2 GB (far more where the index gives torch with CUDA), each with a virtual environment of its
own; tiny_model.py makes the model. All stays in .cache/real/. Nothing is fetched from a hub.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import HERE, ROOT, fetched, free_port, serving

REAL = ROOT / ".cache" / "real"
SOURCE = "llama-cpp-python==0.3.36"
LLAMA_NEEDS = ("cmake", "ninja", "numpy", "tokenizers", "safetensors", "gguf")
TRANSFORMERS_NEEDS = ("torch==2.13.0", "transformers[serving]==5.23.0")
OFF = ["CURL", "OPENSSL", "BUILD_TESTS", "BUILD_UI", "BUILD_WEBUI", "BUILD_EXAMPLES"]
CONTEXT = 4096
"""Tokens that one conversation may have."""

NAME = "tiny"
"""What both servers call the model."""


@dataclass(frozen=True)
class Server:
    """A server that runs: which one, and its base URL. The model's name is NAME."""

    kind: str
    url: str


def environment(name: str, needs: tuple[str, ...]) -> Path:
    """The folder of programs of a virtual environment with these packages, made if it is not there."""
    place = REAL / f"venv-{name}"
    ready, wanted = place / "installed", "\n".join(needs)
    if not ready.exists() or ready.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *needs], check=True)
        ready.write_text(wanted)
    return place / "bin"


def llama_server() -> Path:
    """llama-server, built if it is not there."""
    built = REAL / "build" / "bin" / "llama-server"
    if built.exists():
        return built
    programs = environment("llama", LLAMA_NEEDS)
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
    """The folder with tiny.gguf and tiny/ of the script as it is now, made if it is not there."""
    script = HERE / "tiny_model.py"
    folder = REAL / f"model-{hashlib.sha256(script.read_bytes()).hexdigest()[:8]}"
    if not folder.exists():
        draft = folder.with_suffix(f".{os.getpid()}")
        draft.mkdir(parents=True)
        subprocess.run(
            [str(environment("llama", LLAMA_NEEDS) / "python"), str(script), str(draft)], check=True
        )
        draft.rename(folder)
    return folder


@contextmanager
def llama(slots: int = 8) -> Iterator[Server]:
    """llama-server with so many slots."""
    port = free_port()
    command = [str(llama_server()), "-m", str(model() / "tiny.gguf"), "--port", str(port)]
    command += [
        "--alias",
        NAME,
        "-np",
        str(slots),
        "-c",
        str(CONTEXT * slots),
        "-t",
        "1",
        "--slots",
        "--jinja",
    ]
    with serving(command, f"http://127.0.0.1:{port}/v1") as url:
        yield warm(Server("llama", url))


@contextmanager
def transformers() -> Iterator[Server]:
    """`transformers serve` with continuous batching."""
    port, folder = free_port(), model()
    command = [str(environment("transformers", TRANSFORMERS_NEEDS) / "transformers"), "serve", NAME]
    command += ["--continuous-batching", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--cb-block-size",
        "32",
        "--cb-num-blocks",
        "2048",
    ]  # else it takes most of the memory there is
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(REAL / "hub"), "OMP_NUM_THREADS": "1"}
    at = f"http://127.0.0.1:{port}"
    # its list of models is an error until a hub folder exists, so health is asked
    with serving(
        command, f"{at}/v1", ready=f"{at}/health", patience=120, folder=folder, settings=settings
    ) as url:
        yield warm(Server("transformers", url))


SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "llama": llama,
    "transformers": transformers,
}


def warm(server: Server) -> Server:
    """One call outside all clocks: the first one after a start may pay for its set-up."""
    body = {"model": NAME, "messages": [{"role": "user", "content": "1 + 1"}], "max_tokens": 4}
    fetched(f"{server.url}/chat/completions", json.dumps(body).encode(), patience=180)
    return server


def main() -> int:
    for kind in sys.argv[1:] or SERVERS:
        began = time.monotonic()
        with SERVERS[kind]() as server:
            print(f"{server.kind} is ready, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

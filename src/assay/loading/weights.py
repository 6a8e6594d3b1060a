"""Local weights before they are loaded: whether all that is needed is there, and what they are."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from assay.errors import UsageError
from assay.loading.files import read_json, unreadable

INSTALL = "pip install 'assay[hf]' (on a machine without a GPU, pip install torch==2.13.0 before it)"

_WEIGHTS = ("*.safetensors", "*.bin")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")
_WHOLE = 1 << 26
_BLOCK = 1 << 20


def check_weights(name: str, folder: Path, adapter: Path | None) -> str:
    """The fingerprint of a folder of weights and of the adapter over them: 16 hex digits.

    Raises UsageError where a package, the folder or a file in it is missing.
    """
    needed = ["torch", "transformers", *(["peft"] if adapter is not None else [])]
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        raise UsageError(f"{name} needs {' and '.join(missing)}", fix=INSTALL)
    _check_folder(folder, "config.json", "a model saved by save_pretrained")
    if not any((folder / each).is_file() for each in _TOKENIZER):
        raise UsageError(f"{folder}: no tokenizer", fix="save the tokenizer beside the weights")
    hashed = hashlib.sha256()
    _take(hashed, folder)
    if adapter is not None:
        _check_folder(adapter, "adapter_config.json", "an adapter saved by PEFT")
        hashed.update(b"adapter")
        _take(hashed, adapter)
    return hashed.hexdigest()[:16]


def _check_folder(folder: Path, wanted: str, what: str) -> None:
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(f"{folder}: is a file", fix=f"name the folder of {what}")
        raise unreadable(folder, FileNotFoundError())
    if not (folder / wanted).is_file():
        raise UsageError(f"{folder}: no {wanted}", fix=f"name the folder of {what}")
    read_json(folder / wanted)
    if not any(file for pattern in _WEIGHTS for file in folder.glob(pattern)):
        raise UsageError(f"{folder}: no weights", fix=f"name the folder of {what} (*.safetensors)")


def _take(hashed: hashlib._Hash, folder: Path) -> None:
    """Names, sizes and contents; of a file beyond 64 MiB its beginning, middle and end."""
    patterns = (*_WEIGHTS, "*.json", "*.jinja", "*.model", "*.txt")
    for path in sorted(file for pattern in patterns for file in folder.glob(pattern)):
        size = path.stat().st_size
        hashed.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            if size <= _WHOLE:
                hashed.update(file.read())
                continue
            for start in (0, size // 2, size - _BLOCK):
                file.seek(start)
                hashed.update(file.read(_BLOCK))

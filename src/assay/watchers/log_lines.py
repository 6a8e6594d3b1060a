"""Files of JSON lines: dated, rotated by size, readable by their owner alone, without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import time
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from assay.keys import JSON

MOST_BYTES = 64 * 1024 * 1024
"""A file longer than this is put aside under a number, and a new one is begun."""

MOST_TRACE = 8 * 1024
"""Characters of a traceback that are kept: its end."""

REDACTED = "[redacted]"
SHORTEST_SECRET = 8

_SHAPES = re.compile(
    r"\b(?:sk|rk|pk|gsk|hf|whsec)[-_][A-Za-z0-9_\-+/=]{12,}"
    r"|\bBearer [A-Za-z0-9._~+/=-]{8,}"
    r"|\bv1,[A-Za-z0-9+/]{40,}=*"
)
"""What keys and signatures look like, whoever's they are."""

_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that JSON lets stand and that move, hide or part what a reader sees."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class LogFolder:
    """Writes lines into files of one folder, each line at once: a kill loses none that was written.

    `secrets` never appear. What a full disk does not take is lost and counted in `lost`: a log must
    not end a run.
    """

    def __init__(self, folder: Path, secrets: Iterable[str] = (), most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._secrets = sorted({_encoded(s) for s in secrets if len(s) >= SHORTEST_SECRET}, key=len)[::-1]
        self._most = most_bytes
        self._files: dict[str, tuple[str, int]] = {}
        self.lost = 0

    def write(self, name: str, ending: str, line: dict[str, JSON]) -> None:
        """Appends one object to `NAME_YYYYMMDD.ENDING`."""
        raw = self._line(line).encode("utf-8", "replace")
        try:
            descriptor = self._opened(name, ending)
            if os.fstat(descriptor).st_size + len(raw) > self._most:
                descriptor = self._next(name, ending)
            self.lost += os.write(descriptor, raw) < len(raw)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        for _, descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _line(self, line: dict[str, JSON]) -> str:
        stamped = {"ts": _now(), "mono_ns": time.monotonic_ns(), **line}
        try:
            text = _ENCODER.encode(stamped).decode()
        except (UnicodeEncodeError, OverflowError):  # a lone surrogate in a hostile reply
            text = json.dumps(msgspec.to_builtins(stamped), default=str)
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        text = _SHAPES.sub(REDACTED, text)
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"

    def _opened(self, name: str, ending: str) -> int:
        path = f"{name}_{time.strftime('%Y%m%d', time.gmtime())}.{ending}"
        held = self._files.get(name)
        if held is not None and held[0] == path:
            return held[1]
        if held is not None:
            del self._files[name]  # first: what is closed twice may be another file by then
            os.close(held[1])
        if not self._files:
            self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._folder / path, flags, 0o600)
        self._files[name] = path, descriptor
        return descriptor

    def _next(self, name: str, ending: str) -> int:
        """Puts the file aside as `NAME_YYYYMMDD_N.ENDING` and begins it anew."""
        path, descriptor = self._files.pop(name)
        os.close(descriptor)
        stem, number = path.removesuffix(f".{ending}"), 1
        while (aside := self._folder / f"{stem}_{number}.{ending}").exists():
            number += 1
        if (self._folder / path).exists():
            (self._folder / path).rename(aside)
        return self._opened(name, ending)


class LogHandler(logging.Handler):
    """Puts the program's own log records into the app log, and errors into the error log too."""

    def __init__(self, folder: LogFolder, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._to = folder

    def emit(self, record: logging.LogRecord) -> None:
        line = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info is not None and record.exc_info[1] is not None:
            line["error"] = repr(record.exc_info[1])
            line["trace"] = "".join(traceback.format_exception(record.exc_info[1]))[-MOST_TRACE:]
        self._to.write("app", "log", line)
        if record.levelno >= logging.ERROR:
            self._to.write("error", "log", line)


def _encoded(secret: str) -> str:
    """The secret as it stands inside a JSON text."""
    return msgspec.json.encode(secret).decode()[1:-1]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

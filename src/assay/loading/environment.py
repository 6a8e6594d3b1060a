"""The environment: variables, over those of a `.env` file beside the person."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from assay.errors import UsageError


class Environment:
    """Named settings and secrets. A secret is asked for by the host that it is bound to."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in values.items() if value}

    @property
    def values(self) -> Mapping[str, str]:
        """All of them, for another process of the same run."""
        return self._values

    def get(self, name: str, default: str | None = None) -> str | None:
        return self._values.get(name, default)

    def secret(self, name: str, of: str) -> str:
        """The secret in variable `name`; a missing one is an error that says whose it is."""
        if name not in self._values:
            raise UsageError(f"{of} needs a key in {name}", fix=f"export {name}=... or put it into .env")
        return self._values[name]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no log may show."""
        return tuple(v for name, v in self._values.items() if name.endswith(("KEY", "SECRET", "TOKEN")))


def read_environment(folder: Path | None = None) -> Environment:
    """The process's variables over those of `.env` in `folder` (default: the working folder)."""
    from dotenv import dotenv_values

    path = (folder or Path()) / ".env"
    found = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return Environment({**{k: v for k, v in found.items() if v is not None}, **os.environ})

"""One service at a time on a store: two would play, pay and cancel each other's batches."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from assay.errors import UsageError


class Alone:
    """A store that is served by this process until `close`; a kill lets go of it too."""

    def __init__(self, store: Path) -> None:
        """Raises UsageError where a service has it already."""
        path = store.with_name(f"{store.name}.served")
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise UsageError(
                f"another service serves {store}", fix="end it first, or name another --store"
            ) from None

    def close(self) -> None:
        """Lets the next service in."""
        os.close(self._lock)

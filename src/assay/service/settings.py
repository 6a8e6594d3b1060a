"""What one service is started with."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from msgspec import Struct

from assay.errors import UsageError
from assay.loading.environment import Environment
from assay.plan import Plan
from assay.watchers.log_files import Content

QUEUE = 100
"""Batches that may wait; one more is refused with 429."""


class Settings(Struct, frozen=True, kw_only=True):
    """`plan` is what every batch is played by, but for its scenarios. `origins` are those of the web
    pages that may call the service; with `debug` the log holds more.
    """

    plan: Plan
    environment: Environment
    store: Path
    results: Path
    logs: Path
    host: str = "127.0.0.1"
    port: int = 5000
    origins: tuple[str, ...] = ()
    debug: bool = False
    content: Content = "full"
    queue: int = QUEUE

    def __post_init__(self) -> None:
        """Raises UsageError for an address that others could reach: nothing here asks who is calling."""
        if not _is_loopback(self.host):
            raise UsageError(
                f"{self.host} can be reached by others, and this service has no tokens yet",
                fix="serve on HOST=127.0.0.1, and put a proxy that asks for a password in front of it",
            )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

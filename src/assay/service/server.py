"""The server around the application: its socket, its signals, its log."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from assay.errors import UsageError
from assay.loading.bind import bound
from assay.loading.tasks import find_task
from assay.service.app import app
from assay.service.desk import Desk
from assay.service.front_door import FrontDoor
from assay.service.prepared import prepare_forms
from assay.service.settings import Settings
from assay.service.worker import GRACE_SECONDS
from assay.watchers.log_lines import LogFolder, LogHandler


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: they would end the process by the signal."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, ready: Callable[[str, str | None], None]) -> None:
    """Serves until SIGTERM or Ctrl-C. `ready` is told the address, and why no batch could be played
    where that can be seen already. What is in play is left to the next start.

    Raises UsageError where the address is taken or the service's own plan is at fault.
    """
    listener = _bound(settings.host, settings.port)
    desk, hindrance = Desk(settings), await _hindrance(settings)
    prepare_forms()  # after all that loads them, and before there are threads that use them
    config = uvicorn.Config(
        FrontDoor(app(settings, desk), settings.host, settings.origins),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=int(GRACE_SECONDS),
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    with _logged(settings), listener:
        serving = asyncio.create_task(server.serve([listener]))
        starting = asyncio.create_task(server.up.wait())
        await asyncio.wait({serving, starting}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if server.started:
            port = listener.getsockname()[1]
            ready(f"http://{_bracketed(settings.host)}:{port}", hindrance)
        await serving
    if not server.started:
        raise UsageError("the service could not start", fix="see its log")


async def _hindrance(settings: Settings) -> str | None:
    """What every batch would fail of: a model that has no key, or a name that nobody knows. No server
    is asked.
    """
    if find_task(settings.plan.task).form.cases is None:
        return None
    try:
        async with bound(settings.plan, settings.environment, checked=False):
            return None
    except UsageError as error:
        return f"{error.problem}; {error.fix}"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"{host}:{port} cannot be served: {error.strerror}", fix="choose another PORT, or end who has it"
        ) from None
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def _logged(settings: Settings) -> Iterator[None]:
    """The program's own log goes into the app log while the service is there."""
    folder = LogFolder(settings.logs, settings.environment.secrets)
    handler = LogHandler(folder, logging.DEBUG if settings.debug else logging.INFO)
    loggers = [logging.getLogger(name) for name in ("assay", "uvicorn.error")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(handler.level)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        folder.close()

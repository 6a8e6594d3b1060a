"""An emulator as a process of its own: it announces its address and serves until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from assay.emulator.proxy import Proxy
from assay.emulator.server import Emulator


async def serve(emulator: Emulator, announce: Callable[[str], None]) -> None:
    """Starts the emulator, tells its base URL, and stops it cleanly on SIGTERM, SIGINT or cancellation."""
    async with _told() as told:
        try:
            announce(await emulator.start())
            await told.wait()
        finally:
            await emulator.stop()


async def serve_proxy(proxy: Proxy, pages: Emulator, announce: Callable[[str, str], None]) -> None:
    """The same with a proxy, and an emulator whose pages command it; tells the address of both."""
    async with _told() as told, proxy:
        try:
            await pages.start()
            announce(proxy.root, pages.root)
            await told.wait()
        finally:
            await pages.stop()


@asynccontextmanager
async def _told() -> AsyncIterator[asyncio.Event]:
    """An event that is set by SIGTERM or SIGINT."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for each in signals:
        loop.add_signal_handler(each, told.set)
    try:
        yield told
    finally:
        for each in signals:
            loop.remove_signal_handler(each)

"""An emulator as a process of its own: it announces its address and serves until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from assay.emulator.server import Emulator


async def serve(emulator: Emulator, announce: Callable[[str], None]) -> None:
    """Starts the emulator, tells its base URL, and stops it cleanly on SIGTERM, SIGINT or cancellation."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for each in signals:
        loop.add_signal_handler(each, told.set)
    try:
        announce(await emulator.start())
        await told.wait()
    finally:
        await emulator.stop()
        for each in signals:
            loop.remove_signal_handler(each)

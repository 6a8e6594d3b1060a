"""The turn of a call that has to wait: it comes, or it is withdrawn and leaves no trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from assay.errors import Stopped
from assay.ports import Stop

Turn = asyncio.Future[None]

_DAY = 86_400.0


async def granted(turn: Turn, stop: Stop, withdrawn: Callable[[bool], None]) -> None:
    """Returns when the turn has come; raises what it was refused with, and Stopped if the run stops.

    In every other case than the first `withdrawn` is called: with True where the turn had come
    before its call could take it (it was cancelled meanwhile), so that it goes to the next one.
    """
    told = asyncio.create_task(stop.wait(_DAY))
    try:
        while not turn.done():
            both: set[asyncio.Future[None] | asyncio.Future[bool]] = {turn, told}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if stop.reason is not None:
                raise Stopped(stop.reason)  # noqa: TRY301  withdrawn as any other end
            if told.done():
                told = asyncio.create_task(stop.wait(_DAY))
        turn.result()
    except BaseException:
        had_come = turn.done() and not turn.cancelled() and turn.exception() is None
        turn.cancel()
        withdrawn(had_come)
        raise
    finally:
        told.cancel()

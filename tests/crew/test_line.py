"""Messages between processes: whole, in order, whatever pieces the socket brings them in."""

import asyncio
import socket

import pytest

from assay.crew.line import Line


class End:
    def __init__(self, fails_at=None):
        self.heard, self.fails_at = [], fails_at
        self.over = asyncio.get_running_loop().create_future()
        self.line = Line(bytes, self.hear, self.over.set_result)

    def hear(self, message):
        if message == self.fails_at:
            raise ZeroDivisionError
        self.heard.append(message)


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "little") + message


async def pair(**settings):
    ours, theirs = socket.socketpair()
    left, right = End(**settings), End()
    await left.line.open(ours)
    await right.line.open(theirs)
    return left, right


async def test_messages_of_all_sizes_come_whole_and_in_order():
    left, right = await pair()
    sent = [bytes([n]) * size for n, size in enumerate([0, 1, 100, 300_000, 5, 2_000_000, 7])]
    for message in sent:
        right.line.say(framed(message))
        await right.line.room()
    right.line.close()
    assert await left.over is None
    assert left.heard == sent


async def test_a_frame_may_come_byte_by_byte():
    ours, theirs = socket.socketpair()
    left = End()
    await left.line.open(ours)
    for byte in framed(b"slow") + framed(b"") + framed(b"last"):
        theirs.send(bytes([byte]))
        await asyncio.sleep(0)
    theirs.close()
    assert await left.over is None
    assert left.heard == [b"slow", b"", b"last"]


async def test_a_sender_waits_while_the_other_end_does_not_read():
    ours, theirs = socket.socketpair()
    left = End()
    await left.line.open(ours)
    left.line.say(framed(b"x" * 4_000_000))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await left.line.room()
    theirs.close()
    await left.line.room()
    await left.over
    left.line.say(framed(b"lost"))
    left.line.close()


async def test_an_error_of_the_listener_ends_the_line_and_is_told():
    left, right = await pair(fails_at=b"bad")
    for message in (b"good", b"bad", b"never"):
        right.line.say(framed(message))
    assert isinstance(await left.over, ZeroDivisionError)
    assert left.heard == [b"good"]
    await right.over

"""What the deviations share: finding and changing pieces of a ready reply, whatever its wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import structs

from assay.emulator.delivery import Delivery, Mark, Ready, Send, plain, streamed
from assay.keys import JSON

Params = Mapping[str, str]
Act = Callable[[Ready, Params], Delivery]
Change = Callable[[bytes], bytes]

MIB = 1 << 20
_TEXTS = (b'"content":"', b'"text":"', b'"arguments":"', b'"partial_json":"')


def later(send: Send, seconds: float) -> Send:
    """The send, so many seconds later."""
    return structs.replace(send, at=send.at + seconds)


def without(ready: Ready, marks: Mark) -> list[Send]:
    """The events of the streamed reply but for those that carry one of these marks."""
    return [send for send in ready.timeline() if not send.mark & marks]


def each(ready: Ready, change: Change) -> list[Send]:
    """The events of the streamed reply, every one changed."""
    return [structs.replace(send, data=change(send.data)) for send in ready.timeline()]


def first_token(ready: Ready) -> bytes:
    """The first event that carries a token; the one that ends the answer where none does."""
    parts = ready.stream()
    return (*parts.tokens, *parts.finish)[0]


def changed_token(ready: Ready, change: Change) -> list[Send]:
    """The events with that first one changed."""
    line = ready.timeline()
    for place, send in enumerate(line):
        if send.mark & (Mark.TOKEN | Mark.FINISH):
            line[place] = structs.replace(send, data=change(send.data))
            break
    return line


def changed_answer(ready: Ready, change: Change) -> Delivery:
    """The reply with the bytes that carry its text changed: the body, or the first token's event."""
    if ready.heard.stream:
        return streamed(ready, changed_token(ready, change))
    return plain(200, change(ready.body()), at=ready.due_whole, mark=Mark.TOKEN)


def in_text(data: bytes, junk: bytes) -> bytes:
    """The data with junk at the beginning of its answer's text, or of its last string."""
    for opening in _TEXTS:
        before, found, after = data.rpartition(opening)
        if found:
            return before + found + junk + after
    before, colon, after = data.rpartition(b':"')
    return before + colon + junk + after if colon else data + junk


def in_object(data: bytes, member: bytes) -> bytes:
    """The data with one more member at the beginning of its first JSON object."""
    before, brace, after = data.partition(b"{")
    return before + brace + member + b"," + after


def edited(event: bytes, change: Callable[[JSON], None]) -> bytes:
    """The event (or the body) with its JSON object changed in place; without one, as it is."""
    start, end = event.find(b"{"), event.rfind(b"}")
    if start < 0 or end < start:
        return event
    value: JSON = msgspec.json.decode(event[start : end + 1])
    change(value)
    return event[:start] + msgspec.json.encode(value) + event[end + 1 :]

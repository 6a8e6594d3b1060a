"""Signs that a conversation goes nowhere: good-byes without end, the same lines again."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from assay.agenda import Phrases

Side = Literal["agent", "client"]
MAX_READ = 2000
"""Characters of a line that the guards read."""
REPEATS = 3
"""The same line, or the same pair of lines, so many times running is a loop."""
FAREWELL_WORDS = 15
"""A longer line says more than good-bye."""


class Spoken(Struct, frozen=True):
    """A delivered line; `worked` says whether the agent called a tool before it, `tools` which."""

    side: Side
    text: str
    worked: bool = False
    tools: tuple[str, ...] = ()


def normalised(text: str) -> str:
    """A line without case, punctuation and spacing: what repetition is judged by."""
    return " ".join(re.findall(r"\w+", text[:MAX_READ].casefold()))


def only_farewell(line: Spoken, words: Phrases) -> bool:
    """Whether a line is thanks or good-bye and nothing else: no question, no number, no tool call."""
    text = line.text[:MAX_READ]
    if line.worked or "?" in text or any(char.isdigit() for char in text):
        return False
    polite = words.is_farewell.search(text) or words.is_thanks.search(text)
    return bool(polite) and len(text.split()) <= FAREWELL_WORDS


def farewell_loop(lines: Sequence[Spoken], words: Phrases) -> Side | None:
    """The side that began two consecutive exchanges, four lines by turns, that are all good-byes."""
    last = lines[-4:]
    turns = all(a.side != b.side for a, b in itertools.pairwise(last))
    if len(last) < 4 or not turns or not all(only_farewell(line, words) for line in last):
        return None
    return last[0].side


def repetition_loop(lines: Sequence[Spoken], words: Phrases) -> Side | None:
    """The side that repeats itself: one line three times running, or one pair three times.

    A bare "yes" to three questions is no loop; the pair is charged to the side that began it.
    """
    if not lines:
        return None
    side = lines[-1].side
    own = [line.text for line in lines if line.side == side][-REPEATS:]
    said = {normalised(text) for text in own}
    if len(own) == REPEATS and len(said) == 1 and not words.affirms.search(own[-1]):
        return side
    pairs = [(line.side, normalised(line.text)) for line in lines[-2 * REPEATS :]]
    if len(pairs) == 2 * REPEATS and pairs[0][0] != pairs[1][0] and pairs == pairs[:2] * REPEATS:
        return pairs[0][0]
    return None


def asked_and_affirmed(lines: Sequence[Spoken], words: Phrases) -> bool:
    """Whether the last line, the client's, says yes to a question of the agent just before it."""
    if len(lines) < 2 or lines[-1].side != "client" or lines[-2].side != "agent":
        return False
    question = lines[-2].text[:MAX_READ]
    asked = words.asks_confirm.search(question) is not None
    return asked and words.affirms.search(lines[-1].text[:MAX_READ]) is not None

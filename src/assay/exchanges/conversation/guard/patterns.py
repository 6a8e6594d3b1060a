"""The guard's patterns: read from patterns.txt once, compiled where they are first used."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_HEAD = re.compile(r"\[([a-z_.]+)\]\Z")
_NAMED = re.compile(r"<([A-Z_]+)>")
_DEFINED = re.compile(r"<([A-Z_]+)> = (.*)\Z")


@lru_cache(maxsize=1)
def _sections() -> dict[str, tuple[str, ...]]:
    definitions: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in Path(__file__).with_name("patterns.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("# "):
            continue
        head, defined = _HEAD.match(line), _DEFINED.match(line)
        if head is not None:
            lines = sections.setdefault(head[1], [])
        elif defined is not None:
            value = _NAMED.sub(lambda name: f"(?:{definitions[name[1]]})", defined[2])
            definitions[defined[1]] = value
        else:
            lines.append(_NAMED.sub(lambda name: f"(?:{definitions[name[1]]})", line))
    return {name: tuple(lines) for name, lines in sections.items()}


@lru_cache(maxsize=128)
def one(section: str) -> re.Pattern[str]:
    """A section as one pattern: any of its lines."""
    lines = _sections()[section]
    return re.compile(lines[0] if len(lines) == 1 else "|".join(f"(?:{line})" for line in lines))


@lru_cache(maxsize=128)
def each(section: str) -> tuple[re.Pattern[str], ...]:
    """A section's lines as patterns of their own, to count how many of them are found."""
    return tuple(re.compile(line) for line in _sections()[section])


def topics() -> list[str]:
    """What a question can ask for."""
    return [name.removeprefix("topic.") for name in _sections() if name.startswith("topic.")]


@lru_cache(maxsize=16)
def word_list(section: str) -> tuple[str, ...]:
    """A section that holds words, in order."""
    return tuple(word for line in _sections()[section] for word in line.split())


@lru_cache(maxsize=16)
def word_set(section: str) -> frozenset[str]:
    """The same to look words up in."""
    return frozenset(word_list(section))

"""The guard's patterns: read from patterns.txt once, compiled where they are first used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_HEAD = re.compile(r"\[([a-z_.]+)\]\Z")
_NAMED = re.compile(r"<([A-Z_]+)>")
_DEFINED = re.compile(r"<([A-Z_]+)> = (.*)\Z")


_WORD = r"\b"
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]|[()|]", re.DOTALL)  # a set is one token


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
    return re.compile(_joined(_sections()[section]))


def _joined(lines: tuple[str, ...]) -> str:
    """Lines as alternatives, those that begin with a word together: within a word none of them is tried."""
    parts = [part for line in lines for part in alternatives(line)]
    words = [f"(?:{part.removeprefix(_WORD)})" for part in parts if part.startswith(_WORD)]
    others = [f"(?:{part})" for part in parts if not part.startswith(_WORD)]
    return "|".join([*([f"{_WORD}(?:{'|'.join(words)})"] if words else ()), *others])


def alternatives(pattern: str) -> Iterator[str]:
    """What stands between those bars of a pattern that are in no group and no set."""
    depth, start = 0, 0
    for token in _TOKEN.finditer(pattern):
        if token[0] in "()":
            depth += 1 if token[0] == "(" else -1
        elif token[0] == "|" and not depth:
            yield pattern[start : token.start()]
            start = token.end()
    yield pattern[start:]


@lru_cache(maxsize=128)
def each(section: str) -> tuple[re.Pattern[str], ...]:
    """A section's lines as patterns of their own, to count how many of them are found."""
    return tuple(re.compile(line) for line in _sections()[section])


@lru_cache(maxsize=1)
def topics() -> tuple[str, ...]:
    """What a question can ask for."""
    return tuple(name.removeprefix("topic.") for name in _sections() if name.startswith("topic."))


@lru_cache(maxsize=16)
def word_list(section: str) -> tuple[str, ...]:
    """A section that holds words, in order."""
    return tuple(word for line in _sections()[section] for word in line.split())


@lru_cache(maxsize=16)
def word_set(section: str) -> frozenset[str]:
    """The same to look words up in."""
    return frozenset(word_list(section))

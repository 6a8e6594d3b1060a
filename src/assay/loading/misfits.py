"""Why a value from a file is not of the form that was wanted: the place, and the name that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec
from msgspec import Struct


class Misfit(Struct, frozen=True):
    """What does not fit, and where: `keys` lead there from the value's root.

    `unknown` is the name of a field that the form does not have; `known` are those that it has.
    """

    keys: tuple[str | int, ...]
    problem: str
    unknown: str | None = None
    known: tuple[str, ...] = ()

    @property
    def fix(self) -> str | None:
        """The remedy, where the name that was meant can be told."""
        return None if self.unknown is None else did_you_mean(self.unknown, self.known)


def misfit(bad: msgspec.ValidationError, into: object) -> Misfit:
    """What msgspec's own message says, taken apart. `into` is the type that was wanted."""
    problem, _, pointer = str(bad).partition(" - at `")
    if pointer.startswith("key` in `"):
        return Misfit(_keys(pointer.removeprefix("key` in `").rstrip("`")), "a name in it is no text")
    keys = _keys(pointer.rstrip("`"))
    unknown = problem.partition("unknown field `")[2].rstrip("`") or None
    if unknown is None:
        return Misfit(keys, problem)
    known = tuple(name for form in _reached(into, keys) for name in form.__struct_encode_fields__)
    return Misfit((*keys, unknown), f"unknown field {unknown!r}", unknown, known)


def dotted(keys: Sequence[str | int]) -> str:
    """A place for people: `client.known[0].text`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def pointer(keys: Sequence[str | int]) -> str:
    """A place for programs: the JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The remedy for an unknown word: the near one, or all that are known."""
    words = sorted(known)
    near = meant(word, words)
    return f"did you mean {near}?" if near else f"known: {', '.join(words)}"


def _keys(pointer: str) -> tuple[str | int, ...]:
    """The steps of msgspec's own pointer (`$.client.known[0]`); `[...]` is some value of a mapping."""
    parts = (part for part in pointer.replace("[", ".[").split(".") if part and part != "$")
    return tuple(int(part[1:-1]) if part[1:-1].isdecimal() else part for part in parts)


def _reached(into: object, keys: Sequence[str | int]) -> list[type[Struct]]:
    """The structs that `keys` lead to, as far as types tell."""
    for key in keys:
        if isinstance(key, str):
            fields = [field for form in _structs(into) for field in msgspec.structs.fields(form)]
            into = next((field.type for field in fields if field.encode_name == key), into)
    return _structs(into)


def _structs(kind: object) -> list[type[Struct]]:
    """The structs that a type is made of: itself, or the members of a union, tuple or mapping."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return [kind]
    return [found for part in get_args(kind) for found in _structs(part)]

"""The forms that values are read into, made ready while there is one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec
from msgspec import Struct


def prepare_forms() -> None:
    """Has msgspec look at every form of this package that is loaded by now.

    It does so at a form's first use, and two threads that use one first at the same time crash the
    process (msgspec 0.22): two posts at once did.
    """
    for form in set(_below(Struct)):
        if form.__module__.partition(".")[0] == "assay":
            with suppress(TypeError):  # a form that nothing is read into
                msgspec.json.Decoder(form)


def _below(form: type[Struct]) -> Iterator[type[Struct]]:
    for each in form.__subclasses__():
        yield each
        yield from _below(each)

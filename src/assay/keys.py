"""Identity: canonical bytes of a specification, their digest, and the random streams drawn from it."""

from __future__ import annotations

import hashlib
import json
import math
import random
import uuid
from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""Any JSON value: None, bool, int, float, str, list or dict with text keys."""

SEED_MASK = (1 << 53) - 1
"""Seeds are below 2^53, so that every provider and JSON reader keeps them exact."""


def plain_text(value: JSON) -> str:
    """A JSON value as people and models read it, keys sorted."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def canonical(value: JSON) -> bytes:
    """The length-prefixed UTF-8 form of a JSON value: equal values, equal bytes.

    Object keys are sorted; an integral float equals the integer (0.0 is 0), since files and
    flags spell one setting either way; a boolean equals no number; tuples are lists.
    Raises TypeError for a value that is not JSON and ValueError for NaN and infinities.
    """
    parts: list[bytes] = []
    _add(value, parts)
    return b"".join(parts)


def _add(value: JSON, parts: list[bytes]) -> None:
    if type(value) is int:  # the two commonest first: every planned trial is named by some of them
        parts.append(b"i%d;" % value)
    elif isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        parts.append(b"s%d:%b" % (len(raw), raw))
    elif isinstance(value, (list, tuple)):
        parts.append(b"l%d:" % len(value))
        for item in value:
            _add(item, parts)
    elif isinstance(value, dict):
        parts.append(b"d%d:" % len(value))
        for key in sorted(value):
            _add(_text_key(key), parts)
            _add(value[key], parts)
    else:
        parts.append(_scalar(value))


def _text_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"an object key must be text, not {type(key).__name__}")
    return key


def _scalar(value: JSON) -> bytes:
    if value is None:
        return b"n;"
    if isinstance(value, bool):
        return b"b1;" if value else b"b0;"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("NaN and infinities have no canonical form")
        return b"i%d;" % int(value) if value.is_integer() else b"f" + repr(value).encode() + b";"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def digest(value: JSON, length: int = 32) -> str:
    """The first `length` hex digits of SHA-256 over the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()[:length]


def trial_seed(run_seed: int, identity: JSON, repeat: int) -> int:
    """The seed of a trial: 53 bits of SHA-256 over version, run seed, SEED or case id, repeat."""
    raw = hashlib.sha256(canonical(["v1", run_seed, identity, repeat])).digest()
    return int.from_bytes(raw[:8], "big") & SEED_MASK


def random_stream(seed: int, *name: JSON) -> random.Random:
    """An independent random stream for a named purpose ("client.llm", "tool.faults", ...)."""
    raw = hashlib.sha256(canonical([seed, *name])).digest()
    return random.Random(int.from_bytes(raw, "big"))


def unit(*what: JSON) -> float:
    """A number in [0, 1) that depends on `what` alone: a draw that no arrival order can change."""
    raw = hashlib.sha256(canonical(list(what))).digest()
    return int.from_bytes(raw[:7], "big") / (1 << 56)


def trial_id(run: str, trial: str) -> str:
    """What names a trial beside those of other runs, as `assay show` takes it: the play key alone is the
    same wherever the same is played.
    """
    return f"{run}/{trial}"


def run_uuid(run: str) -> str:
    """The UUID that stands beside a run's id: version 5, so that either leads to the other."""
    return str(uuid.uuid5(_RUNS, run))


_RUNS = uuid.UUID("5ad5ba34-3f0b-5b0e-8f6d-6a4ed2b1f6f1")

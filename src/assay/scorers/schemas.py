"""Compiled JSON Schemas: formats asserted, no reference fetched, patterns in bounded time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from assay.keys import JSON

if TYPE_CHECKING:
    from jsonschema_rs import Validator

MAX_ERRORS = 20
"""Errors that are described; more are counted, up to MAX_COUNTED."""
MAX_COUNTED = 1000
MAX_MESSAGE = 300
MAX_SCHEMAS = 256
"""Compiled schemas that one scorer keeps."""
BACKTRACKS = 10_000
"""Steps that a pattern with look-around may take before it counts as not matched."""


class SchemaError(Struct, frozen=True):
    """One way in which a value misses its schema."""

    pointer: str
    keyword: str
    message: str

    def __str__(self) -> str:
        return f"{self.keyword} at {self.pointer or 'the root'}: {self.message}"


class Verdict(Struct, frozen=True):
    """Every way in which a value misses its schema: the first ones described, all counted."""

    count: int
    errors: tuple[SchemaError, ...]


SchemaCheck = Callable[[JSON, JSON], Verdict]
"""From a schema and a value; raises ValueError (one line) for a broken schema."""


def schema_checker() -> SchemaCheck:
    """A check that keeps the schemas it has compiled."""
    compiled = lru_cache(maxsize=MAX_SCHEMAS)(lambda raw: _compile(msgspec.json.decode(raw)))

    def check(schema: JSON, value: JSON) -> Verdict:
        try:
            validator = compiled(msgspec.json.encode(schema))
        except ValueError as error:
            raise ValueError(_line(str(error))) from None
        errors = list(islice(validator.iter_errors(value), MAX_COUNTED))
        described = (
            SchemaError(_pointer(e.instance_path), e.kind.name, _line(e.message)) for e in errors[:MAX_ERRORS]
        )
        return Verdict(len(errors), tuple(described))

    return check


def _compile(schema: JSON) -> Validator:
    """Draft 2020-12 unless `$schema` says otherwise; patterns in bounded time.

    They run on a linear-time engine; those
    that need look-around on one that gives up after BACKTRACKS steps.
    """
    import jsonschema_rs  # loaded only where a schema is checked

    if not isinstance(schema, (dict, bool)):
        raise ValueError("a schema is an object or a boolean")  # noqa: TRY004  callers catch one class
    try:
        return jsonschema_rs.validator_for(
            schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ValidationError as error:
        if error.kind.name != "format":
            raise
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS),
    )


def _pointer(path: list[str | int]) -> str:
    whole = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return whole[:MAX_MESSAGE]


def _line(message: str) -> str:
    return message.partition("\n")[0][:MAX_MESSAGE]

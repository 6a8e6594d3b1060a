"""A tool of a world: what a model is told of it, how its arguments are read, what carries it out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import jsonschema_rs
import msgspec

from assay.errors import UsageError
from assay.keys import JSON
from assay.message import ToolSpec

Effect = Literal["read", "write"]
Code = Literal[
    "NOT_FOUND",
    "INVALID_ARGUMENT",
    "OUT_OF_STOCK",
    "SLOT_FULL",
    "SLOT_CUTOFF",
    "EMPTY_CART",
    "DUPLICATE",
    "UNAUTHORISED",
    "TIMEOUT",
    "UNAVAILABLE",
    "UNKNOWN_TOOL",
]
Function = Callable[..., JSON]
"""Carries a tool out: `function(overlay, **arguments) -> JSON`, an error by `refused(...)`."""
Requirement = Callable[..., JSON]
"""What a tool needs: `requirement(overlay, arguments)` gives the error where it is lacking, else None."""

MAX_ARGUMENTS = 32 * 1024
"""Bytes of argument text that are read."""
MAX_DEPTH = 32
"""Levels of nesting that are read."""
MAX_MESSAGE = 300
"""Characters of an error's message."""


def refused(code: Code, message: str) -> JSON:
    """An error as the value that a tool answers with."""
    return {"error": {"code": code, "message": message[:MAX_MESSAGE]}}


def error_code(value: JSON) -> str | None:
    """The code of a tool's answer that is an error; None for any other answer."""
    error = value.get("error") if isinstance(value, Mapping) else None
    return str(error.get("code")) if isinstance(error, Mapping) else None


class Tool:
    """One tool. `descriptions` by language; `parameters` a JSON Schema of an object.

    Objects are closed unless the schema says otherwise: an argument that no one declared is an
    error, not something silently dropped. `requires` is asked before the function; a call that
    repeats the argument `idempotent_by` gets the first one's answer; `takes` is in seconds of the
    world's clock. `canned` are the answers
    of a tool that has no function of its own.
    """

    __slots__ = (
        "_validator",
        "canned",
        "descriptions",
        "effect",
        "function",
        "idempotent_by",
        "name",
        "parameters",
        "requires",
        "takes",
    )

    def __init__(
        self,
        name: str,
        function: Function,
        *,
        effect: Effect,
        descriptions: Mapping[str, str],
        parameters: JSON,
        requires: Sequence[Requirement] = (),
        idempotent_by: str | None = None,
        takes: float = 0.0,
        canned: JSON = None,
    ) -> None:
        """Raises UsageError where schema and function do not fit."""
        self.name = name
        self.requires = tuple(requires)
        self.idempotent_by = idempotent_by
        self.takes = takes
        self.canned = canned
        self.function = function
        self.effect: Effect = effect
        self.descriptions = dict(descriptions)
        self.parameters: JSON = {"type": "object", "additionalProperties": False, **parameters}
        try:
            self._validator = jsonschema_rs.validator_for(self.parameters)
        except ValueError as error:
            raise UsageError(
                f"tool {name}: its parameters are no JSON Schema: {error}",
                fix="mend the schema under `parameters`",
            ) from error
        self._check_signature()
        if idempotent_by is not None and idempotent_by not in self.parameters.get("properties", {}):
            raise UsageError(
                f"tool {name}: idempotent_by names {idempotent_by!r}, which is no argument of it",
                fix="declare it under `parameters`",
            )

    @property
    def declared(self) -> JSON:
        """What enters the fingerprint of its world."""
        rules = [self.idempotent_by, self.takes, self.canned]
        return [self.name, self.effect, self.descriptions, self.parameters, rules]

    def _check_signature(self) -> None:
        signature = inspect.signature(self.function)
        arguments = dict.fromkeys(self.parameters.get("properties", {}))
        required = dict.fromkeys(self.parameters.get("required", ()))
        try:
            signature.bind(None, **arguments)
            signature.bind(None, **required)
        except TypeError as error:
            raise UsageError(
                f"tool {self.name}: its function does not take its parameters: {error}",
                fix="let function and schema name the same arguments, optional ones with a default",
            ) from error

    def spec(self, language: str) -> ToolSpec:
        """The tool as it is offered, in a language (English, else any, where it is not there)."""
        texts = self.descriptions
        text = texts.get(language) or texts.get("en") or next(iter(texts.values()), "")
        return ToolSpec(self.name, text, self.parameters)

    def read(self, text: str) -> dict[str, JSON] | str:
        """The arguments as the model wrote them, checked; or what is wrong with them."""
        if len(text.encode("utf-8", "surrogatepass")) > MAX_ARGUMENTS:
            return f"arguments are longer than {MAX_ARGUMENTS} bytes"
        if _deeper_than(text, MAX_DEPTH):
            return f"arguments are nested deeper than {MAX_DEPTH} levels"
        try:
            value = msgspec.json.decode(text or "{}")
        except (msgspec.DecodeError, UnicodeError) as error:
            return f"arguments are not JSON: {error}"
        if not isinstance(value, dict):
            return "arguments must be a JSON object"
        problem = next(iter(self._validator.iter_errors(value)), None)
        if problem is not None:
            path = "".join(f"/{part}" for part in problem.instance_path)
            return f"{path or '/'}: {problem.message}"
        return _spelt(value, self.parameters)  # type: ignore[no-any-return]  # an object stays one


def _deeper_than(text: str, limit: int) -> bool:
    """Whether brackets outside of strings nest deeper than `limit`."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth, quoted, escaped = 0, False, False
    for char in text:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            if depth > limit:
                return True
        elif char in "]}":
            depth -= 1
    return False


def _spelt(value: JSON, schema: JSON) -> JSON:
    """The value with integral numbers as int: 2.0 is 2 to every tool, whatever its schema's type."""
    if isinstance(value, dict):
        known = schema.get("properties", {}) if isinstance(schema, dict) else {}
        return {key: _spelt(item, known.get(key, {})) for key, item in value.items()}
    if isinstance(value, list):
        items = schema.get("items", {}) if isinstance(schema, dict) else {}
        return [_spelt(item, items) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value

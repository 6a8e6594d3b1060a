"""The one table of faults by name, how a fault is written, and the table for the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping

from assay.emulator.catalogue import rows
from assay.emulator.fault import TIMES, Chosen, Fault
from assay.errors import UsageError

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in rows()}
"""Every fault by its name."""

OK = Chosen(FAULTS["ok"])


def fault_named(text: str) -> Chosen:
    """The fault of `NAME[:k=v,k=v...]` (`;` parts as well as `,`). Raises UsageError."""
    name, _, rest = text.strip().partition(":")
    fault = FAULTS.get(name)
    if fault is None:
        raise UsageError(f"unknown fault {name[:40]!r}", fix=f"take one of {', '.join(FAULTS)}")
    values = dict(fault.parameters)
    for part in filter(None, rest.replace(";", ",").split(",")):
        key, _, value = part.partition("=")
        if key not in values and key != TIMES:
            known = ", ".join([*values, TIMES])
            raise UsageError(f"fault {name}: no parameter {key[:40]!r}", fix=f"it takes {known}")
        values[key] = _checked(name, key, value)
    return Chosen(fault, tuple(values.items()))


WORDS = {
    "form": ("s", "ms", "date", "bad", "reset", "none"),
    "kind": ("negative", "float", "text", "tenfold"),
    "reason": ("length", "content_filter", "unknown"),
}
"""The values of the parameters that are words."""

_TEXTS = ("host",)
_COUNTS = ("after", "times", "mb", "bps", "n")


def _checked(name: str, key: str, value: str) -> str:
    """The value, if its parameter can hold it."""
    if key in _TEXTS and value.replace(".", "").replace("-", "").isalnum():
        return value
    if key in WORDS and value in WORDS[key]:
        return value
    if key not in WORDS and key not in _TEXTS and _is_number(key, value):
        return value
    raise UsageError(f"fault {name}: {key}={value[:40]} cannot be", fix=f"see the table of faults for {key}")


def _is_number(key: str, value: str) -> bool:
    if key in _COUNTS:
        return value.isascii() and value.isdigit() and len(value) <= 9
    try:
        number = float(value)
    except ValueError:
        return False
    return 0 <= number <= 1e6 or (key == "ra" and math.isfinite(number))


def markdown() -> str:
    """The table for the documentation."""
    lines = [
        "| fault | group | what happens | parameters | to report | billed | detectable | meets |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for fault in FAULTS.values():
        parameters = ", ".join(f"{key}={value}" for key, value in fault.parameters)
        error = fault.error.value if fault.error is not None else "a reply"
        marks = " | ".join("yes" if flag else "no" for flag in (fault.billed, fault.detectable))
        cells = [f"`{fault.name}`", fault.group, fault.about, parameters, error, marks, fault.meets]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"

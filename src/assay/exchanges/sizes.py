"""How long texts usually are, for what a run will take: nothing here bounds or changes a play."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from assay.message import ToolSpec

LINE = (8.0, 40.0, 120.0)
"""Tokens of a spoken line or a tool call: a short one, a usual one, a long one."""
RESULT = (20.0, 150.0, 800.0)
"""Tokens of a tool's answer, likewise."""
CHARACTERS = (5.0, 4.0, 2.5)
"""Characters a token: many, usual, few (as in languages other than English)."""


def written(tools: Iterable[ToolSpec]) -> int:
    """Characters of the tools as they are sent."""
    return len(msgspec.json.encode(list(tools)))

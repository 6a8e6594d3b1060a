"""Users' own models, scorers and exchanges: `python:MODULE:FACTORY[?JSON settings]` in a plan.

A factory is called with the settings as keyword arguments and returns an object that satisfies the
port. A plan is its owner's code; nothing that a case or a model says ever comes here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from assay.errors import UsageError
from assay.keys import JSON

PREFIX = "python:"


def made(name: str, what: str, settings: Mapping[str, JSON] | None = None) -> JSON:
    """What the factory that `python:MODULE:FACTORY` names returns; the working folder is on the path."""
    module_name, _, factory_name = name.removeprefix(PREFIX).partition(":")
    if not module_name or not factory_name:
        raise UsageError(f"{name!r} names no {what}", fix="write python:MODULE:FACTORY")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as failure:
        raise UsageError(f"{name}: {failure}", fix="check the module's name and its folder") from None
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise UsageError(f"{name}: {module_name} has no {factory_name}", fix="check the factory's name")
    try:
        return factory(**(settings or {}))
    except TypeError as failure:
        raise UsageError(f"{name}: {failure}", fix="check the settings that the plan gives it") from None

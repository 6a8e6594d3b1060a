"""Users' own models, scorers and exchanges: `python:MODULE:FACTORY[?JSON settings]` in a plan.

A factory is called with the settings as keyword arguments and returns an object that satisfies the
port. A plan is its owner's code; nothing that a case or a model says ever comes here.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from assay.errors import UsageError
from assay.keys import JSON

PREFIX = "python:"


@contextmanager
def own_code(where: str) -> Iterator[None]:
    """What breaks while a user's module is loaded is told as the user's, with the line; --debug shows all."""
    try:
        yield
    except (ImportError, UsageError):
        raise
    except Exception as failure:  # a module may raise anything
        frames = traceback.extract_tb(failure.__traceback__)
        line = failure.lineno if isinstance(failure, SyntaxError) else frames[-1].lineno
        raise UsageError(
            f"{where}: {type(failure).__name__} on line {line}: {failure}", fix="mend it; --debug shows where"
        ) from failure


def made(name: str, what: str, settings: Mapping[str, JSON] | None = None) -> JSON:
    """What the factory that `python:MODULE:FACTORY` names returns; the working folder is on the path."""
    module_name, _, factory_name = name.removeprefix(PREFIX).partition(":")
    if not module_name or not factory_name:
        raise UsageError(f"{name!r} names no {what}", fix="write python:MODULE:FACTORY")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with own_code(name):
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

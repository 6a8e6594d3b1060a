"""assay: tells whether a model, a prompt or an agent is good enough, fast enough and cheap enough."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.api import Result, frame, run
    from assay.plan import ModelChoice, Plan

__version__ = "0.1.0"
__all__ = ["ModelChoice", "Plan", "Result", "__version__", "frame", "run"]

_HOMES = {
    "run": "assay.api",
    "frame": "assay.api",
    "Result": "assay.api",
    "Plan": "assay.plan",
    "ModelChoice": "assay.plan",
}


def __getattr__(name: str) -> object:
    """The public names, imported when they are first used: `import assay` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

"""The version of a run's prompts: what tells results of one set of prompts from those of another."""

from __future__ import annotations

import hashlib

from assay.keys import canonical
from assay.ports import Task


def prompt_version(task: Task) -> str:
    """`sha256:` and 12 hex digits over the prompts of exchange and scorers, as they are written."""
    spec = task.exchange.spec
    played = spec[2] if spec[0] == "conversation" else spec  # a limit is no prompt
    judged = [s.settings.get("prompt") for s in task.scorers if isinstance(s.settings, dict)]
    return "sha256:" + hashlib.sha256(canonical([played, judged])).hexdigest()[:12]

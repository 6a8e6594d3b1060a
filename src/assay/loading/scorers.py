"""Scorers by name: built in, or a user's own."""

from __future__ import annotations

from collections.abc import Iterable

from assay.keys import JSON
from assay.loading import files
from assay.loading.tasks import TaskFolder, named
from assay.plugins import PREFIX, made
from assay.ports import Scorer
from assay.scorers import make_scorer

FILES = {"corpus", "prompt", "rubric", "schema"}
"""Settings of scorers whose value may be the name of a file."""


def build_scorers(given: Iterable[JSON], folder: TaskFolder) -> tuple[Scorer, ...]:
    """The scorers that a task or a plan names: `exact`, or `{exact: {case: false}}`.

    A setting in FILES may name a file beside the task.
    """
    scorers = []
    for name, settings in spelled_out(given, folder):
        own = name.startswith(PREFIX)
        scorers.append(made(name, "scorer", settings) if own else make_scorer(name, settings))
    return tuple(scorers)


def spelled_out(given: Iterable[JSON], folder: TaskFolder) -> list[tuple[str, dict[str, JSON]]]:
    """The scorers by name with their settings, those that name a file with what it says."""
    every = (named(each, "scorer") for each in given)
    return [
        (name, {key: _content(key, value, folder) for key, value in settings.items()})
        for name, settings in every
    ]


def _content(key: str, value: JSON, folder: TaskFolder) -> JSON:
    if key not in FILES or not isinstance(value, str) or "\n" in value or len(value) >= 200:
        return value
    path = folder.file(value)
    if not path.is_file():
        return value
    if path.suffix in {".yaml", ".yml"}:
        return files.read_yaml(path)[0]
    return files.read_json(path) if path.suffix == ".json" else files.read_text(path).rstrip("\n")

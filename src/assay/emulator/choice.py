"""Which fault a request meets: header, path, model name, script, weighted mix, in that order."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct

from assay.emulator.fault import Chosen
from assay.emulator.faults import OK, fault_named
from assay.errors import UsageError
from assay.keys import JSON, unit

FAULT_MODEL = "fault-"
"""What the name of a model that always meets one fault begins with."""


class Choice(Struct, frozen=True):
    """Faults by plan. `script` gives the nth attempt's fault by the first prompt's digest ("*": any);
    `mix` is (fault, weight), drawn by hash of seed, request and attempt, whatever the arrival order.
    """

    script: Mapping[str, tuple[Chosen, ...]] = {}
    mix: tuple[tuple[Chosen, float], ...] = ()
    seed: int = 0

    def pick(self, direct: str | None, model: str, prompt: str, request: str, attempt: int) -> Chosen:
        """The fault for one attempt (from 1); `direct` is what a header or the path asked for.

        Raises UsageError for a fault that does not exist.
        """
        chosen = self._named(direct, model) or self._scripted(prompt, attempt)
        if chosen is None:
            chosen = self._drawn(request, attempt) if self.mix else OK
        return chosen if chosen.on_attempt(attempt) else OK

    def _named(self, direct: str | None, model: str) -> Chosen | None:
        if direct is not None:
            return fault_named(direct)
        return fault_named(model[len(FAULT_MODEL) :]) if model.startswith(FAULT_MODEL) else None

    def _scripted(self, prompt: str, attempt: int) -> Chosen | None:
        if not self.script:
            return None
        line = self.script.get(prompt) or self.script.get("*") or ()
        return line[attempt - 1] if attempt <= len(line) else None

    def _drawn(self, request: str, attempt: int) -> Chosen:
        at = unit("mix", self.seed, request, attempt) * math.fsum(weight for _, weight in self.mix)
        for chosen, weight in self.mix:
            at -= weight
            if at < 0:
                return chosen
        return self.mix[-1][0]


def mix_of(text: str) -> tuple[tuple[Chosen, float], ...]:
    """The mix of `ok=80,500=5,s_cut:after=3=5`: fault (parameters parted by `;`) and weight."""
    rows = []
    for part in filter(None, text.split(",")):
        name, _, weight = part.rpartition("=")
        try:
            share = float(weight)
        except ValueError:
            share = math.nan
        if not (name and 0 <= share < math.inf):
            raise UsageError(f"mix: {part[:60]!r} has no weight", fix="write it as ok=80,500=5,s_cut=5")
        rows.append((fault_named(name), share))
    if rows and not any(weight for _, weight in rows):
        raise UsageError("mix: every weight is 0", fix="give ok a weight")
    return tuple(rows)


def script_of(value: JSON) -> dict[str, tuple[Chosen, ...]]:
    """The script of {"prompt digest or *": ["429:ra=2", "s_cut", "ok"]}. Raises UsageError."""
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        raise UsageError("script: not an object of lists", fix='write {"*": ["500", "ok"]}')
    return {key: tuple(fault_named(str(each)) for each in line) for key, line in value.items()}

"""A run as JUnit XML for CI systems: a trial a testcase, a wrong answer a failure, the rest an error."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from assay.ports import Run
from assay.reports.scored import headline_number
from assay.trial import Status, Trial

ROOM = 2_000
"""Characters of what was wanted and what was answered."""

IN_MEMORY = 8_000_000
"""Bytes of testcases that wait in memory for their counts, which stand before them; more wait on disk."""

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Kind = str
PASSED, FAILURE, ERROR, SKIPPED = "passed", "failure", "error", "skipped"


def junit(trials: Iterable[Trial], run: Run, out: TextIO) -> int:
    """Writes the trials to `out` as one testsuite, read once; their number.

    Right is a headline of 1, or any outside [0, 1), which has no such meaning. Failed, invalid and
    unscored trials are errors; skipped, not run and not applicable ones are skipped.
    """
    counts: Counter[Kind] = Counter()
    seconds = 0.0
    with tempfile.SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="") as cases:
        for trial in trials:
            kind, case = testcase(trial, run)
            counts[kind] += 1
            seconds += max(0.0, trial.ended - trial.started)
            cases.write(case)
        total = counts.total()
        sums = f'tests="{total}" failures="{counts[FAILURE]}" errors="{counts[ERROR]}"'
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        out.write(f"<testsuites {sums}>\n")
        name, lasted = attribute(f"{run.task} {run.id}"), f'time="{seconds:.3f}"'
        out.write(f'<testsuite name={name} {sums} skipped="{counts[SKIPPED]}" {lasted}>\n')
        cases.seek(0)
        while piece := cases.read(1 << 16):
            out.write(piece)
    out.write("</testsuite>\n</testsuites>\n")
    return total


def testcase(trial: Trial, run: Run) -> tuple[Kind, str]:
    """What came of the trial, and its testcase."""
    kind, word, message = _outcome(trial, run.headline)
    task = run.task.partition(" ")[0]
    repeat = f" (repeat {trial.repeat})" if trial.repeat else ""
    head = (
        f"<testcase name={attribute(trial.case.name + repeat)} classname={attribute(f'{task}.{trial.model}')}"
        f' time="{max(0.0, trial.ended - trial.started):.3f}"'
    )
    if kind == PASSED:
        return kind, head + "/>\n"
    if kind == SKIPPED:
        return kind, f"{head}><skipped message={attribute(message)}/></testcase>\n"
    body = text(_body(trial, run))
    told = f"<{kind} type={attribute(word)} message={attribute(message)}>{body}</{kind}>"
    return kind, f"{head}>{told}</testcase>\n"


def _outcome(trial: Trial, headline: str) -> tuple[Kind, str, str]:
    """The kind of testcase, a word for its type, and a message."""
    status, detail = trial.status, trial.detail
    if status is Status.SCORED:
        number = headline_number(trial, headline)
        if number is None or number >= 1.0 or number < 0.0:
            return PASSED, "", ""
        reason = next((score.reason for score in trial.scores if score.name == headline), "")
        return FAILURE, headline, f"{headline} {number:.4g}" + (f": {reason[:300]}" if reason else "")
    if status in (Status.SKIPPED, Status.NOT_RUN, Status.PLAYED) or detail == "not_applicable":
        return SKIPPED, "", f"{status.value} {detail}".strip()
    return ERROR, detail or status.value, f"{status.value}: {detail}"


def _body(trial: Trial, run: Run) -> str:
    final, target = trial.transcript.final, trial.case.target
    lines = [f"assay show {trial.run or run.id}/{trial.key[:16]}"]
    if target is not None:
        wanted = target if isinstance(target, str) else json.dumps(target, ensure_ascii=False, default=str)
        lines.append(f"wanted: {wanted[:ROOM]}")
    if final is not None:
        lines.append(f"answered: {final.text[:ROOM]}")
    if trial.transcript.outcome.detail:
        lines.append(trial.transcript.outcome.detail[:ROOM])
    return "\n".join(lines)


def text(given: str) -> str:
    """A text as XML content; what XML cannot hold is written out."""
    return escape(_NO_XML.sub(_written_out, given))


def attribute(given: str) -> str:
    """A text as a quoted XML attribute."""
    return quoteattr(_NO_XML.sub(_written_out, given[:1_000]))


def _written_out(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]

"""`assay gate`: a run against the limits of a gates.yaml, with an exit code for pipelines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option, store_option
from assay.errors import UsageError

if TYPE_CHECKING:  # these pull in the whole of the reports, which --help does not need
    from assay.loading.gates import Gates
    from assay.reports.reading import Side
    from assay.store.sqlite import SqliteStore


@click.command("gate")
@click.argument("run")
@click.argument("gates")
@click.option("--versus", metavar="RUN", help="The baseline that max_drop is measured against.")
@click.option("--versus-store", metavar="FILE", help="The store with the baseline.  [default: the run's own]")
@click.option("-o", "--output", metavar="FILE.md", help="Write it as Markdown, too.")
@store_option
@json_option
def command(
    run: str,
    gates: str,
    *,
    versus: str | None,
    versus_store: str | None,
    output: str | None,
    store: str,
    as_json: bool,
) -> None:
    r"""Hold RUN (or RUN:MODEL) to the limits of GATES, a gates.yaml.

    Exit 0: all PASS. 1: a FAIL. 3: a CANNOT TELL or INVALID. 2: something to mend in the file.

    \b
    assay gate last gates.yaml
    assay gate last gates.yaml --versus run_20261121_1 -o gate.md
    """
    from assay.cli import looks
    from assay.cli.gate_lines import as_markdown, shown
    from assay.cli.stored import opened
    from assay.loading.gates import check_gates, read_gates
    from assay.reports.gate import Gating

    file = read_gates(Path(gates))
    record = opened(store)
    sides = _sides(record, run)
    other = opened(versus_store) if versus_store is not None else record
    gating = Gating(sides, _baselines(other, file, versus, run), file.allowed)
    check_gates(file, gating)
    report = gating.report(file.gates)
    if output is not None:
        _write(Path(output), as_markdown(report))
    click.echo(looks.json_text(report) if as_json else shown(report))
    sys.exit({"PASS": 0, "FAIL": 1}.get(report.verdict, 3))


def _sides(record: SqliteStore, text: str) -> list[Side]:
    from assay.cli.stored import find_arms
    from assay.ports import Where
    from assay.reports.reading import Side

    return [
        Side(arm.run, arm.model, lambda arm=arm: record.trials(Where(run=arm.run.id, model=arm.model)))  # type: ignore[misc]  # a default binds the loop's arm
        for arm in find_arms(record, text)
    ]


def _baselines(record: SqliteStore, file: Gates, versus: str | None, run: str) -> dict[str, list[Side]]:
    """The arms of every baseline that the gates name."""
    from assay.reports.gate import BASELINE

    found: dict[str, list[Side]] = {}
    for gate in file.gates:
        if not gate.drop or gate.versus in found:
            continue
        name = versus if gate.versus == BASELINE else gate.versus
        if name is None:
            raise UsageError(
                f"{gate.where}: max_drop of {gate.metric} needs a baseline",
                fix=f"name its run: assay gate {run} {file.path} --versus RUN",
            )
        found[gate.versus] = _sides(record, name)
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {failure.strerror}", fix="name another file") from None

"""`assay batch`: the service's batches from the command line."""

from __future__ import annotations

import json
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.options import json_option
from assay.errors import UsageError
from assay.keys import JSON

if TYPE_CHECKING:  # it loads urllib, which --help does without
    from assay.cli.api import Api

POLL_SECONDS = 1.0
RESTART_SECONDS = 60.0
"""How long a service may be away while its batch is waited for."""
MAX_FAILED = 0.05
"""The share of failed scenarios above which a batch has not gone well."""
LAUNCHED = ("batch_id", "total_scenarios")
STANDING = ("batch_id", "status", "progress", "total_scenarios", "completed_scenarios", "failed_scenarios")
"""What is read of answers: the fields that the classic service has too."""
MEDIA = ("json", "csv", "ndjson")

api_option = click.option(
    "--api-url",
    default="http://127.0.0.1:5000",
    show_default=True,
    metavar="URL",
    help="Where the service answers.",
)


@click.group("batch")
def command() -> None:
    r"""Post, watch, fetch and cancel the batches of a service (assay serve).

    \b
    assay batch submit scenarios.json --wait
    assay batch status 5b0af5ae-4206-5039-be7d-5aa0d7b20342
    assay batch fetch 5b0af5ae-4206-5039-be7d-5aa0d7b20342 --output results.csv
    """


@command.command()
@click.argument("file")
@click.option("--partial", is_flag=True, help="Play the valid scenarios where some are not.")
@click.option("--key", metavar="KEY", help="The Idempotency-Key: posted again, the batch is the same.")
@click.option(
    "--wait", is_flag=True, help="Return when the batch has ended; exit 4 if over 5 % of it failed."
)
@api_option
@json_option
def submit(file: str, *, partial: bool, key: str | None, wait: bool, api_url: str, as_json: bool) -> None:
    """Post the scenarios of FILE (JSON or JSON Lines) as a batch."""
    from assay.cli import looks
    from assay.cli.api import Api

    api = Api(api_url)
    headers = {"Content-Type": "application/json", "Idempotency-Key": _key(key)}
    path = f"/batches{'?partial=1' if partial else ''}"
    launched = api.json("POST", path, LAUNCHED, body=_body(Path(file)), headers=headers)
    for fault in launched.get("refused", ()):
        told = looks.printable(f"{fault['pointer']}: {fault['detail']}")
        click.echo(click.style("left out: ", fg="yellow") + told, err=True)
    batch = str(launched["batch_id"])
    if not wait:
        _print(launched, as_json, f"{batch} launched: {launched['total_scenarios']} scenarios")
        return
    try:
        standing = _await(api, batch, quiet=as_json)
    except KeyboardInterrupt:
        click.echo(f"{batch} goes on; see: assay batch status {batch}", err=True)
        raise
    _print(standing, as_json, _line(standing))
    sys.exit(_code(standing))


@command.command()
@click.argument("batch")
@api_option
@json_option
def status(batch: str, *, api_url: str, as_json: bool) -> None:
    """Show where BATCH stands."""
    from assay.cli.api import Api

    standing = Api(api_url).json("GET", _of(batch), STANDING)
    _print(standing, as_json, _line(standing))


@command.command()
@click.argument("batch")
@click.option("--output", metavar="FILE", help="Write there, whole or not at all, instead of printing.")
@click.option(
    "--format", "form", type=click.Choice(MEDIA), help="[default: by the name of the file, else json]"
)
@click.option("--order", type=click.Choice(["completion", "input"]), default="completion", show_default=True)
@click.option("--transcripts", is_flag=True, help="What was said instead, as JSON Lines.")
@api_option
def fetch(
    batch: str, *, output: str | None, form: str | None, order: str, transcripts: bool, api_url: str
) -> None:
    """Fetch the results of BATCH; of one that is still played, what there is."""
    from assay.cli.api import Api

    ending = Path(output).suffix.lstrip(".").lower() if output is not None else ""
    chosen = form or (ending if ending in MEDIA else "ndjson" if ending == "jsonl" else "json")
    more = "&include=transcript" if transcripts else ""
    path = f"{_of(batch)}/results?format={chosen}&order={order}{more}"
    if output is None:
        Api(api_url).copy(path, sys.stdout.buffer)
        return
    partial = Api(api_url).download(path, Path(output))
    note = " (so far: the batch has not ended)" if partial else ""
    click.echo(f"wrote {output}{note}", err=True)


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest N.")
@api_option
@json_option
def list_(*, limit: int, api_url: str, as_json: bool) -> None:
    """List the batches, newest first."""
    from assay.cli import looks
    from assay.cli.api import Api

    listed = Api(api_url).json("GET", f"/batches?limit={limit}", ("batches",))
    head = ["batch", "status", "scenarios", "created"]
    rows = [
        [b["batch_id"], b["status"], str(b["total_scenarios"]), b["created_at"]] for b in listed["batches"]
    ]
    _print(listed, as_json, looks.fitted(head, rows) if rows else "no batches yet")


@command.command()
@click.argument("batch")
@api_option
@json_option
def cancel(batch: str, *, api_url: str, as_json: bool) -> None:
    """End BATCH: nothing more starts, what is in play has ten seconds, results stay."""
    from assay.cli.api import Api

    standing = Api(api_url).json("DELETE", _of(batch), STANDING)
    _print(standing, as_json, _line(standing))


def _key(given: str | None) -> str:
    """The Idempotency-Key: as it is given, else one that nobody had."""
    if given is None:
        return secrets.token_hex(16)
    if not (given.isascii() and given.isprintable() and 0 < len(given) <= 255):
        raise UsageError(
            f"--key {ascii(given)[:60]}: not 1 to 255 printable ASCII characters", fix="take a UUID"
        )
    return given


def _of(batch: str) -> str:
    from urllib.parse import quote

    if not batch:
        raise UsageError("the BATCH is empty", fix="assay batch list names them")
    return f"/batches/{quote(batch, safe='')}"


def _body(path: Path) -> bytes:
    """What is posted: a JSON file as it is, JSON Lines as the list of its rows."""
    from assay.loading import files

    if path.suffix.lower() == ".jsonl":
        return json.dumps([row for _, _, row in files.read_rows(path)], ensure_ascii=False).encode()
    if path.suffix.lower() in {".yaml", ".yml"}:
        raise UsageError(f"{path}: a service takes JSON", fix="post it as .json or .jsonl")
    text = files.read_text(path)
    files.parse_json(text, str(path))
    return text.encode()


def _await(api: Api, batch: str, *, quiet: bool) -> dict[str, JSON]:
    """The status of the batch when it has ended. A service that is started anew meanwhile is waited for."""
    from assay.cli.api import NoService

    shown, gone = "", None
    while True:
        try:
            standing = api.json("GET", f"/batches/{batch}", STANDING)
            gone = None
        except NoService:
            gone = gone or time.monotonic()
            if time.monotonic() - gone > RESTART_SECONDS:
                raise
            time.sleep(POLL_SECONDS)
            continue
        line = _line(standing)
        if standing["status"] not in ("queued", "running"):
            return standing
        if line != shown and not quiet:
            click.echo(line, err=True)
            shown = line
        time.sleep(POLL_SECONDS)


def _code(standing: dict[str, JSON]) -> int:
    """The exit code of a batch that has ended, as that of a run."""
    if standing["status"] != "completed":
        return 3
    return 4 if standing["failed_scenarios"] > MAX_FAILED * standing["total_scenarios"] else 0


def _line(standing: dict[str, JSON]) -> str:
    """Where a batch stands, as a person reads it."""
    from assay.cli import looks

    counted = {name: standing[f"{name}_scenarios"] for name in ("completed", "failed", "total")}
    parts = [
        f"{standing['batch_id']} {standing['status']}",
        f"{standing['progress']:.1f} %",
        f"{counted['completed']} completed, {counted['failed']} failed of {counted['total']}",
    ]
    if standing.get("cost_usd") is not None:
        parts.append(f"${standing['cost_usd']:.4f}")
    if standing.get("eta_s"):
        parts.append(f"about {standing['eta_s']:.0f} s left")
    if standing.get("last_error"):
        parts.append(looks.printable(str(standing["last_error"])))
    return " · ".join(parts)


def _print(answer: dict[str, JSON], as_json: bool, text: str) -> None:
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2) if as_json else text)

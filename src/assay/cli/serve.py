"""`assay serve`: the service that plays batches of conversations by REST."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from assay.cli import looks
from assay.cli.options import log_content_option, prompt_version_option, prompts_option, store_option
from assay.errors import UsageError
from assay.keys import JSON


@click.command("serve")
@click.option("--task", default="phone_orders", show_default=True, help="The task whose world is played in.")
@click.option("--agent", "agents", multiple=True, metavar="M", help="The agent under test.")
@click.option("--client", metavar="M|rules", help="The customer: a model, or rules (needs no model).")
@click.option("--evaluator", metavar="M", help="The model that judges; none to judge by the state alone.")
@prompts_option
@prompt_version_option
@click.option("--base-url", metavar="URL", help="Where the models' server answers (ends in /v1).")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Conversations at once.")
@click.option("--retries", type=int, metavar="N", help="Further attempts at a failed call.")
@click.option("--host", metavar="HOST", help="A loopback address.  [default: HOST, else 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="0: a free one.  [default: PORT, else 5000]"
)
@click.option("--results-dir", default="results", show_default=True, help="Each batch leaves files there.")
@click.option("--log-dir", default="logs", show_default=True, help="Log files go there.")
@log_content_option
@click.option(
    "--queue", type=click.IntRange(min=1), default=100, show_default=True, help="Batches that may wait."
)
@store_option
def command(**given: JSON) -> None:
    r"""Serve batches of conversations by REST under /api, on loopback, until Ctrl-C.

    The first line is the address. Batches are played one after another; after a kill the service goes
    on with them by itself. Needs the extra: pip install 'assay[serve]'.

    \b
    assay serve --agent openai/gpt-4o-mini --client rules --evaluator none
    curl -s http://127.0.0.1:5000/api/health
    assay batch submit scenarios.json
    """
    try:
        from assay.service.server import serve
        from assay.service.settings import Settings
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("litestar", "uvicorn"):
            raise
        raise UsageError(
            f"the service needs {missing.name}, which is not installed", fix="pip install 'assay[serve]'"
        ) from None
    from assay.cli.simulate import plan_of_speakers
    from assay.loading.environment import read_environment

    environment = read_environment()
    settings = Settings(
        plan=plan_of_speakers(None, {**given, "repeats": 1, "seed": 0, "workers": None}, environment),
        environment=environment,
        store=Path(given["store"]),
        results=Path(given["results_dir"]),
        logs=Path(given["log_dir"]),
        host=given["host"] or environment.get("HOST") or "127.0.0.1",
        port=given["port"] if given["port"] is not None else _port(environment.get("PORT")),
        origins=tuple((environment.get("CORS_ORIGINS") or "").replace(",", " ").split()),
        debug=(environment.get("DEBUG") or "0").lower() not in ("0", "false", "no", "off"),
        content=given["log_content"],
        queue=given["queue"],
    )
    settings.store.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(settings, _announce))


def _port(text: str | None) -> int:
    if text is None:
        return 5000
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 16):
        raise UsageError(f"PORT={text}: not a port", fix="set PORT to a number up to 65535")
    return int(text)


def _announce(url: str, hindrance: str | None) -> None:
    """The address first, for scripts; then what a person may try."""
    click.echo(url)
    if hindrance is not None:
        warning = f"warning: no batch can be played: {looks.printable(hindrance)}"
        click.echo(click.style(warning, fg="yellow"), err=True)
    click.echo(f"try   curl -s {url}/api/health")
    click.echo(f"or    assay batch submit scenarios.json --api-url {url}; Ctrl-C ends it")

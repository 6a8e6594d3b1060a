"""`assay emulate`: the emulated model server, which knows a task's answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.errors import UsageError

if TYPE_CHECKING:  # --help starts no server
    from assay.keys import JSON

EXAMPLE = "skill-0.8"


@click.command("emulate")
@click.option("--task", metavar="NAME", help="The task whose answers it knows, every split of it.")
@click.option("--plan", metavar="FILE", help="The plan whose cases it knows, as rendered there.")
@click.option("--data", metavar="FILE", help="The cases, with --task.")
@click.option("--port", type=click.IntRange(0, 65535), default=8399, show_default=True, help="0: a free one.")
@click.option("--ttft-ms", type=click.FloatRange(min=0), default=0.0, help="Time to the first token.")
@click.option("--itl-ms", type=click.FloatRange(min=0), default=0.0, help="Time between tokens.")
@click.option(
    "--spread", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Share by which times differ."
)
@click.option("--mix", default="", metavar="FAULTS", help="Weighted faults: ok=80,500=5,s_cut=5.")
@click.option("--script", metavar="FILE", help='JSON of {"prompt digest or *": ["500", "ok"]}.')
@click.option("--ledger", metavar="FILE", help="Write what was asked and answered there.")
@click.option("--proxy", metavar="HOST:PORT", help="Spoil the connections to that server: POST /toxics.")
@click.option("--seed", type=int, default=0, help="The seed of the mix, and of what a proxy spoils.")
def command(**given: JSON) -> None:
    r"""Serve emulated models on loopback until Ctrl-C; the first line is the base URL.

    \b
    assay emulate --task json_extraction --ttft-ms 50 --itl-ms 5
    assay run json_extraction --model openai-compatible/skill-0.8 --base-url http://127.0.0.1:8399/v1
    """
    from assay.emulator.proxy import Proxy, address_of
    from assay.emulator.server import Emulator
    from assay.emulator.serving import serve, serve_proxy
    from assay.loading.emulation import emulator_settings, known_answers

    if given["proxy"] is not None:
        proxy = Proxy(*address_of(given["proxy"]), seed=given["seed"], at=given["port"])
        asyncio.run(serve_proxy(proxy, Emulator(proxy=proxy), _announce_proxy))
        return
    if given["plan"] is not None and (given["task"] is not None or given["data"] is not None):
        raise UsageError("--plan and --task do not go together", fix="name one of them")
    index = known_answers(given["task"], given["plan"], given["data"])
    timing, choice, ledger = emulator_settings(
        ttft_ms=given["ttft_ms"],
        itl_ms=given["itl_ms"],
        spread=given["spread"],
        mix=given["mix"],
        script=Path(given["script"]) if given["script"] is not None else None,
        ledger=Path(given["ledger"]) if given["ledger"] is not None else None,
        seed=given["seed"],
    )
    emulator = Emulator(index, timing=timing, choice=choice, ledger=ledger, port=given["port"])
    asyncio.run(serve(emulator, lambda url: _announce(url, emulator.root, len(index))))


def _announce_proxy(address: str, pages: str) -> None:
    """Where clients go, and where the proxy is told what to do."""
    click.echo(address)
    click.echo(f"""try   curl -s {pages}/toxics -d '[{{"name": "latency", "ms": 100, "share": 0.5}}]'""")
    click.echo("passes every byte on until it is told otherwise; Ctrl-C ends it")


def _announce(url: str, root: str, known: int) -> None:
    """The base URL first, for scripts; then what a person may try."""
    click.echo(url)
    body = f'{{"model": "{EXAMPLE}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    click.echo(f"try   curl -s {url}/chat/completions -H 'Content-Type: application/json' -d '{body}'")
    click.echo(f"knows {known} answers; what was asked: {root}/ledger, counts: {root}/stats; Ctrl-C ends it")

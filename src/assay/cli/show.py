"""`assay show`: one trial, as it was played and scored."""

from __future__ import annotations

import click
from msgspec import structs

from assay.cli.options import json_option, store_option


@click.command("show")
@click.argument("trial")
@click.option("--full", is_flag=True, help="Cut no text.")
@store_option
@json_option
def command(trial: str, *, full: bool, store: str, as_json: bool) -> None:
    r"""Show one TRIAL: what was said, called and scored.

    \b
    assay show run_20261121_142233_9f3c2a/17   the 17th in the record
    assay show last/1                          the first of the last run
    assay show last/3fa9c2                     by the beginning of its key
    assay show 3fa9c2e1                        the same, of any run
    """
    from assay.cli import looks
    from assay.cli.stored import find_trial, opened
    from assay.cli.transcript import rendered
    from assay.reports.talks import talk_of

    found = find_trial(opened(store), trial)
    if as_json:
        talk = talk_of(found)
        told = {} if talk is None else {"talk": talk}
        click.echo(looks.json_text({**structs.asdict(found), **told}))
    else:
        click.echo(rendered(found, full=full))

"""The command reference as Markdown, made from the commands themselves: python -m assay.cli.reference."""

from __future__ import annotations

from collections.abc import Iterator

import click

from assay.cli.main import VERBS, cli

WIDTH = 96

HEAD = """# Commands

Made from the commands by `python -m assay.cli.reference > docs/commands.md`; a test compares it with them.

A RUN is an id, its beginning or end if only one run has it, or `last`. A trial is `RUN/N` (its place in
the record) or `RUN/KEY` (the beginning of its key).

## Exit codes

| code | meaning |
| --- | --- |
| 0 | good |
| 1 | a comparison or a gate failed |
| 2 | something to mend: a flag, a file, a key, an address; nothing was done |
| 3 | cannot tell, or stopped by the budget or an endpoint's circuit |
| 4 | more than 5 % (`--max-failed`) of the trials failed |
| 130 | interrupted by Ctrl-C or SIGTERM; `assay run --resume` goes on |

The first Ctrl-C lets what is in flight end and keeps it, a second one stops at once. `--debug` before the
verb shows the traceback of an error. Colour is left out where the output is no terminal or NO_COLOR is set.
"""


def reference() -> str:
    """The whole page."""
    root = cli.make_context("assay", ["demo"], resilient_parsing=True, terminal_width=WIDTH)
    parts = [HEAD, *_section(cli, root, "assay")]
    for name in VERBS:
        verb = cli.get_command(root, name)
        if verb is not None:
            parts += _verb(verb, root, name)
    return "\n".join(parts)


def _verb(verb: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(verb, info_name=name, parent=parent, terminal_width=WIDTH)
    yield from _section(verb, context, f"assay {name}")
    if isinstance(verb, click.Group):
        for child, command in verb.commands.items():
            inner = click.Context(command, info_name=child, parent=context, terminal_width=WIDTH)
            yield from _section(command, inner, f"assay {name} {child}")


def _section(command: click.Command, context: click.Context, title: str) -> Iterator[str]:
    yield f"## {title}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)

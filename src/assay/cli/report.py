"""`assay report`: a run, or two beside each other, as one page to read and to pass on."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.options import store_option
from assay.errors import UsageError

if TYPE_CHECKING:  # these pull in the whole of the reports, which --help does not need
    from assay.reports.page import Source
    from assay.store.sqlite import SqliteStore
    from assay.trial import Trial

FORMS = ("html", "markdown")
DEFAULT = "report.html"


@click.command("report")
@click.argument("run")
@click.argument("other", required=False)
@click.option("--to", type=click.Choice(FORMS), help="The form.  [default: by the file's name, else html]")
@click.option(
    "-o", "--output", metavar="FILE", help=f"Write there.  [default: {DEFAULT}; Markdown is printed]"
)
@store_option
def command(run: str, other: str | None, *, to: str | None, output: str | None, store: str) -> None:
    r"""Write RUN as one HTML file that opens from disk, or as Markdown.

    With OTHER the two runs are compared: from RUN to OTHER.

    \b
    assay report last
    assay report last -o report.html
    assay report run_20261121_1 run_20261121_2 --to markdown
    """
    from assay.cli.stored import find_run, opened
    from assay.reports.html import as_html
    from assay.reports.markdown import as_markdown
    from assay.reports.page import read_page
    from assay.reports.page_words import answer

    form = _form(to, output)
    gc.set_threshold(100_000)  # nothing read here is in a cycle: a tenth of the time went into looking
    record = opened(store)
    runs = [find_run(record, text) for text in (run, other) if text is not None]
    if len({each.headline for each in runs}) > 1:
        raise UsageError(
            f"{runs[0].id} is judged by {runs[0].headline}, {runs[1].id} by {runs[1].headline}",
            fix=f"score one of them anew: assay rescore {runs[1].id} --scorer {runs[0].headline}",
        )
    page = read_page([_source(record, each.id) for each in runs])
    text = as_html(page) if form == "html" else as_markdown(page)
    if output is None and form == "markdown":
        click.echo(text)
        return
    path = Path(output or DEFAULT)
    _write(path, text)
    click.echo(f"{answer(page)}\n{path}: {_size(text)}", err=True)


def _source(record: SqliteStore, run: str) -> Source:
    from assay.ports import Where
    from assay.reports.page import Source

    trials = record.trials(Where(run=run))
    return Source(record.find_run(run), trials, _finder(record, run), record.labels(run))


def _finder(record: SqliteStore, run: str) -> Callable[[str], Trial]:
    from assay.ports import Where

    return lambda key: next(record.trials(Where(run=run, key=key)))


def _form(to: str | None, output: str | None) -> str:
    """What --to says, else what the file's name says, else HTML."""
    if to is not None:
        return to
    ending = Path(output or DEFAULT).suffix.lower()
    if ending in {".html", ".htm"}:
        return "html"
    if ending in {".md", ".markdown"}:
        return "markdown"
    raise UsageError(f"{output}: its name says no form", fix=f"add --to {', --to '.join(FORMS)}")


def _size(text: str) -> str:
    return f"{len(text.encode()) / 1000:.0f} kB"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {failure.strerror}", fix="name another file") from None

"""Data sets of Hugging Face's `datasets`: `--data hf:NAME`, or a folder that `save_to_disk` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from assay.errors import UsageError
from assay.keys import JSON

PREFIX = "hf:"
INSTALL = "pip install 'assay[datasets]'"


def open_dataset(named: str, split: str) -> JSON:
    """The split of `hf:NAME`, `hf:NAME:CONFIG` or `hf:FOLDER`: a sequence of rows.

    Raises UsageError where the package is missing, or the set, its configuration or its split cannot
    be had.
    """
    if find_spec("datasets") is None:
        raise UsageError(f"{named} needs the package datasets", fix=INSTALL)
    import datasets

    name = named.removeprefix(PREFIX)
    try:
        if Path(name).is_dir():
            whole = datasets.load_from_disk(name)
            found = whole[split] if isinstance(whole, datasets.DatasetDict) else whole
        else:
            name, _, configuration = name.partition(":")
            found = datasets.load_dataset(name, configuration or None, split=split)
    except KeyError:
        known = ", ".join(str(each) for each in whole)
        raise UsageError(f"{named}: no split {split!r}", fix=f"add --split: {known}") from None
    except Exception as failure:
        detail = str(failure).partition("\n")[0][:300] or type(failure).__name__
        raise UsageError(
            f"{named}: {detail}", fix="check name, --split and network, or save it with save_to_disk"
        ) from failure
    return found


def numbered(found: JSON, named: str) -> Iterator[tuple[str, dict[str, JSON]]]:
    """The rows with their places."""
    for index, row in enumerate(found):
        yield f"{named}, row {index}", row

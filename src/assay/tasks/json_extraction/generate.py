"""The seeded generator of the task's cases: `python -m assay.tasks.json_extraction.generate OUT_DIR`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path

from msgspec import Struct

from assay.keys import JSON, random_stream
from assay.tasks.json_extraction.template import (
    Evidence,
    Pools,
    Scene,
    Template,
    fill,
    read_pools,
    read_templates,
    schema_for,
    value_of,
)

SEED = 20261121
COUNTS: Mapping[str, Mapping[str, int]] = {
    "train": {"easy": 600, "medium": 600, "hard": 600, "domain-specific": 200},
    "validation": {"easy": 10, "medium": 10, "hard": 6, "domain-specific": 4},
    "test": {"easy": 40, "medium": 40, "hard": 24, "domain-specific": 16},
}


class Draft(Struct, frozen=True):
    """A case before it is written: `line` is what the file gets, the rest is for checks.

    `names` are the entity names that the case uses; `evidence` gives, by the JSON pointer of a
    leaf, the phrase that it comes from (None where the leaf is null).
    """

    line: dict[str, JSON]
    template: str
    names: frozenset[str]
    evidence: dict[str, Evidence | None]


def pools(split: str) -> Pools:
    """The names that a split may use."""
    return read_pools((files(__package__) / "entities" / f"{split}.txt").read_text("utf-8"))


def templates(split: str) -> tuple[Template, ...]:
    """The templates of a split."""
    name = f"{split}.txt"
    return read_templates((files(__package__) / "templates" / name).read_text("utf-8"), name)


def drafts(split: str) -> list[Draft]:
    """The cases of a split, in the order of its file."""
    names, known = pools(split), templates(split)
    made: list[Draft] = []
    seen: set[str] = set()
    for difficulty, count in COUNTS[split].items():
        fitting = [template for template in known if template.difficulty == difficulty]
        for index, template in enumerate(islice(cycle(fitting), count)):
            draft = next(
                draft
                for draft in _attempts(template, names, [SEED, split, index])
                if draft.line["input"] not in seen
            )
            seen.add(draft.line["input"])
            made.append(draft)
    random_stream(SEED, split, "order").shuffle(made)
    return [_numbered(draft, f"{split}-{number:04}") for number, draft in enumerate(made, 1)]


def _attempts(template: Template, names: Pools, seed: list[JSON]) -> Iterator[Draft]:
    for attempt in range(100):
        rng = random_stream(SEED, *seed, template.name, attempt)
        scene = Scene(rng, template.lang, names, set())
        text = scene.write(template.text, template.rows)
        line = {
            "id": "",
            "input": text,
            "target": value_of(template.target, scene),
            "tags": {"difficulty": template.difficulty, "type": template.type, "language": template.lang},
            "schema": schema_for(template.target, nullable=template.difficulty == "hard"),
        }
        evidence = {at: why for at, _, why in fill(template.target, scene)}
        yield Draft(line, template.name, frozenset(scene.used), evidence)


def _numbered(draft: Draft, name: str) -> Draft:
    return Draft({**draft.line, "id": name}, draft.template, draft.names, draft.evidence)


def write_lines(lines: Iterable[JSON], path: Path) -> None:
    """Writes one compact JSON value a line, in UTF-8 with plain line ends."""
    texts = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    path.write_bytes("".join(texts).encode())


def generate(folder: Path) -> None:
    """Writes train.jsonl, validation.jsonl and test.jsonl into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in COUNTS:
        write_lines((draft.line for draft in drafts(split)), folder / f"{split}.jsonl")


def main() -> None:
    """Takes the folder from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", type=Path)
    generate(parser.parse_args().out_dir)


if __name__ == "__main__":
    main()

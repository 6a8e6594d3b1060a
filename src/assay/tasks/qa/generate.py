"""The seeded generator of the task's cases: `python -m assay.tasks.qa.generate OUT_DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path

from msgspec import Struct

from assay.keys import JSON, random_stream
from assay.tasks.json_extraction.generate import pools as names_of_people_and_places
from assay.tasks.json_extraction.generate import write_lines
from assay.tasks.json_extraction.template import Pools, Scene, Template, read_pools, read_templates
from assay.tasks.qa.answers import answer

SEED = 20261122
COUNTS: Mapping[str, Mapping[str, int]] = {
    "train": {"factual": 800, "reasoning": 667, "multi-hop": 533},
    "validation": {"factual": 12, "reasoning": 10, "multi-hop": 8},
    "test": {"factual": 48, "reasoning": 40, "multi-hop": 32},
}


class Draft(Struct, frozen=True):
    """A case before it is written: `line` is what the file gets, the rest is for checks.

    `names` are the entity names that the case uses; `rule` says how the answer follows from the
    `phrases` of the passage, which stand by their slot.
    """

    line: dict[str, JSON]
    template: str
    names: frozenset[str]
    rule: str
    phrases: dict[str, str]


def pools(split: str) -> Pools:
    """The names that a split may use."""
    own = read_pools((files(__package__) / "entities" / f"{split}.txt").read_text("utf-8"))
    return {**names_of_people_and_places(split), **own}


def templates(split: str) -> tuple[Template, ...]:
    """The passages of a split, each with its questions."""
    name = f"{split}.txt"
    return read_templates((files(__package__) / "templates" / name).read_text("utf-8"), name)


def drafts(split: str) -> list[Draft]:
    """The cases of a split, in the order of its file."""
    names, known = pools(split), templates(split)
    made: list[Draft] = []
    seen: set[str] = set()
    for kind, count in COUNTS[split].items():
        asked = [
            (template, question) for template in known for question in template.extra.get(f"q {kind}", ())
        ]
        random_stream(SEED, split, kind, "questions").shuffle(asked)
        for index, (template, question) in enumerate(islice(cycle(asked), count)):
            attempts = _attempts(template, question, kind, names, index)
            draft = next(draft for draft in attempts if draft.line["input"] not in seen)
            seen.add(draft.line["input"])
            made.append(draft)
    random_stream(SEED, split, "order").shuffle(made)
    return [_numbered(draft, f"{split}-{number:04}") for number, draft in enumerate(made, 1)]


def _attempts(template: Template, question: str, kind: str, names: Pools, index: int) -> Iterator[Draft]:
    text, _, rule = question.partition(" => ")
    for attempt in range(100):
        rng = random_stream(SEED, kind, template.name, text, index, attempt)
        scene = Scene(rng, template.lang, names, set())
        passage = scene.write(template.text, template.rows)
        phrases = dict(scene.phrases)
        asked = scene.write(text, {})
        found = answer(rule, scene.fact, template.lang)
        line = {
            "id": "",
            "input": f"{passage}\n\n{_QUESTION[template.lang]} {asked}",
            "target": {"any_of": list(found.forms)},
            "tags": {"kind": kind, "language": template.lang},
        }
        yield Draft(line, template.name, frozenset(scene.used), rule, phrases)


_QUESTION = {"en": "Question:", "ru": "Вопрос:", "de": "Frage:", "es": "Pregunta:"}


def _numbered(draft: Draft, name: str) -> Draft:
    return Draft({**draft.line, "id": name}, draft.template, draft.names, draft.rule, draft.phrases)


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

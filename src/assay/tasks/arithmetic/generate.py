"""Writes the arithmetic cases: `python -m assay.tasks.arithmetic.generate [FOLDER]`, byte for byte."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from assay.tasks.arithmetic.stories import NAMES, STORIES, Numbers, Story

SEED = 20251121
PER_CELL = {"test": 20, "validation": 5}
"""Cases by split for each of two languages and three difficulties: 120 and 30 in all."""

_COUNTED = re.compile(r"\[(\w)((?:\|[^|\]]+)+)\]")


def cases(split: str) -> Iterator[dict[str, object]]:
    """The cases of a split, in order; every input is different."""
    seen: set[str] = set()
    for (language, difficulty), stories in STORIES[split].items():
        rng = random.Random(f"{SEED} {split} {language} {difficulty}")
        for number in range(PER_CELL[split]):
            story = stories[number % len(stories)]
            text, answer = _told(story, language, split, rng)
            while text in seen:
                text, answer = _told(story, language, split, rng)
            seen.add(text)
            yield {
                "id": f"{split}-{language}-{difficulty}-{number + 1:02d}",
                "input": text,
                "target": answer,
                "tags": {"difficulty": difficulty, "language": language},
            }


def _told(story: Story, language: str, split: str, rng: random.Random) -> tuple[str, int]:
    numbers = {name: low + rng.randrange(high - low + 1) for name, (low, high) in story.ranges.items()}
    names = NAMES[split][language]
    first = rng.randrange(len(names))
    second = (first + 1 + rng.randrange(len(names) - 1)) % len(names)
    text = _COUNTED.sub(lambda found: counted(numbers, found[1], found[2][1:].split("|")), story.text)
    for name, value in {**numbers, "who": names[first], "other": names[second]}.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text, story.answer(numbers)


def counted(numbers: Numbers, name: str, forms: list[str]) -> str:
    """A number with its noun: of two forms as in English, of three as in Russian."""
    count = numbers[name]
    if len(forms) == 2:
        return f"{count} {forms[count != 1]}"
    if count % 10 == 1 and count % 100 != 11:
        return f"{count} {forms[0]}"
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return f"{count} {forms[1 if few else 2]}"


def write(folder: Path) -> None:
    """Writes one JSON Lines file a split."""
    for split in STORIES:
        lines = (json.dumps(case, ensure_ascii=False) + "\n" for case in cases(split))
        (folder / f"{split}.jsonl").write_bytes("".join(lines).encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

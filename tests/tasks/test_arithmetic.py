"""The arithmetic task: its files are what its generator writes."""

import json
from collections import Counter
from pathlib import Path

import pytest

from assay.keys import JSON
from assay.tasks.arithmetic import generate
from assay.tasks.arithmetic.stories import NAMES, STORIES

FOLDER = Path(generate.__file__).parent


def _read(split: str) -> list[dict[str, JSON]]:
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text("utf-8").splitlines()]


def test_the_generator_reproduces_the_files_byte_for_byte(tmp_path):
    generate.write(tmp_path)
    for split in STORIES:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()


@pytest.mark.parametrize(("split", "count"), [("test", 120), ("validation", 30)])
def test_each_language_and_difficulty_has_its_share(split, count):
    cases = _read(split)
    assert len(cases) == count
    cells = Counter((case["tags"]["language"], case["tags"]["difficulty"]) for case in cases)
    assert set(cells.values()) == {count // 6}
    assert len(cells) == 6
    assert len({case["input"] for case in cases}) == len({case["id"] for case in cases}) == count


def test_answers_are_whole_and_not_negative():
    assert all(
        type(case["target"]) is int and case["target"] >= 0 for split in STORIES for case in _read(split)
    )


def test_no_slot_is_left_in_a_text():
    assert not any(mark in case["input"] for split in STORIES for case in _read(split) for mark in "[]{}|")


def test_splits_share_no_story_and_no_name():
    texts = {split: {s.text for cell in STORIES[split].values() for s in cell} for split in STORIES}
    assert not texts["test"] & texts["validation"]
    names = {split: {n for group in NAMES[split].values() for n in group} for split in NAMES}
    assert not names["test"] & names["validation"]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 рубль"),
        (2, "2 рубля"),
        (5, "5 рублей"),
        (11, "11 рублей"),
        (21, "21 рубль"),
        (112, "112 рублей"),
        (104, "104 рубля"),
    ],
)
def test_russian_nouns_follow_their_number(count, said):
    assert generate.counted({"a": count}, "a", ["рубль", "рубля", "рублей"]) == said


@pytest.mark.parametrize(
    ("story", "numbers", "answer"),
    [
        (("en", "hard", 0), {"a": 2000, "b": 20, "c": 12, "d": 3, "e": 2000, "f": 10}, (12 + 15) * 10 - 20),
        (("en", "hard", 1), {"a": 1000, "b": 100, "c": 3, "d": 50, "e": 40}, 12 * (1050 + 950)),
        (("en", "hard", 2), {"a": 5, "b": 50, "c": 10, "d": 12, "e": 30, "f": 4}, 250 - 50 + 12 - 4),
        (("ru", "hard", 0), {"a": 100, "b": 10, "c": 8, "d": 5, "e": 1960}, 100 * 8 + 110 * 8 - 5),
        (("ru", "hard", 1), {"a": 10, "b": 3, "c": 2, "d": 30}, 8 * 4 + 3 * 6),
        (("ru", "hard", 2), {"a": 2, "b": 100, "c": 3, "d": 20, "e": 5}, 2 * 100 + 3 * 80),
        (("ru", "medium", 0), {"a": 500, "b": 100, "c": 2, "d": 3}, 1000 + 1200),
    ],
)
def test_a_storys_formula_is_the_answer_worked_out_by_hand(story, numbers, answer):
    language, level, place = story
    assert STORIES["test"][language, level][place].answer(numbers) == answer

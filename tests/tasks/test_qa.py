"""The built-in task qa: its data, the generator that makes them, and the answers that are accepted."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from assay.errors import UsageError
from assay.keys import JSON
from assay.tasks.json_extraction.facts import Fact
from assay.tasks.json_extraction.words import MONTHS
from assay.tasks.qa import generate
from assay.tasks.qa.answers import answer

FOLDER = Path(str(files("assay.tasks.qa")))
SPLITS = ("train", "validation", "test")


@cache
def cases(split: str) -> tuple[dict[str, JSON], ...]:
    return tuple(json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text("utf-8").splitlines())


@cache
def drafts(split: str) -> tuple[generate.Draft, ...]:
    return tuple(generate.drafts(split))


def five_grams(text: str) -> set[tuple[str, ...]]:
    said = re.findall(r"\w+", text.lower())
    return set(zip(*(said[start:] for start in range(5)), strict=False))


def amount(phrase: str) -> float:
    return float(phrase.replace(",", ""))


def day(phrase: str) -> date:
    number, year = (int(found) for found in re.findall(r"\d+", phrase))
    return date(year, next(at for at, name in enumerate(MONTHS["en"], 1) if name in phrase), number)


def expected(rule: str, phrases: dict[str, str]) -> str:
    """The answer worked out again, from the phrases of the passage alone."""
    first, *rest = rule.partition(" / ")[0].split(" ")
    if not rest:
        return phrases[first]
    if first in {"most", "least"}:
        pairs = [pair.split("=") for pair in rest]
        chosen = (max if first == "most" else min)(pairs, key=lambda pair: amount(phrases[pair[0]]))[1]
        return chosen.removeprefix("#") if chosen.startswith("#") else phrases[chosen]
    if first == "days":
        return str((day(phrases[rest[1]]) - day(phrases[rest[0]])).days)
    numbers = [amount(phrases[slot]) for slot in rest]
    value = sum(numbers) if first == "sum" else abs(numbers[0] - numbers[1])
    return str(int(value)) if abs(value - round(value)) < 1e-9 else f"{value:.2f}"


def test_each_split_has_its_number_of_cases_and_the_slices_are_exact() -> None:
    assert [len(cases(split)) for split in SPLITS] == [2000, 30, 120]
    slices = Counter(case["tags"]["kind"] for split in SPLITS[1:] for case in cases(split))
    assert slices == {"factual": 60, "reasoning": 50, "multi-hop": 40}


def test_ids_and_inputs_are_unique_over_all_splits() -> None:
    every = [case for split in SPLITS for case in cases(split)]
    assert len({case["id"] for case in every}) == 2150
    assert len({case["input"] for case in every}) == 2150


def test_the_generator_reproduces_the_files_byte_for_byte(tmp_path: Path) -> None:
    generate.generate(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()
    assert (FOLDER / "train.jsonl").stat().st_size < 2_500_000


def test_every_kind_has_its_templates_in_every_split() -> None:
    for split, least in (("train", 8), ("validation", 3), ("test", 3)):
        used = {(draft.line["tags"]["kind"], draft.template) for draft in drafts(split)}
        number = Counter(kind for kind, _ in used)
        assert set(number) == {"factual", "reasoning", "multi-hop"}
        assert min(number.values()) >= least, split


def test_no_template_is_shared_between_splits() -> None:
    known = {split: generate.templates(split) for split in SPLITS}
    names = [template.name for split in SPLITS for template in known[split]]
    assert len(names) == len(set(names))
    for one, other in combinations(SPLITS, 2):
        for template in known[one]:
            phrases = five_grams(re.sub(r"\{[^}]*\}", " ", template.text))
            for against in known[other]:
                shared = phrases & five_grams(re.sub(r"\{[^}]*\}", " ", against.text))
                assert len(shared) <= 0.1 * len(phrases), (template.name, against.name, shared)


def test_no_entity_is_shared_between_splits() -> None:
    used = {split: frozenset().union(*(draft.names for draft in drafts(split))) for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        assert not used[one] & used[other]
    for split in SPLITS:
        alternatives = "|".join(re.escape(name) for name in sorted(used[split], key=len, reverse=True))
        pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")
        for other in SPLITS:
            found = pattern.search("\n".join(case["input"] for case in cases(other)))
            assert (found is not None) == (split == other), (split, other, found)


def test_no_input_of_one_split_nearly_repeats_one_of_another() -> None:
    for one, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        where: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index, case in enumerate(cases(other)):
            for gram in five_grams(case["input"]):
                where[gram].append(index)
        for case in cases(one):
            grams = five_grams(case["input"])
            overlap = Counter(index for gram in grams for index in where.get(gram, ()))
            assert max(overlap.values(), default=0) <= 0.1 * len(grams), case["input"]


def test_every_answer_follows_from_phrases_that_stand_in_the_passage() -> None:
    for split in SPLITS:
        for draft in drafts(split):
            passage = draft.line["input"].rpartition("\n\n")[0]
            head, *rest = draft.rule.partition(" / ")[0].split(" ")
            slots = [part.partition("=")[0] for part in rest] or [head]
            for slot in slots:
                assert draft.phrases[slot] in passage
            forms = draft.line["target"]["any_of"]
            assert expected(draft.rule, draft.phrases) in {*forms, *(f"{form}.00" for form in forms)}, draft


def test_an_extreme_is_never_a_tie() -> None:
    for split in SPLITS:
        for draft in drafts(split):
            head, *rest = draft.rule.split(" ")
            if head in {"most", "least"}:
                values = [draft.phrases[pair.partition("=")[0]] for pair in rest]
                assert len(set(values)) == len(values), draft


def test_a_question_never_gives_its_answer_away() -> None:
    for split in SPLITS:
        for case in cases(split):
            question = case["input"].rpartition("\n\n")[2]
            assert case["target"]["any_of"][0] not in re.findall(r"\d+|.+", question)
            if case["tags"]["kind"] != "reasoning":
                assert case["target"]["any_of"][0] not in question, case


def test_a_target_lists_distinct_forms_that_are_not_blank() -> None:
    for split in SPLITS:
        for case in cases(split):
            assert set(case) == {"id", "input", "target", "tags"}
            forms = case["target"]["any_of"]
            assert forms
            assert all(isinstance(form, str) and form.strip() for form in forms)
            assert len(set(forms)) == len(forms)


def test_the_task_file_names_files_that_are_there() -> None:
    task = YAML(typ="safe", pure=True).load((FOLDER / "task.yaml").read_text("utf-8"))
    assert task["name"] == FOLDER.name
    assert task["headline"] == "exact"
    assert task["headline"] in task["scorers"]
    for name in (*task["cases"].values(), *task["prompt"].values()):
        assert (FOLDER / name).is_file()


FACTS = {
    "person": Fact("person", "Ada Byron", "en"),
    "date": Fact("date", "2026-03-09", "en"),
    "end": Fact("end", "2026-04-01", "en"),
    "time": Fact("time", "09:00", "en"),
    "qty": Fact("qty", 7, "en"),
    "qty2": Fact("qty", 12, "en"),
    "many": Fact("many", 1500, "en"),
    "fee": Fact("fee", 10.1, "en"),
    "fee2": Fact("fee", 10.2, "en"),
    "thing": Fact("thing", "otter Pip", "en"),
}


@pytest.mark.parametrize(
    ("rule", "forms"),
    [
        ("person", ("Ada Byron", "Byron")),
        ("date", ("9 March 2026", "March 9, 2026", "2026-03-09")),
        ("time", ("09:00", "9:00", "9:00 am", "9 am")),
        ("thing", ("otter Pip", "Pip")),
        ("qty / years", ("7", "seven", "7 years", "seven years")),
        ("many", ("1500", "1,500")),
        ("sum qty qty2", ("19", "nineteen")),
        ("diff qty qty2", ("5", "five")),
        ("sum fee fee2 / dollars", ("20.30", "20.30 dollars", "$20.30")),
        ("days date end", ("23",)),
        ("most qty=person qty2=thing", ("otter Pip", "Pip")),
        ("least qty=#Monday qty2=#Tuesday", ("Monday",)),
    ],
)
def test_a_rule_gives_the_forms_that_are_accepted(rule: str, forms: tuple[str, ...]) -> None:
    assert answer(rule, FACTS.__getitem__, "en").forms == forms


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="divide"):
        answer("divide qty qty2", FACTS.__getitem__, "en")

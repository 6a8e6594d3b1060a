"""The built-in task json_extraction: its data, their generator, and the rules that must fail."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from random import Random

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from assay.errors import UsageError
from assay.keys import JSON
from assay.message import Request, say
from assay.tasks.json_extraction import generate, words
from assay.tasks.json_extraction.baseline import baseline, extract
from assay.tasks.json_extraction.facts import Fact
from assay.tasks.json_extraction.spelling import spell
from assay.tasks.json_extraction.template import Evidence, Rows, Scene, read_templates

FOLDER = Path(str(files("assay.tasks.json_extraction")))
SPLITS = ("train", "validation", "test")
TYPES = {"order", "invoice", "contact", "event", "ticket", "listing"}
UNITS = {"weight_g": 1000, "length_cm": 100, "hull": 100, "dose_mg": 1000, "minutes": 60}


@cache
def cases(split: str) -> tuple[dict[str, JSON], ...]:
    return tuple(json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text("utf-8").splitlines())


@cache
def drafts(split: str) -> tuple[generate.Draft, ...]:
    return tuple(generate.drafts(split))


def evaluated() -> tuple[dict[str, JSON], ...]:
    return (*cases("validation"), *cases("test"))


def five_grams(text: str) -> set[tuple[str, ...]]:
    said = re.findall(r"\w+", text.lower())
    return set(zip(*(said[start:] for start in range(5)), strict=False))


def leaves(value: JSON, at: str = "") -> dict[str, JSON]:
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in leaves(part, f"{at}/{key}").items()}
    if isinstance(value, list):
        return {k: v for i, part in enumerate(value) for k, v in leaves(part, f"{at}/{i}").items()}
    return {at: value}


def read_number(phrase: str, language: str) -> float | None:
    if phrase in words.NUMBERS[language]:
        return words.NUMBERS[language].index(phrase)
    plain = phrase.replace(" ", "")
    if language == "en":
        plain = plain.replace(",", "")
    else:
        plain = re.sub(r"\.(?=\d{3}\b)", "", plain).replace(",", ".")
    return float(plain) if re.fullmatch(r"\d+(\.\d+)?", plain) else None


def read_date(phrase: str, language: str, since: str | None) -> date:
    if since is not None:
        days = {said: ahead for ahead, said in words.LATER[language].items()}[phrase]
        return date.fromisoformat(since) + timedelta(days=days)
    if found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", phrase):
        return date(*map(int, found.groups()))
    if found := re.fullmatch(r"(\d\d)\.(\d\d)\.(\d{4})", phrase):
        return date(int(found[3]), int(found[2]), int(found[1]))
    year = int(re.findall(r"\d{4}", phrase)[0])
    before = phrase.partition(str(year))[0]
    month = next(
        at
        for at, name in enumerate(words.MONTHS[language], 1)
        if name in phrase or (language == "en" and re.search(rf"\b{name[:3]}\b", phrase))
    )
    digits = re.search(r"\b\d{1,2}\b", phrase)
    if digits:
        return date(year, month, int(digits[0]))
    said = before.replace("the ", "").replace(" of ", " ").replace(" de ", " ").strip()
    said = said.removesuffix(words.MONTHS[language][month - 1]).strip()
    return date(year, month, words.DAYS[language].index(said) + 1)


def read_time(phrase: str, language: str) -> str:
    if found := re.fullmatch(r"(\d{1,2})[:.h](\d\d)(?: ([ap])m)?", phrase):
        hour = int(found[1]) % 12 + (12 if found[3] == "p" else 0) if found[3] else int(found[1])
        return f"{hour:02}:{found[2]}"
    part = next(at for at, name in enumerate(words.DAY_PARTS[language]) if phrase.endswith(name))
    half = any(mark in phrase for mark in ("half past", "halb", "y media"))
    names = [*words.NUMBERS[language][:13]]
    hour = max(
        at for at, name in enumerate(names) if re.search(rf"\b{name}\b", phrase.replace("ein Uhr", "eins"))
    )
    hour -= language == "de" and half
    return f"{hour % 12 + (0 if part == 0 else 12):02}:{30 if half else 0:02}"


def spellings(value: JSON, why: Evidence, language: str) -> set[str]:
    """The texts that say a name or a choice."""
    if why.kind in words.CHOICES:
        said = words.CHOICES[why.kind][value].get(language) or words.CHOICES[why.kind][value]["en"]
        return {said, said.capitalize(), said.upper()}
    if why.kind == "currency":
        return {value, *words.CURRENCIES[value].values()}
    if why.kind == "person":
        return {value, ", ".join(reversed(value.split(" ", 1)))}
    return {value}


def follows(value: JSON, why: Evidence, language: str) -> bool:
    """Whether the phrase, read anew, says the value."""
    if isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        read = read_number(why.phrase, language)
        return read is not None and value in {read, round(read * UNITS.get(why.kind, 1))}
    if why.kind in {"date", "due", "start", "end", "born"}:
        return read_date(why.phrase, language, why.since).isoformat() == str(value)
    if why.kind in {"time", "slot"}:
        return read_time(why.phrase, language) == str(value)
    return why.phrase in spellings(value, why, language)


def test_each_split_has_its_number_of_cases_and_the_slices_are_exact() -> None:
    assert [len(cases(split)) for split in SPLITS] == [2000, 30, 120]
    slices = Counter(case["tags"]["difficulty"] for case in evaluated())
    assert slices == {"easy": 50, "medium": 50, "hard": 30, "domain-specific": 20}


def test_ids_and_inputs_are_unique_over_all_splits_and_lines_hold_fields_of_a_case_only() -> None:
    every = [case for split in SPLITS for case in cases(split)]
    assert len({case["id"] for case in every}) == 2150
    assert len({case["input"] for case in every}) == 2150
    assert all(set(case) == {"id", "input", "target", "tags", "schema"} for case in every)


def test_the_generator_reproduces_the_files_byte_for_byte(tmp_path: Path) -> None:
    generate.generate(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()
    assert (FOLDER / "train.jsonl").stat().st_size < 2_500_000


def test_every_type_has_its_templates_in_every_split() -> None:
    for split, least in (("train", 8), ("validation", 3), ("test", 3)):
        used = {(draft.line["tags"]["type"], draft.template) for draft in drafts(split)}
        number = Counter(kind for kind, _ in used)
        assert set(number) == TYPES
        assert min(number.values()) >= least, split


def test_no_template_is_shared_between_splits() -> None:
    texts = {split: [template.text for template in generate.templates(split)] for split in SPLITS}
    assert len({text for split in SPLITS for text in texts[split]}) == sum(map(len, texts.values()))
    for one, other in combinations(SPLITS, 2):
        for text in texts[one]:
            phrases = five_grams(re.sub(r"\{[^}]*\}", " ", text))
            for against in texts[other]:
                shared = phrases & five_grams(re.sub(r"\{[^}]*\}", " ", against))
                assert len(shared) <= 0.1 * len(phrases), (text, against)


def test_no_entity_is_shared_between_splits() -> None:
    used = {split: frozenset().union(*(draft.names for draft in drafts(split))) for split in SPLITS}
    pooled = {
        split: {name.casefold() for names in generate.pools(split).values() for name in names}
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert not used[one] & used[other]
        assert not pooled[one] & pooled[other]


def test_no_entity_of_one_split_stands_in_the_texts_of_another() -> None:
    for split in SPLITS:
        names = {name for draft in drafts(split) for name in draft.names}
        alternatives = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")
        for other in SPLITS:
            texts = "\n".join(case["input"] for case in cases(other))
            found = pattern.search(texts)
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


def test_every_target_satisfies_its_own_schema_with_formats_asserted() -> None:
    for split in SPLITS:
        for case in cases(split):
            check = jsonschema_rs.Draft202012Validator(case["schema"], validate_formats=True)
            check.validate(case["target"])


def test_a_schema_refuses_a_missing_key_an_unknown_key_and_a_wrong_format() -> None:
    for case in evaluated():
        check = jsonschema_rs.Draft202012Validator(case["schema"], validate_formats=True)
        target = case["target"]
        first = next(iter(target))
        assert not check.is_valid({key: value for key, value in target.items() if key != first})
        assert not check.is_valid({**target, "unknown": 1})
        for key, part in case["schema"]["properties"].items():
            if "format" in part:
                assert not check.is_valid({**target, key: "not in this format"})


def test_every_leaf_of_a_target_follows_from_a_phrase_of_its_text() -> None:
    for split in SPLITS:
        for draft in drafts(split):
            text, language = draft.line["input"], draft.line["tags"]["language"]
            found = leaves(draft.line["target"])
            assert set(found) == set(draft.evidence)
            for at, value in found.items():
                why = draft.evidence[at]
                if why is None:
                    assert value is None
                    continue
                assert why.phrase in text, (at, why, text)
                assert follows(value, why, language), (at, value, why, text)


def test_a_total_is_the_sum_of_its_lines() -> None:
    seen = 0
    for split in SPLITS:
        for case in cases(split):
            if {"lines", "total"} <= set(case["target"]):
                cents = sum(
                    round(100 * row["unit_price"]) * row["quantity"] for row in case["target"]["lines"]
                )
                assert cents == round(100 * case["target"]["total"])
                seen += 1
    assert seen > 50


def test_a_gross_amount_is_the_net_amount_with_its_tax() -> None:
    seen = 0
    for split in SPLITS:
        for case in cases(split):
            if {"net", "vat_percent", "gross"} <= set(case["target"]):
                net, percent, gross = (case["target"][key] for key in ("net", "vat_percent", "gross"))
                assert abs(gross - net * (100 + percent) / 100) < 0.01
                seen += 1
    assert seen > 20


def test_the_hard_slice_has_what_makes_it_hard() -> None:
    for split in SPLITS:
        hard = [case for case in cases(split) if case["tags"]["difficulty"] == "hard"]
        assert {case["tags"]["language"] for case in hard} == {"en", "ru", "de", "es"}
        assert {case["tags"]["type"] for case in hard} == TYPES
        arrays = [case for case in hard if any(isinstance(v, list) for v in case["target"].values())]
        assert len(arrays) >= len(hard) / 3
        assert sum(None in leaves(case["target"]).values() for case in hard) >= len(hard) / 2
        assert any("\\" in json.dumps(case["target"], ensure_ascii=False) for case in hard)
        assert any(key.endswith(("_g", "_cm", "minutes")) for case in hard for key in case["target"])
    deep = [
        case for case in cases("test") if any(re.search(r"/\d+/\w+/\d+", at) for at in leaves(case["target"]))
    ]
    assert deep


def test_texts_and_targets_stay_small_enough_for_the_sampling_of_the_task() -> None:
    for split in SPLITS:
        for case in cases(split):
            assert len(case["input"]) < 900
            assert len(json.dumps(case["target"], ensure_ascii=False)) < 800


def test_the_task_file_names_files_that_are_there() -> None:
    task = YAML(typ="safe", pure=True).load((FOLDER / "task.yaml").read_text("utf-8"))
    assert task["name"] == FOLDER.name
    assert task["scorers"] == ["json_valid", "json_schema", "json_fields", "json_exact"]
    assert task["headline"] == "json_exact"
    assert task["response"] == {"format": "json_schema"}
    assert task["sampling"] == {"temperature": 0, "max_tokens": 512}
    for name in (*task["cases"].values(), *task["prompt"].values()):
        assert (FOLDER / name).is_file()
    assert (FOLDER / "user.txt").read_text("utf-8").count("{{INPUT}}") == 1


@pytest.mark.parametrize(
    ("kind", "value", "language", "style", "said"),
    [
        ("date", "2026-05-21", "ru", "words", "двадцать первого мая 2026 года"),
        ("date", "2026-03-03", "en", "words", "the third of March 2026"),
        ("date", "2026-10-31", "de", "words", "einunddreißigsten Oktober 2026"),
        ("date", "2026-05-21", "de", "words", "einundzwanzigsten Mai 2026"),
        ("date", "2026-02-24", "ru", "words", "двадцать четвёртого февраля 2026 года"),
        ("date", "2027-01-22", "es", "words", "veintidós de enero de 2027"),
        ("time", "14:30", "de", "words", "halb drei nachmittags"),
        ("time", "12:30", "de", "words", "halb eins nachmittags"),
        ("time", "13:00", "de", "words", "ein Uhr nachmittags"),
        ("time", "13:30", "es", "words", "la una y media de la tarde"),
        ("time", "12:00", "en", "pm", "12:00 pm"),
        ("price", 1234.5, "en", "", "1,234.50"),
        ("price", 1234.5, "de", "", "1.234,50"),
        ("price", 1234.5, "ru", "", "1 234,50"),
        ("qty", 12, "ru", "words", "двенадцать"),
        ("weight_g", 4250, "de", "thousandth", "4,25"),
        ("minutes", 90, "en", "sixtieth", "1.5"),
        ("person", "Анна Воронцова", "ru", "turned", "Воронцова, Анна"),
    ],
)
def test_a_value_is_spelt_as_its_language_does(
    kind: str, value: JSON, language: str, style: str, said: str
) -> None:
    assert spell(Fact(kind, value, language), style) == said


def test_a_template_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UsageError, match=r"broken\.txt"):
        read_templates("== order.e1 easy\n---\ntext\n", "broken.txt")


def test_a_template_is_read_with_its_rows() -> None:
    text = '== order.x hard de\ntarget: {"a": "person"}\nrows 2-3 "; ": {qty} x {product}\n---\nHi {person}\n'
    (template,) = read_templates(text, "x.txt")
    assert (template.type, template.difficulty, template.lang) == ("order", "hard", "de")
    assert template.rows == {"rows": Rows(2, 3, "; ", "{qty} x {product}")}
    assert template.target == {"a": "person"}
    assert template.text == "Hi {person}"


def test_a_later_price_of_a_listing_is_a_reduced_one() -> None:
    for seed in range(50):
        scene = Scene(Random(seed), "en", generate.pools("test"), set())
        first, second, third = (scene.fact(slot).value for slot in ("price", "price2", "price3"))
        assert first > second > third > 0


async def share_right(wanted: str) -> float:
    model, prompt = baseline(), (FOLDER / "user.txt").read_text("utf-8")
    chosen = [case for case in evaluated() if case["tags"]["difficulty"] == wanted]
    right = 0
    for case in chosen:
        asked = say("user", prompt.replace("{{INPUT}}", case["input"]))
        reply = await model.ask(Request((say("system", "Extract."), asked), schema=case["schema"]))
        right += json.loads(reply.text) == case["target"]
    await model.close()
    return right / len(chosen)


async def test_the_rules_get_a_fair_share_of_easy_and_fail_most_of_hard() -> None:
    assert await share_right("easy") >= 0.5
    assert await share_right("hard") <= 0.1
    assert await share_right("medium") < await share_right("easy")


async def test_the_rules_answer_every_case_with_an_object_that_has_the_keys_of_its_schema() -> None:
    for case in evaluated():
        assert list(extract(case["input"], case["schema"])) == list(case["schema"]["properties"])


@pytest.mark.parametrize("schema", [None, True, {}, {"properties": None}, {"properties": {"a": {}}}])
async def test_the_rules_survive_any_schema(schema: JSON) -> None:
    reply = await baseline().ask(Request((say("user", "a: 1"),), schema=schema))
    assert isinstance(json.loads(reply.text), dict)


async def test_the_rules_read_a_labelled_form() -> None:
    schema = {
        "type": "object",
        "properties": {
            "order_id": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "total": {"type": "number"},
            "quantity": {"type": "integer"},
            "priority": {"type": "string", "enum": ["low", "high"]},
        },
    }
    text = "Order ID: A 7\nDate: 3 March 2026\nTotal: 1,204.50\nQuantity: 12\nPriority: High"
    assert extract(text, schema) == {
        "order_id": "A 7",
        "date": "2026-03-03",
        "total": 1204.5,
        "quantity": 12,
        "priority": "high",
    }

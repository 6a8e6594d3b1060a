"""Plants faults of simulated customers: transcripts, half with one fault, half innocent look-alikes.

Each folder of `planted/` is a bank by one hand: `ru.txt` and `en.txt` hold candidate lines, written from the
definitions of the faults and without sight of the guard; `ru.json` and `en.json` hold the calls around them.
All draws come from the seed.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from msgspec import Struct

HERE = Path(__file__).parent / "planted"
SECTION = re.compile(r"\[(\w+) (fault|innocent)\]")
LINE = re.compile(
    r"(?P<stages>\d+)(?:!(?P<reason>\w+))?(?:@(?P<history>\w+))?(?: <(?P<asked>[^|]+))? \|(?: (?P<text>.*))?"
)
ORDER = "12345679"  # how a call goes; 8 and 0 take the place of what follows the order's first lines
SKINS = {
    "blank": ["   ", " ", "\t"],
    "zero_width": ["\u200b", "\u200b\u200b", "\ufeff", "\u2060"],
    "newlines": ["\n", "\n\n", "\r\n"],
    "spaces_and_zero_width": ["\u00a0", "\u00a0\u200b ", " \u2009"],
    "empty_quotes": ['""', "«»", "''"],
}


class Template(Struct, frozen=True):
    """A candidate line as written, and where in a call it may stand."""

    kind: str
    fault: bool
    stages: str
    reason: str | None
    history: str | None
    asked: str | None
    """The agent's last line, where it is not one of the stage's."""
    text: str


class Bank:
    """The lines and the calls of one hand, in one language."""

    def __init__(self, folder: Path, language: str) -> None:
        self.language = language
        self.words = json.loads((folder / f"{language}.json").read_text("utf-8"))
        self.templates = list(self._read(folder / f"{language}.txt"))

    @staticmethod
    def _read(path: Path) -> Iterator[Template]:
        kind, fault = "", False
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if section := SECTION.fullmatch(line):
                kind, fault = section[1], section[2] == "fault"
            elif read := LINE.fullmatch(line):
                yield Template(kind, fault, **{**read.groupdict(), "text": read["text"] or ""})
            elif line and not line.startswith("#"):
                raise SystemExit(f"{path}:{number}: neither a section nor a line: {line}")


class Call:
    """One customer, what it knows, what was said, and the values for the slots of a line."""

    def __init__(self, bank: Bank, random: Random, template: Template) -> None:
        self.random, self.language, self.words = random, bank.language, bank.words
        shop = random.choice(self.words["shops"])
        self.item = random.choice(shop["items"])
        self.others = random.sample(shop["others"], 2)
        self.qty = random.randint(2, 5)
        self.unknown = random.choice(self.words["unknown"])
        self.story = random.choice(self.words["stories"])
        self.values = self._values(shop["shop"])
        self.values["opening"] = self._fill(random.choice(self.words["normal"]["1"]))
        self.stage = random.choice(template.stages)
        self.lines = self._lines(template)

    def brief(self) -> dict[str, object]:
        v, random = self.values, self.random
        known = [
            {"id": "addr", "text": f"{self.words['address']}: {v['address']}", "volunteer": "when_asked"},
            {"id": "extra", "text": v["always_fact"], "volunteer": "always"},
            {"id": "story", "text": self.story, "volunteer": "when_asked"},
        ]
        unknown: object = self.unknown[0]
        if random.random() < 0.3:
            unknown = {"text": self.unknown[0], "value": v["unknown_value"]}
        return {
            "goal": [{"name": self.item[0], "qty": self.qty}],
            "ambiguity": 0,
            "patience": int(v["patience"]),
            "personality": v["personality"],
            "phone": v["phone"],
            "name": v["name"],
            "city": v["city"],
            "sheet": {
                "known": known,
                "unknown": [unknown],
                "must_have": [random.choice(self.words["must"])],
                "accept": [random.choice(self.words["accept"])],
                "refuse": [random.choice(self.words["refuse"])],
                "give_up_when": self.words["give_up"],
                "done_when": self.words["done_when"],
            },
        }

    def said(self, template: Template) -> str:
        return self._fill(template.text)

    def _fill(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] in SKINS:
                return self.random.choice(SKINS[match[1]])
            return str(self.values[match[1]])

        filled = re.sub(r"\{([a-z][a-z_0-9]*)\}", value, text)
        return filled[:1].upper() + filled[1:] if not filled.startswith("from_") else filled

    def _values(self, shop: str) -> dict[str, str]:
        random, words = self.random, self.words
        digits = "".join(str(random.randint(0, 9)) for _ in range(7))
        others = ["".join(str(random.randint(0, 9)) for _ in range(7)) for _ in range(2)]
        code, other_code = random.sample(["900", "916", "926", "903", "985"], 2)
        street, house = random.choice(words["streets"]), random.randint(2, 98)
        price, hour = random.randint(12, 60) * 10, random.randint(9, 15)
        unit_one, unit_few, unit_many = self.item[2].split(" ")
        unit = unit_many if self.qty > 4 else unit_few
        number = words["numbers"][str(self.qty)][0 if unit_one in words["feminine"] else 1]
        goal = [{"name": self.item[0], "qty": self.qty}]
        spaced = f"{digits[:3]} {digits[3:5]} {digits[5:]}"
        other_house = random.choice([n for n in range(101, 160) if n != house])
        story = self.story.split(" ")
        start = random.randint(0, len(story) - 9)
        sentences, always = words["sentences"], random.choice(words["always"])
        street_first = f"{street}, {house}" if self.language == "ru" else f"{house} {street}"
        other_street = random.choice(words["other_streets"])
        return {
            "shop": shop, "item": self.item[0], "item_acc": self.item[1],
            "item_cap": self.item[0][:1].upper() + self.item[0][1:],
            "other_item": self.others[0], "other_item2": self.others[1],
            "qty": str(self.qty), "qty_words": f"{number} {unit}",
            "price": str(price), "total": str(price * self.qty), "sub_price": str(price + 30),
            "other_price": str(price * self.qty + random.randint(3, 9) * 100 + 7),
            "t1": str(hour), "t2": str(hour + 2), "other_hour": str(random.choice([20, 21, 22])),
            "order": f"{random.randint(100, 9999):05d}", "other_number": str(random.randint(7101, 7999)),
            "agent_date": random.choice(words["dates"]), "other_date": random.choice(words["other_dates"]),
            "phone": f"+7{code}{digits}", "phone_spaced": f"+7 {code} {spaced}",
            "other_phone": f"+7{other_code}{others[0]}", "other_phone2": f"+7{other_code}{others[1]}",
            "other_phone_spaced": f"8 {other_code} {others[0][:3]}-{others[0][3:5]}-{others[0][5:]}",
            "name": random.choice(words["names"]), "city": random.choice(words["cities"]),
            "address": street_first, "address_street": street, "address_house": str(house),
            "other_address": f"{other_street}, {other_house}" if self.language == "ru"
            else f"{other_house} {other_street}",
            "other_house": str(other_house), "other_small": str(random.randint(6, 8)),
            "other_index": str(random.randint(101000, 199999)),
            "other_sku": f"{random.choice(['KX', 'ART', 'PRD'])}-{random.randint(300, 999)}",
            "personality": random.choice(words["personalities"]),
            "patience": str(random.randint(0, 3)), "amb": str(random.randint(1, 3)),
            "goal_json": json.dumps(goal, ensure_ascii=False),
            "brief_span": " ".join(story[start : start + random.randint(9, 12)]),
            "brief_fields": f'"goal": {json.dumps(goal, ensure_ascii=False)}, "phone": "+7{code}{digits}"',
            "give_up": words["give_up"], "always_fact": always[1],
            "unknown": self.unknown[0], "unknown_cap": self.unknown[0][:1].upper() + self.unknown[0][1:],
            "unknown_value": random.choice(self.unknown[2]), "ask_unknown": self.unknown[1],
            "continue_how": random.choice(words["continue"]),
            "ramble": " ".join(sentences[random.randint(0, 1) :]),
            "long_story": " ".join(random.sample(sentences[2:], 3)),
            "long_address_story": f"{street_first}. {' '.join(random.sample(sentences[4:8], 2))}",
        }  # fmt: skip

    def _lines(self, template: Template) -> list[dict[str, str]]:
        """What was said before the candidate, up to the agent's line of its stage."""
        before = ORDER[: ORDER.index(self.stage)] if self.stage in ORDER else "123"
        if self.stage == "9":
            before = "123"
        if self.stage == "8":
            before = "12"
        if self.stage == "1" and template.asked is None and self.random.random() < 0.25:
            return []
        lines: list[dict[str, str]] = []
        for stage in (*before, self.stage):
            asked = template.asked if stage == self.stage else None
            self._speak(lines, "agent", asked or self.random.choice(self.words["agents"][stage]))
            if stage != self.stage:
                said = "opening" if stage == "1" else ""
                self._speak(
                    lines,
                    "client",
                    self.values[said] if said else self.random.choice(self.words["normal"][stage]),
                )
        self.values["normal"] = self._fill(self.random.choice(self.words["normal"][self.stage]))
        if template.history is not None:
            self._repeat(lines, template.history)
        return lines

    def _speak(self, lines: list[dict[str, str]], side: str, text: str) -> None:
        lines.append({"side": side, "text": self._fill(text)})

    def _repeat(self, lines: list[dict[str, str]], history: str) -> None:
        """Turns the history so that the candidate repeats a line of the client's, or nearly."""
        line = self.values["opening"]
        if history == "asked_again":
            asked, answer = lines[-1]["text"], self._fill("{phone}." if self.stage == "2" else "{address}.")
            again = [{"side": "client", "text": answer}, {"side": "agent", "text": asked}]
            lines += again * 2
        elif history in ("twice", "near") and self.stage in "3456":
            replaced = next(at for at in (3, 5) if lines[at]["side"] == "client")
            lines[replaced] = {"side": "client", "text": line}
        self.values |= {
            "repeat": line,
            "repeat_shouted": line.upper(),
            "repeat_punctuated": line.rstrip(".!") + "!!!",
            "repeat_spaced": "  ".join(line.split(" ")),
            "repeat_changed": line.rstrip(".")
            + (", и поскорее." if self.language == "ru" else ", and soon."),
        }


def planted(bank: Bank, each: int, seed: int, half: str | None = None) -> Iterator[dict[str, object]]:
    """`each` transcripts a kind with a fault and as many innocent ones, no two the same.

    With a `half` every second written line only: `seen` is for building a guard, `unseen` for judging it.
    """
    language = bank.language
    groups: dict[tuple[str, bool], list[Template]] = {}
    for template in bank.templates:
        groups.setdefault((template.kind, template.fault), []).append(template)
    for (kind, fault), written in groups.items():
        group = written if half is None else written[half == "unseen" :: 2]
        seen: set[str] = set()
        for number in range(each * 50):
            if len(seen) == each:
                break
            template = group[number % len(group)]
            call = Call(bank, Random(f"{seed} {kind} {fault} {number} {language}"), template)
            call.values.setdefault("normal", call.values["opening"])
            candidate = {"text": call.said(template), "hang_up": template.reason}
            row: dict[str, object] = {
                "language": language,
                "brief": call.brief(),
                "lines": call.lines,
                "candidate": candidate,
            }
            if (key := json.dumps([call.lines, candidate])) in seen:
                continue
            seen.add(key)
            name = f"{kind}-{language}-{'fault' if fault else 'innocent'}-{len(seen):03d}"
            yield {"id": name, "kind": kind, "fault": kind if fault else None, **row}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--bank", type=Path, default=HERE / "first", help="a folder of planted/")
    arguments.add_argument("--each", type=int, default=120, help="a kind, a language, with and without fault")
    arguments.add_argument("--half", choices=("seen", "unseen"), help="every second written line only")
    arguments.add_argument("--seed", type=int, default=7)
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for language in ("ru", "en"):
        rows = list(planted(Bank(options.bank, language), options.each, options.seed, options.half))
        path = options.folder / f"planted_{language}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        print(f"{path}: {len(rows)}")


if __name__ == "__main__":
    main()

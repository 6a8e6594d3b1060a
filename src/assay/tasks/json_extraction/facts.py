"""One value of a case: how it is drawn, how its schema reads, and how a text may spell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from random import Random
from typing import Protocol

from msgspec import Struct

from assay.keys import JSON
from assay.tasks.json_extraction import words

ENTITIES = frozenset(
    {"company", "city", "street", "product", "venue", "title", "issue", "item", "role", "awkward", "path"}
    | {"lab", "drug", "port", "vessel", "part", "court", "thing", "place", "work"}
)
"""Kinds whose value is a name from a split's own pool; `person` is drawn from two."""

MONEY: dict[str, tuple[int, int]] = {
    "price": (9, 320),
    "net": (60, 2400),
    "gross": (60, 2400),
    "total": (40, 3600),
    "share": (5, 60),
    "fee": (6, 95),
    "freight": (850, 7400),
    "rent": (420, 2900),
    "worth": (90_000, 2_400_000),
}
"""Kinds that are amounts of money, with their least and greatest number of whole units."""

NUMBERED = frozenset(["order", "invoice", "ticket", "sku", "ref", "record"])
DATES = frozenset(["date", "sent", "due", "start", "end", "born"])
TIMES = frozenset(("time", "slot"))
_COUNTS: dict[str, tuple[int, int]] = {
    "qty": (2, 20),
    "guests": (12, 180),
    "rooms": (2, 5),
    "days": (3, 20),
    "seats": (4, 60),
    "age": (19, 88),
    "many": (120, 4800),
    "pence": (110, 980),
}
_MEASURES: dict[str, tuple[int, int, int]] = {
    "weight_g": (1, 40, 250),
    "length_cm": (2, 30, 10),
    "minutes": (1, 8, 30),
    "dose_mg": (1, 16, 125),
    "percent": (5, 25, 1),
    "area": (24, 180, 1),
    "year": (1961, 2021, 1),
    "hull": (120, 900, 10),
}


_TYPES = {
    **dict.fromkeys((*MONEY, "rate"), "number"),
    **dict.fromkeys((*_COUNTS, *_MEASURES), "integer"),
    "bool": "boolean",
}


class Fact(Struct, frozen=True):
    """A value that a case holds; `value` goes to the target; a relative date counts from `since`."""

    kind: str
    value: JSON
    lang: str
    since: str | None = None


class Drawing(Protocol):
    """What a value may depend on while it is drawn."""

    @property
    def rng(self) -> Random: ...

    @property
    def lang(self) -> str: ...

    def name(self, kind: str) -> str:
        """A name from the split's pool that the case has not used yet."""
        ...

    def fact(self, slot: str) -> Fact:
        """Another value of the same case, drawn if it is not there yet."""
        ...

    def has(self, slot: str) -> bool: ...

    def rows(self) -> list[Mapping[str, Fact]]:
        """The values of the rows of the case's list."""
        ...


def schema_of(kind: str) -> dict[str, JSON]:
    """The JSON Schema of a kind, without null."""
    choices = words.CURRENCIES if kind == "currency" else words.CHOICES.get(kind)
    if choices is not None:
        return {"type": "string", "enum": list(choices)}
    if kind in TIMES:
        return {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}
    formats = {"email": "email", "url": "uri", **dict.fromkeys(DATES, "date")}
    if kind in formats:
        return {"type": "string", "format": formats[kind]}
    return {"type": _TYPES.get(kind, "string")}


def draw(kind: str, suffix: str, scene: Drawing) -> Fact:
    """A value of the kind; `suffix` ties slots of one person or one list together."""
    rng, lang = scene.rng, scene.lang
    if kind in DATES:
        return _draw_date(kind, suffix, scene)
    if kind in ENTITIES:
        value: JSON = scene.name(kind)
    elif kind in words.CHOICES:
        value = rng.choice(list(words.CHOICES[kind]))
    elif kind in _COUNTS:
        value = rng.randint(*_COUNTS[kind])
    elif kind in _MEASURES:
        low, high, step = _MEASURES[kind]
        value = rng.randint(low, high) * step
    elif kind in NUMBERED:
        value = scene.name(f"prefix.{kind}") + str(rng.randint(1000, 98999))
    elif kind in MONEY:
        value = _draw_money(kind, suffix, scene)
    else:
        value = _DRAW[kind](suffix, scene)
    return Fact(kind, value, lang)


def _draw_date(kind: str, suffix: str, scene: Drawing) -> Fact:
    earlier = {"due": "date", "end": "start"}.get(kind)
    if earlier is not None and scene.has(earlier):
        first = date.fromisoformat(scene.fact(earlier).value)
        day = first + timedelta(days=scene.rng.randint(3, 30))
    elif suffix == "9":
        # A ninth date is said relative to the day of writing ("tomorrow").
        since = scene.fact("sent").value
        day = date.fromisoformat(since) + timedelta(days=scene.rng.choice((1, 2, 7)))
        return Fact(kind, day.isoformat(), scene.lang, since)
    elif suffix == "2" and scene.has(kind):
        day = date.fromisoformat(scene.fact(kind).value) + timedelta(days=scene.rng.randint(3, 25))
    elif kind == "born":
        day = date(1951, 2, 1) + timedelta(days=scene.rng.randint(0, 19_000))
    else:
        day = date(2026, 1, 5) + timedelta(days=scene.rng.randint(0, 690))
    return Fact(kind, day.isoformat(), scene.lang)


def _draw_money(kind: str, suffix: str, scene: Drawing) -> float | int:
    rows = scene.rows()
    if kind == "total" and not suffix and rows and "price" in rows[0]:
        cents: int = sum(round(100 * row["price"].value) * _count(row) for row in rows)
    elif kind == "gross" and scene.has("net"):
        cents = round(100 * scene.fact("net").value) * (100 + scene.fact("percent").value) // 100
    elif kind == "price" and suffix in {"2", "3"} and scene.has(kind):
        # A later price is a reduced one: "was 90, now 75".
        before = scene.fact("price" if suffix == "2" else "price2").value
        cents = round(100 * before) * scene.rng.randint(60, 95) // 100
    else:
        ending = scene.rng.choice((0, 0, 0, 50, 90, 95, 99))
        cents = 100 * scene.rng.randint(*MONEY[kind]) + (0 if kind in {"rent", "worth"} else ending)
    return cents // 100 if cents % 100 == 0 else cents / 100


def _count(row: Mapping[str, Fact]) -> int:
    return int(row["qty"].value) if "qty" in row else 1


def _person(_: str, scene: Drawing) -> str:
    if scene.lang == "ru":
        return scene.name("person")
    return f"{scene.name('first')} {scene.name('last')}"


def _email(suffix: str, scene: Drawing) -> str:
    said = scene.fact(f"person{suffix}").value.lower()
    given, family = (part.translate(words.LATIN) for part in said.split(" ", 1))
    local = scene.rng.choice((f"{given}.{family}", f"{given[0]}.{family}", f"{family}.{given}"))
    return f"{local}@{scene.name('domain')}"


def _url(_: str, scene: Drawing) -> str:
    page = scene.rng.choice(("events", "join", "p", "shop", "docs"))
    return f"https://{scene.name('domain')}/{page}/{scene.rng.randint(100, 999)}"


def _phone(_: str, scene: Drawing) -> str:
    return f"{scene.name('dial')} {scene.rng.randint(10, 99)} {scene.rng.randint(10, 99)}"


def _time(_: str, scene: Drawing) -> str:
    return f"{scene.rng.randint(8, 20):02}:{scene.rng.choice((0, 30)):02}"


def _address(_: str, scene: Drawing) -> str:
    number, street = scene.rng.randint(2, 98), scene.name("street")
    forms = {"en": f"{number} {street}", "ru": f"{street}, {number}"}
    return forms.get(scene.lang, f"{street} {number}")


def _tariff(_: str, scene: Drawing) -> str:
    return f"{scene.rng.randint(1001, 9699):04}.{scene.rng.randint(10, 99)}"


def _diagnosis(_: str, scene: Drawing) -> str:
    return f"{scene.rng.choice('ABEGIJKMN')}{scene.rng.randint(10, 98)}.{scene.rng.randint(0, 9)}"


def _registration(_: str, scene: Drawing) -> str:
    return "G-" + "".join(scene.rng.choice("ABCDEFGHJKLMNPRSTUVWXY") for _ in range(4))


def _host(_: str, scene: Drawing) -> str:
    return "10." + ".".join(str(scene.rng.randint(2, 254)) for _ in range(3))


_DRAW: dict[str, Callable[[str, Drawing], JSON]] = {
    "person": _person,
    "email": _email,
    "url": _url,
    "phone": _phone,
    "time": _time,
    "slot": lambda _, scene: f"{scene.rng.randint(8, 16):02}:{scene.rng.choice((0, 30)):02}",
    "address": _address,
    "currency": lambda _, scene: scene.rng.choice(words.LOCAL_CURRENCIES[scene.lang]),
    "rate": lambda _, scene: scene.rng.randint(11, 98) / 10,
    "host": _host,
    "tariff": _tariff,
    "diagnosis": _diagnosis,
    "registration": _registration,
}

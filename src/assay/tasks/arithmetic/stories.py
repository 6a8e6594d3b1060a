"""The word problems' stories: a text with slots, the range of each number, and the answer's formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

Numbers = Mapping[str, int]
Level = Literal["easy", "medium", "hard"]


class Story(Struct, frozen=True):
    """`{a}` stands for a number, `[a|form|form]` for it with its noun (English: one and many;
    Russian: 1, 2-4 and 5), `{who}` and `{other}` for names. `ranges` are inclusive.
    """

    text: str
    ranges: dict[str, tuple[int, int]]
    answer: Callable[[Numbers], int]


NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "test": {
        "en": ("Nora", "Felix", "Ines", "Tomas", "Greta", "Oscar", "Leila", "Hugo"),
        "ru": ("Анна", "Борис", "Вера", "Глеб", "Дина", "Егор", "Жанна", "Захар"),
    },
    "validation": {
        "en": ("Amir", "Bella", "Chen", "Dora"),
        "ru": ("Илья", "Клара", "Лев", "Майя"),
    },
}
"""Names by split and language: no name is in both splits."""

TEST: dict[tuple[str, Level], tuple[Story, ...]] = {
    ("en", "easy"): (
        Story(
            "{who} has [a|shell|shells] and finds [b|more shell|more shells] on the beach. "
            "How many shells does {who} have now?",
            {"a": (3, 60), "b": (2, 40)},
            lambda n: n["a"] + n["b"],
        ),
        Story(
            "A shelf holds [a|jar|jars] of jam. {who} takes away [b|jar|jars]. How many jars are left?",
            {"a": (30, 90), "b": (2, 29)},
            lambda n: n["a"] - n["b"],
        ),
        Story(
            "{who} plants [a|row|rows] of [b|tulip|tulips] each. How many tulips is that?",
            {"a": (2, 12), "b": (3, 15)},
            lambda n: n["a"] * n["b"],
        ),
    ),
    ("en", "medium"): (
        Story(
            "A ticket costs [a|dollar|dollars] and a programme [b|dollar|dollars]. {who} buys "
            "[c|ticket|tickets] and [d|programme|programmes]. How many dollars does {who} pay?",
            {"a": (6, 35), "b": (2, 9), "c": (2, 9), "d": (2, 6)},
            lambda n: n["a"] * n["c"] + n["b"] * n["d"],
        ),
        Story(
            "{who} reads [a|page|pages] a day for [b|day|days] and then [c|page|pages] a day for "
            "[d|day|days]. How many pages does {who} read in all?",
            {"a": (8, 40), "b": (2, 9), "c": (10, 55), "d": (2, 8)},
            lambda n: n["a"] * n["b"] + n["c"] * n["d"],
        ),
        Story(
            "A baker makes [a|tray|trays] of [b|roll|rolls] each and sells all but [c|roll|rolls]. "
            "How many rolls are sold?",
            {"a": (4, 18), "b": (12, 36), "c": (3, 40)},
            lambda n: n["a"] * n["b"] - n["c"],
        ),
    ),
    ("en", "hard"): (
        Story(
            "A tank holds {a} litres and is {b} litres short of full. Two pumps fill it: one brings "
            "{c} litres a minute, the other {d} litres a minute more than the first. A third pump is "
            "out of order since {e}. After [f|minute|minutes], how many litres have run over?",
            {"a": (2000, 5000), "b": (20, 90), "c": (11, 30), "d": (2, 9), "e": (1995, 2020), "f": (6, 20)},
            lambda n: (2 * n["c"] + n["d"]) * n["f"] - n["b"],
        ),
        Story(
            "{who} and {other} rent a studio of {e} square metres. {who} pays {a} dollars a month and "
            "{other} {b} dollars a month less. After [c|year|years] both pay {d} dollars a month more "
            "than before. How many dollars do they pay together in the year that follows?",
            {"a": (600, 1400), "b": (20, 180), "c": (2, 7), "d": (15, 95), "e": (30, 90)},
            lambda n: 12 * (2 * n["a"] - n["b"] + 2 * n["d"]),
        ),
        Story(
            "A train with [a|coach|coaches] of {b} seats each leaves with every seat taken. At the "
            "first stop [c|passenger|passengers] a coach get off and {d} get on in all; at the second "
            "stop {f} of those who got on at the first get off. The driver is {e} years old. "
            "How many passengers are on the train now?",
            {"a": (4, 11), "b": (48, 90), "c": (5, 30), "d": (11, 45), "e": (28, 60), "f": (2, 10)},
            lambda n: n["a"] * (n["b"] - n["c"]) + n["d"] - n["f"],
        ),
    ),
    ("ru", "easy"): (
        Story(
            "{who} хранит в альбоме [a|марку|марки|марок], а {other} — [b|марку|марки|марок]. "
            "Сколько марок у них вместе?",
            {"a": (3, 60), "b": (2, 40)},
            lambda n: n["a"] + n["b"],
        ),
        Story(
            "На складе [a|коробка|коробки|коробок]. Увезли [b|коробку|коробки|коробок]. "
            "Сколько коробок осталось?",
            {"a": (30, 95), "b": (2, 29)},
            lambda n: n["a"] - n["b"],
        ),
        Story(
            "В зале [a|ряд|ряда|рядов], в каждом [b|кресло|кресла|кресел]. Сколько кресел в зале?",
            {"a": (3, 14), "b": (4, 20)},
            lambda n: n["a"] * n["b"],
        ),
    ),
    ("ru", "medium"): (
        Story(
            "Килограмм филе стоит [a|рубль|рубля|рублей], а килограмм бедра — на "
            "[b|рубль|рубля|рублей] дешевле. {who} покупает [c|килограмм|килограмма|килограммов] филе и "
            "[d|килограмм|килограмма|килограммов] бедра. Сколько рублей стоит покупка?",
            {"a": (320, 690), "b": (40, 150), "c": (2, 6), "d": (2, 5)},
            lambda n: n["a"] * n["c"] + (n["a"] - n["b"]) * n["d"],
        ),
        Story(
            "Курьер развозит [a|заказ|заказа|заказов] в день и работает [b|день|дня|дней]. "
            "Из них [c|заказ|заказа|заказов] клиенты отменяют. Сколько заказов доставлено?",
            {"a": (12, 40), "b": (3, 9), "c": (2, 11)},
            lambda n: n["a"] * n["b"] - n["c"],
        ),
        Story(
            "{who} копит по [a|рублю|рубля|рублей] в неделю [b|неделю|недели|недель], а потом тратит "
            "[c|рубль|рубля|рублей]. Сколько рублей остаётся?",
            {"a": (150, 600), "b": (4, 12), "c": (100, 590)},
            lambda n: n["a"] * n["b"] - n["c"],
        ),
    ),
    ("ru", "hard"): (
        Story(
            "Завод открыт в {e} году. Первый цех выпускает [a|деталь|детали|деталей] в час, второй — "
            "на [b|деталь|детали|деталей] больше. За смену в [c|час|часа|часов] оба цеха вместе отдают "
            "на склад всё, кроме [d|детали|деталей|деталей] брака. Сколько деталей попадает на склад?",
            {"a": (35, 120), "b": (3, 25), "c": (6, 12), "d": (2, 30), "e": (1950, 2010)},
            lambda n: (2 * n["a"] + n["b"]) * n["c"] - n["d"],
        ),
        Story(
            "В кафе [a|стол|стола|столов] на четверых и [b|стол|стола|столов] на шестерых. Занято всё, "
            "кроме [c|стола|столов|столов] на четверых, а до закрытия остаётся [d|минута|минуты|минут]. "
            "Сколько гостей в кафе?",
            {"a": (9, 24), "b": (3, 12), "c": (2, 8), "d": (20, 90)},
            lambda n: 4 * (n["a"] - n["c"]) + 6 * n["b"],
        ),
        Story(
            "{who} едет на дачу: сначала [a|час|часа|часов] со скоростью {b} км/ч, потом ещё "
            "[c|час|часа|часов] со скоростью на {d} км/ч меньше. {other} живёт в доме номер {e}. "
            "Сколько километров проезжает {who}?",
            {"a": (2, 5), "b": (70, 110), "c": (2, 4), "d": (11, 35), "e": (3, 99)},
            lambda n: n["a"] * n["b"] + n["c"] * (n["b"] - n["d"]),
        ),
    ),
}

VALIDATION: dict[tuple[str, Level], tuple[Story, ...]] = {
    ("en", "easy"): (
        Story(
            "There are [a|chair|chairs] in the hall and {who} brings [b|chair|chairs]. "
            "How many chairs are in the hall?",
            {"a": (5, 50), "b": (2, 30)},
            lambda n: n["a"] + n["b"],
        ),
    ),
    ("en", "medium"): (
        Story(
            "{who} earns [a|dollar|dollars] an hour, works [b|hour|hours] and spends "
            "[c|dollar|dollars] on lunch. How many dollars are left?",
            {"a": (11, 28), "b": (3, 9), "c": (4, 15)},
            lambda n: n["a"] * n["b"] - n["c"],
        ),
    ),
    ("en", "hard"): (
        Story(
            "A farm of {e} acres has [a|hen|hens]. Each lays [b|egg|eggs] a week. {who} packs the eggs "
            "of [c|week|weeks] in boxes of ten, and [d|egg|eggs] are broken before that. How many eggs "
            "are not broken?",
            {"a": (20, 80), "b": (3, 6), "c": (2, 5), "d": (3, 40), "e": (50, 300)},
            lambda n: n["a"] * n["b"] * n["c"] - n["d"],
        ),
    ),
    ("ru", "easy"): (
        Story(
            "В саду [a|яблоня|яблони|яблонь] и [b|груша|груши|груш]. Сколько деревьев в саду?",
            {"a": (4, 50), "b": (2, 40)},
            lambda n: n["a"] + n["b"],
        ),
    ),
    ("ru", "medium"): (
        Story(
            "Билет стоит [a|рубль|рубля|рублей]. {who} покупает [b|билет|билета|билетов] и даёт "
            "купюру в 5000 рублей. Сколько рублей сдачи?",
            {"a": (150, 480), "b": (2, 9)},
            lambda n: 5000 - n["a"] * n["b"],
        ),
    ),
    ("ru", "hard"): (
        Story(
            "В доме [a|этаж|этажа|этажей], на каждом [b|квартира|квартиры|квартир], номер дома {e}. "
            "Пустых квартир {c}, в каждой из остальных живут трое. Сколько жильцов в доме?",
            {"a": (5, 16), "b": (3, 8), "c": (2, 9), "e": (5, 60)},
            lambda n: 3 * (n["a"] * n["b"] - n["c"]),
        ),
    ),
}

STORIES = {"test": TEST, "validation": VALIDATION}
"""Stories by split: no story is in both."""

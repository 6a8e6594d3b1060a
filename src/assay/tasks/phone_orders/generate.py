"""The seeded generator of the shop's tables: `python -m assay.tasks.phone_orders.generate OUT_DIR`.

What a person wrote (the catalogue, the first customers and their orders, names and streets) lies under
`source/`; stock, further customers, their past orders and the delivery slots are drawn.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from assay.keys import JSON, random_stream

SEED = 20250608
TODAY = date(2025, 6, 8)
"""The day on which calls are made where a scenario names none: all past orders are older."""
CUSTOMERS = 72
DAYS = 7
"""Days ahead for which slots are offered."""
WINDOWS = ("10:00-13:00", "14:00-17:00", "18:00-21:00")

Rows = list[dict[str, JSON]]


class People(Struct, frozen=True):
    """Who can be a customer: names, and streets and the slots' prefix by city."""

    men: list[str]
    women: list[str]
    surnames: list[str]
    streets: dict[str, list[str]]
    prefixes: dict[str, str]


def source(name: str) -> str:
    """A file that a person wrote."""
    return (files(__package__) / "source" / name).read_text("utf-8")


def products() -> Rows:
    """The catalogue. One product in fifteen, of those without a stock of their own, is sold out."""
    rows = []
    for line in source("catalogue.txt").splitlines():
        if "|" not in line or line.startswith("#"):
            continue
        sku, name, aliases, unit, step, roubles, *stock = (part.strip() for part in line.split("|"))
        least, _, step = step.rpartition("+")
        draw = random_stream(SEED, "stock", sku)
        drawn = 0 if draw.random() < 1 / 15 else draw.randrange(20, 300, 5)
        rows.append(
            {
                "sku": sku,
                "name": name,
                "aliases": "|".join(alias.strip() for alias in aliases.split(",")),
                "unit": unit,
                "price_minor": round(float(roubles) * 100),
                "stock": stock[0] if stock else drawn,
                "min_qty": least or step,
                "step": step,
            }
        )
    return rows


def people() -> People:
    """The names and streets of people.txt."""
    parts: dict[str, list[str]] = {}
    prefixes: dict[str, str] = {}
    for block in source("people.txt").split("\n["):
        head, _, text = block.partition("\n")
        name, _, prefix = head.partition("]")
        parts[name] = [each.strip() for each in text.replace("\n", ",").split(",") if each.strip()]
        prefixes[name] = prefix.strip()
    cities = [name for name, prefix in prefixes.items() if prefix]
    return People(
        parts["men"],
        parts["women"],
        parts["surnames"],
        {city: parts[city] for city in cities},
        {city: prefixes[city] for city in cities},
    )


def customers() -> Rows:
    """The written customers, and drawn ones up to CUSTOMERS."""
    known, who = list(csv.DictReader(source("customers.csv").splitlines())), people()
    draw = random_stream(SEED, "customers")
    cities, phones = list(who.streets), {row["phone"] for row in known}
    while len(known) < CUSTOMERS:
        woman = draw.random() < 0.5
        surname = draw.choice(who.surnames).split("/")[woman]
        city = cities[len(known) % len(cities)]
        house = draw.randrange(1, 120)
        phone = f"+7945{draw.randrange(10**7):07}"  # a code that no operator has
        if phone in phones:
            continue
        phones.add(phone)
        known.append(
            {
                "phone": phone,
                "name": f"{draw.choice(who.women if woman else who.men)} {surname}",
                "city": city,
                "address": f"{draw.choice(who.streets[city])}, {house}",
            }
        )
    return known


def orders() -> Rows:
    """The written orders, and two to six past ones of every drawn customer, oldest first."""
    known = [json.loads(line) for line in source("orders.jsonl").splitlines()]
    shelf = {str(row["sku"]): row for row in products()}
    written = len(source("customers.csv").splitlines()) - 1
    drawn = [order for row in customers()[written:] for order in _history(row, shelf)]
    drawn.sort(key=lambda order: (order["date"], order["customer"]))
    for number, order in enumerate(drawn, len(known) + 1):
        known.append({"order_id": f"ORD-{number:05d}", **order})
    return known


def _history(customer: dict[str, JSON], shelf: dict[str, dict[str, JSON]]) -> Iterator[dict[str, JSON]]:
    """What a customer bought: a few favourites again and again, something else beside them."""
    draw = random_stream(SEED, "orders", customer["phone"])
    favourites = draw.sample(list(shelf), 3)
    for _ in range(draw.randrange(2, 7)):
        day = TODAY - timedelta(days=draw.randrange(7, 190))
        chosen = {
            *draw.sample(favourites, draw.randrange(1, 4)),
            *draw.sample(list(shelf), draw.randrange(0, 3)),
        }
        items: Rows = []
        for sku in sorted(chosen):
            least, step = float(shelf[sku]["min_qty"]), float(shelf[sku]["step"])
            qty = round(least + step * draw.randrange(0, 4), 3)
            items.append({"sku": sku, "qty": int(qty) if qty.is_integer() else qty})
        total = sum(round(shelf[item["sku"]]["price_minor"] * item["qty"]) for item in items)
        yield {
            "customer": customer["phone"],
            "date": day.isoformat(),
            "status": "cancelled" if draw.random() < 0.06 else "delivered",
            "items": items,
            "total_minor": total,
            "slot": None,
            "request_id": None,
        }


def slots() -> Rows:
    """Three windows a day in every city. The first one of Moscow is full and that of Kazan is cut off
    early; of the others further ahead than two days some are nearly full.
    """
    rows: Rows = []
    for city, prefix in people().prefixes.items():
        for day in range(1, DAYS + 1):
            for number, window in enumerate(WINDOWS, 1):
                slot = f"{prefix}-{day}{number}"
                draw = random_stream(SEED, "slots", slot)
                capacity = draw.choice((0, 1, 8, 8, 8, 8)) if day > 3 else 8
                rows.append(
                    {
                        "slot_id": slot,
                        "location": city,
                        "day": day,
                        "window": window,
                        "capacity": 0 if slot == "MSK-11" else capacity,
                        "cutoff": "09:00" if slot == "KZN-11" else "20:00",
                    }
                )
    return rows


def generate(folder: Path) -> None:
    """Writes products.csv, customers.csv, orders.jsonl and slots.csv into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("products", products()), ("customers", customers()), ("slots", slots())):
        _write_csv(folder / f"{name}.csv", rows)
    lines = (json.dumps(order, ensure_ascii=False) for order in orders())
    (folder / "orders.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _write_csv(path: Path, rows: Iterable[dict[str, JSON]]) -> None:
    every = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(every[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(every)


def main() -> None:
    """Takes the folder from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", type=Path)
    generate(parser.parse_args().out_dir)


if __name__ == "__main__":
    main()

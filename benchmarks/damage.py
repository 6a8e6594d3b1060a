"""Damage: copies of a store's files, cut at random, open with the rows up to the damage or are refused.

    python benchmarks/damage.py [--copies 500] [--trials 3000] [--seed 1]

A store is written while copies of its file and its write-ahead log are taken: in the beginning (all is in
the log), on the way (some is in both), and after it was closed (all is in the file). Of each copy the
file, the log or both are cut at a random place. It held if every copy

- is refused with an error that names its file, or
- gives the first trials of the record, each equal to what was written, and says so if it stops early.

Exits with 1 if a copy gave a wrong row, left one out in the middle, or ended in any other error.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

from msgspec import structs

from assay.case import Case
from assay.errors import StoreError, UsageError
from assay.message import Finish, Reply, Request, Usage, say
from assay.ports import Run, Where
from assay.store.sqlite import SqliteStore
from assay.trial import Call, CallState, Outcome, Status, Transcript, Trial


def a_run(planned: int) -> Run:
    return Run(
        id="run", plan={}, task="t", fingerprint="f", headline="exact", models=("m",), planned=planned,
        seed=1, wall=1, version="0",
    )  # fmt: skip


async def play(store: SqliteStore, number: int, draw: random.Random) -> Trial:
    """Records one trial; some replies need pages of their own, compressed or not."""
    words = "".join(chr(draw.randrange(32, 0x2FA0)) for _ in range(draw.choice((10, 100, 3000))))
    key, request = f"{number:08}", Request((say("user", f"What of {number}? " * 20),))
    call = Call("run", key, "candidate", 0, 1, "m", request, f"h{number}", 0, 0)
    await store.reserve(call)
    reply = Reply(words, (), Finish.STOP, Usage(1, 2), reasoning=words[::-1])
    settled = structs.replace(call, state=CallState.DONE, reply=reply)
    store.settle(settled)
    final = structs.replace(reply, call=call.id)
    case = Case(key, key, f"What of {number}?")
    told = Transcript((), Outcome("stop", detail=words), final)
    trial = Trial("run", key, case, "m", 0, 1, Status.PLAYED, transcript=told, calls=(settled,))
    await store.add(trial)
    return trial


def copied(path: Path, to: Path) -> Path:
    shutil.copy(path, to)
    if Path(f"{path}-wal").exists():
        shutil.copy(f"{path}-wal", f"{to}-wal")
    return to


async def written(folder: Path, count: int, draw: random.Random) -> tuple[list[Trial], list[Path]]:
    """All trials, and copies of the store as it was on the way."""
    path, trials, copies = folder / "whole.db", [], []
    store = SqliteStore.open(path)
    await store.open_run(a_run(count))
    for number in range(count):
        trials.append(await play(store, number, draw))
        if number == count // 20:
            copies.append(copied(path, folder / "0.db"))
        if number == count // 2:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            copies.append(copied(path, folder / "1.db"))  # the log holds what the file has taken over
    copies.append(copied(path, folder / "2.db"))
    await store.end_run("run", "completed", None)
    await store.close()
    copies.append(copied(path, folder / "3.db"))
    return trials, copies


def writing(folder: Path, count: int, seed: int) -> tuple[list[Trial], list[Path]]:
    return asyncio.run(written(folder, count, random.Random(seed)))


def cut(path: Path, draw: random.Random) -> str:
    """Cuts the copy's file, its log or both; says which."""
    log = Path(f"{path}-wal")
    which = [path] if not log.exists() else draw.choice(([path], [log], [log], [path, log]))
    for each in which:
        with each.open("r+b") as file:
            size = each.stat().st_size
            # half of the cuts fall on a page or a frame: nothing in the last one gives them away
            to = draw.randrange(size)
            step = 4096 if each == path else 4120
            file.truncate(to if draw.random() < 0.5 else to // step * step + (0 if each == path else 32))
    return " and ".join("log" if each == log else "file" for each in which)


def judged(path: Path, whole: list[Trial]) -> str:
    """What came of a copy: refused, all, some, or what is wrong."""
    read: list[Trial] = []
    try:
        store = SqliteStore.open(path, create=False)
        read.extend(store.trials(Where()))
    except (UsageError, StoreError) as error:
        if path.name not in str(error):
            return f"WRONG: an error that does not name the file: {error}"
        end = "refused" if not read else "read up to the damage, and said so"
    except Exception as error:  # noqa: BLE001  what a user would see as a crash is what is looked for
        return f"WRONG: {type(error).__name__}: {error}"
    else:
        end = "read up to the damage" if read else "empty"
    if read != whole[: len(read)]:
        place = next(n for n, (a, b) in enumerate(zip(read, whole, strict=False)) if a != b)
        return f"WRONG: row {place} of {len(read)} is not what was written"
    return end


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--copies", type=int, default=500)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw, began, ends = random.Random(given.seed), time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with ProcessPoolExecutor(1) as other:  # a log whose writer lives is not looked into
            whole, sources = other.submit(writing, folder, given.trials, given.seed).result()
        for number in range(given.copies):
            copy = copied(sources[number % len(sources)], folder / f"copy-{number}.db")
            what = cut(copy, draw)
            end = judged(copy, whole)
            ends[f"{what} cut: {end}"] += 1
            for left in folder.glob(f"{copy.name}*"):
                left.unlink()
    wrong = sum(count for end, count in ends.items() if "WRONG" in end)
    for end, count in sorted(ends.items()):
        print(f"{count:5}  {end}")
    print(
        f"{given.copies} copies of {given.trials} trials: {wrong} wrong, in {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""How many planted faults does the client's guard catch, and how many innocent lines does it accuse?

    python benchmarks/guard.py FILE... [--show 5]

Reads planted transcripts (docs/guard.md) and prints, by kind and language, the share of faults caught and
of false alarms among the innocent look-alikes, with Wilson's intervals. Exits with 1 where a counted kind
is caught less often than CAUGHT or accused more often than ALARMS.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from assay.exchanges.conversation.guard.planted import JUDGED, Tally, read_planted, tallied
from assay.loading.tasks import BUILT_IN
from assay.stats.intervals import rate

CAUGHT = 0.95
ALARMS = 0.02


def prompts() -> dict[str, tuple[str, str]]:
    """The built-in prompts (agent's, client's) by language."""
    folder = BUILT_IN / "phone_orders" / "prompts"
    read = {}
    for language, place in (("ru", folder), ("en", folder / "en")):
        agent, client = (place / f"{side}_system.txt" for side in ("agent", "client"))
        read[language] = (agent.read_text(encoding="utf-8"), client.read_text(encoding="utf-8"))
    return read


def share(hits: int, of: int) -> str:
    if not of:
        return f"{'-':>28}"
    found = rate(hits, of)
    return f"{hits:5d}/{of:<5d} {hits / of:6.1%} [{found.low or 0:5.1%}, {found.high or 1:5.1%}]"


def line(name: str, tally: Tally) -> str:
    others = ", ".join(f"{code} {n}" for code, n in sorted(tally.others.items()))
    return (
        f"{name:<26} {share(tally.caught, tally.faulty)}   {share(tally.alarms, tally.innocent)}   {others}"
    )


def summed(tallies: list[Tally]) -> Tally:
    return Tally(
        sum(t.faulty for t in tallies),
        sum(t.caught for t in tallies),
        sum(t.innocent for t in tallies),
        sum(t.alarms for t in tallies),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="What the guard of the client's lines catches.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--show", type=int, default=0, help="ids of so many misses and false alarms a kind")
    given = parser.parse_args()
    planted = [one for file in given.files for one in read_planted(file.read_bytes().splitlines(), str(file))]
    tallies = tallied(planted, prompts())
    print(f"{'kind':<26} {'caught':<30}   {'false alarms':<30}   other codes found")
    short = []
    for kind in sorted({kind for kind, _ in tallies}):
        of_kind = {language: tally for (k, language), tally in sorted(tallies.items()) if k == kind}
        for language, tally in of_kind.items():
            print(line(f"{kind} ({language})", tally))
            for what, ids in (("missed", tally.missed), ("accused", tally.alarmed)):
                if given.show and ids:
                    print(f"    {what}: {', '.join(ids[: given.show])}")
        both = summed(list(of_kind.values()))
        low = both.faulty and both.caught < CAUGHT * both.faulty
        if kind not in JUDGED and (low or both.alarms > ALARMS * both.innocent):
            short.append(kind)
    counted = summed([tally for (kind, _), tally in tallies.items() if kind not in JUDGED])
    print(line("all counted kinds", counted))
    if short:
        print(f"SHORT of {CAUGHT:.0%} caught or above {ALARMS:.0%} false alarms: {', '.join(short)}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())

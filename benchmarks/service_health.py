"""How soon the service answers while a batch of 100,000 scenarios is checked, accepted and bound.

    python benchmarks/service_health.py [--scenarios 100000]

`GET /api/health` is asked every 10 ms, each time on a connection of its own, by a process that shares no lock
with the service. The figures are of every answer, none left out.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import emulator, tell
from service_kill import Service

PAUSE = 0.01


def scenario(number: int) -> dict[str, object]:
    """As little as a customer can be: 100,000 of them fit into a body."""
    goal = '[{"name":"молоко","qty":1}]'
    variables = {"PERSONALITY": "a", "AMB_LEVEL": 0, "PATIENCE": 0, "ORDER_GOAL": goal, "SEED": number}
    return {"name": "s", "variables": variables}


class Asking:
    """Asks for the health until it is told to end; milliseconds of each answer with when it was asked for."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._over = threading.Event()
        self.answers: list[tuple[float, float]] = []

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _ask(self) -> None:
        while not self._over.wait(PAUSE):
            began = time.monotonic()
            self._service.asked("/health")
            self.answers.append((began, 1e3 * (time.monotonic() - began)))

    def told(self, name: str, since: float, until: float) -> None:
        """Median, 99th of a hundred and the longest of the answers between two instants."""
        found = sorted(took for began, took in self.answers if since <= began < until)
        if not found:
            return
        at = [found[len(found) // 2], found[int(0.99 * len(found))], found[-1]]
        tell(name, " / ".join(f"{each:.1f}" for each in at) + f" ms over {len(found)} answers")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, emulator() as url:
        body = Path(place) / "scenarios.json"
        body.write_text(
            json.dumps([scenario(n) for n in range(given.scenarios)], ensure_ascii=False), "utf-8"
        )
        print(f"{given.scenarios} scenarios, {body.stat().st_size / 1e6:.1f} MB; p50 / p99 / longest")
        service = Service(Path(place), url, 1)
        service.begin()
        asking = Asking(service)
        with asking.meanwhile():
            time.sleep(1)
            posted = time.monotonic()
            batch = service.submitted(body)
            accepted = time.monotonic()
            service.until(batch, 1)
            bound = time.monotonic()
        service.end(signal.SIGTERM)
        asking.told("before", 0, posted)
        asking.told(f"accepted in {accepted - posted:.0f} s", posted, accepted)
        asking.told(f"bound in {bound - accepted:.0f} s", accepted, bound)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""W2: as W1, with answers that take 200 ms and 256 in flight: how near the wall comes to the ideal.

python benchmarks/w2.py [--samples 2000] [--concurrency 256] [--latency-ms 200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import sys

from w1 import Rounds, measure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    measure(Rounds(given.samples, given.concurrency, given.latency_ms), given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

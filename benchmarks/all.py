"""Every benchmark that needs nothing but a C compiler, one after another.

python benchmarks/all.py [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys

from harness import HERE

NAMES = (
    "w1",
    "w2",
    "w3",
    "w4",
    "w5",
    "conversations",
    "w6",
    "w7",
    "known_truth",
    "simulations",
    "damage",
    "chaos",
    "shared_limits",
    "shared_budget",
    "report_size",
)


def main() -> int:
    worst = 0
    for name in sys.argv[1:] or NAMES:
        print(f"\n{name}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())

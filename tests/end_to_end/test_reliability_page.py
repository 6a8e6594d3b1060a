import re
from pathlib import Path

from assay.emulator.faults import FAULTS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def test_every_test_and_command_that_the_page_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 20
    for path, name in named:
        assert not name or f"def {name}(" in (ROOT / path).read_text(), (path, name)
        assert (ROOT / path).exists(), path
    for command in re.findall(r"`python ([\w/]+\.py)`", PAGE):
        assert (ROOT / command).exists(), command


def test_every_fault_that_the_page_names_is_in_the_table():
    rows = [line for line in PAGE.splitlines() if "test_faults.py` (" in line]
    named = {
        name for row in rows for group in re.findall(r"\((`[^)]+`)\)", row) for name in group.split(", ")
    }
    assert {name.strip("`") for name in named if "_" in name} <= set(FAULTS) | {"test_faults"}

"""The page on real servers names every kind of request, and how it ends, as the tests expect it."""

import re
from pathlib import Path

from real_requests import KINDS, LLAMA, TRANSFORMERS

PAGE = (Path(__file__).parents[2] / "docs" / "servers.md").read_text()


def test_the_page_says_how_each_kind_of_request_ends():
    table = PAGE.partition("## How requests end")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if re.match(r"\| [^r-]", line)]
    told = {
        name: {LLAMA: set(re.findall(r"`(\w+)`", llama)), TRANSFORMERS: set(re.findall(r"`(\w+)`", other))}
        for name, llama, other, *_ in rows
    }
    assert told == {kind.name: kind.ends for kind in KINDS}

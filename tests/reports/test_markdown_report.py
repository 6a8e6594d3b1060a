"""The Markdown report: the same answer, and no way out of a table's cell."""

import pytest

from assay.reports.markdown import as_markdown
from assay.reports.page_words import answer
from assay.trial import Score


def test_it_begins_with_the_answer_and_the_verdict(make):
    page = make.page(make.duel())
    text = as_markdown(page)
    assert text.startswith("## " + answer(page).replace("[", "\\[").replace("]", "\\]"))
    assert "**BETTER**" in text
    for part in (
        "### Slices",
        "### Comparison",
        "### 0 cases got worse, 16 better",
        "### Worst trials (20 of 24)",
    ):
        assert part in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head(make):
    table = 0
    for line in as_markdown(make.page(make.duel())).splitlines():
        if not line.startswith("| "):
            table = 0
            continue
        cells = line.replace("\\|", "").count("|")
        assert table in (0, cells)
        table = cells


@pytest.mark.parametrize(
    "bad", ["a | b", "`code` `", "<script>", "line\nbreak | x", "\u202eabc", "[x](javascript:1)"]
)
def test_hostile_text_stays_in_its_cell(make, bad):
    trials = [
        make.trial(
            n, n > 2, bad, name=f"{bad}{n}", model=f"m/{bad}", scores=(Score("exact", n > 2, reason=bad),)
        )
        for n in range(5)
    ]
    text = as_markdown(make.page(trials, make.run(f"m/{bad}", task=bad)))
    assert "\u202e" not in text
    for line in text.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<" not in outside.replace("\\<", "")
        assert "](" not in outside.replace("\\]", "")
    assert widths(text) == [9, 2, 6]


def widths(text):
    """Cells of each table, which all its rows must have."""
    tables: list[set[int]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|") and not inside:
            tables.append(set())
        inside = line.startswith("|")
        if inside:
            tables[-1].add(line.replace("\\|", "").count("|") - 1)
    return [cells.pop() for cells in tables if len(cells) == 1]

"""HTML as values: text is escaped because of its type, and only `Html` goes in as it is."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

from assay.reports.wording import visible


class Html(str):
    """Markup that was made by this module; any other text is escaped."""

    __slots__ = ()


Child: TypeAlias = "str | Html | Iterable[Child] | None"
Attribute: TypeAlias = str | int | float | bool | None

EMPTY = frozenset({"circle", "line", "meta", "path", "polygon", "rect"})
"""Elements that have no content; SVG's must be closed, and HTML's may be."""


def escaped(text: str) -> Html:
    """A text as it may stand in an element or in a quoted attribute; hidden characters written out."""
    return Html(html.escape(visible(text), quote=True))


def joined(*children: Child) -> Html:
    """The children one after another; None is nothing."""
    parts: list[str] = []
    _collect(children, parts)
    return Html("".join(parts))


def _collect(child: Child, parts: list[str]) -> None:
    if child is None:
        return
    if isinstance(child, Html):
        parts.append(child)
    elif isinstance(child, str):
        parts.append(escaped(child))
    else:
        for each in child:
            _collect(each, parts)


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. A trailing _ of an attribute's name falls off, other _ become -; None and False leave
    it out, True stands alone.
    """
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}"
    if name in EMPTY:
        return Html(f"{opened}/>")
    return Html(f"{opened}>{joined(*children)}</{name}>")


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    key = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {key}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {key}="{escaped(text)}"'


class Column:
    """A column of a table: its head, whether its cells are numbers, and a word on what it means."""

    __slots__ = ("head", "number", "title")

    def __init__(self, head: str, *, number: bool = True, title: str | None = None) -> None:
        self.head = head
        self.number = number
        self.title = title


class Cell:
    """A cell with the value by which its column is sorted."""

    __slots__ = ("content", "key")

    def __init__(self, content: Child, key: float | str | None = None) -> None:
        self.content = content
        self.key = key


Row: TypeAlias = "list[Cell | Child]"


def table(
    caption: str,
    columns: list[Column],
    rows: Iterable[Row],
    *,
    sortable: bool = True,
    filterable: bool = False,
) -> Html:
    """A table in a box that scrolls sideways by itself; the script makes it sortable and filterable."""
    heads = [
        tag("th", each.head, scope="col", class_="n" if each.number else None, title=each.title)
        for each in columns
    ]
    body = [
        tag(
            "tr",
            [
                _cell(cell, column, first=not place)
                for place, (cell, column) in enumerate(zip(row, columns, strict=True))
            ],
        )
        for row in rows
    ]
    made = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", heads)),
        tag("tbody", body),
        data_sort=sortable,
        data_filter=filterable,
    )
    return tag("div", made, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _cell(cell: Cell | Child, column: Column, *, first: bool) -> Html:
    content, key = (cell.content, cell.key) if isinstance(cell, Cell) else (cell, None)
    sorted_by = None if key is None else f"{key:.9g}" if isinstance(key, float) else key
    if first:
        return tag("th", content, scope="row", class_="n" if column.number else None, data_key=sorted_by)
    return tag("td", content, class_="n" if column.number else None, data_key=sorted_by)

"""Tables that a phone shows as cards: each cell knows what its column is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, tag


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pv_harness.board.html.markup import Child


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table whose first column names its rows; the caption is for who can't see it."""
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = (
        tag(
            "tr",
            tag("th", cells[0], scope="row"),
            *(
                tag("td", cell, data_label=name)
                for name, cell in zip(columns[1:], cells[1:], strict=True)
            ),
        )
        for cells in rows
    )
    return tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", head),
        tag("tbody", *body),
    )


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """Names and what they stand for; a pair without anything is left out."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value))
            for name, value in pairs
            if value is not None and value != ""
        ),
    )


def section(title: str, *children: Child, class_: str | None = None) -> Markup | None:
    """A part of a falsifier's page; None without anything in it."""
    present = [child for child in children if child is not None]
    return tag("section", tag("h4", title), *present, class_=class_) if present else None


def pair(left: Markup | None, right: Markup | None) -> Markup | None:
    """Two parts side by side where there is room for both; one alone has all of it."""
    if left is None or right is None:
        return left or right
    return tag("div", left, right, class_="pair")


def listed(items: Iterable[Child]) -> Markup:
    """A plain list."""
    return tag("ul", *(tag("li", item) for item in items))

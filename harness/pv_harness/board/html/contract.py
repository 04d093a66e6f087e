"""One contract: what it is about, how far it is, and its falsifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.row import render_row
from pv_harness.board.html.tables import facts, listed
from pv_harness.board.html.whole import in_pieces


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Contract


def render_contract(
    contract: Contract,
    rows: Sequence[Row],
    *,
    now_s: float,
    sources: Mapping[str, CheckSource],
) -> Markup:
    """The heading of a contract and the rows of its falsifiers."""
    counted = [row for row in rows if row.falsifier.counted]
    done = sum(row.status.at_ceiling for row in counted)
    return tag(
        "section",
        tag(
            "div",
            tag("h2", contract.id, " ", tag("small", contract.version)),
            tag("p", in_pieces(contract.title)),
            tag("p", f"{done} of {len(counted)} at their ceiling", class_="count"),
            class_="contract-head",
        ),
        _background(contract),
        *(render_row(row, now_s=now_s, sources=sources) for row in rows),
        class_="contract",
        data_contract=contract.id,
    )


def _background(contract: Contract) -> Markup | None:
    """The equations and references, for those who ask."""
    parts: list[Child] = [_equation(name, known) for name, known in contract.equations.items()]
    if contract.depends_on:
        parts.append(tag("p", "Depends on ", ", ".join(contract.depends_on)))
    if contract.references:
        parts += [tag("h3", "References"), listed(contract.references)]
    if not parts:
        return None
    summary = tag("summary", "Equations and references" if contract.equations else "References")
    return tag("details", summary, *parts, class_="numbers background")


def _equation(name: str, known: Mapping[str, Any]) -> Markup:
    pairs = [(key.replace("_", " "), _plain(value)) for key, value in known.items()]
    return join([tag("h3", name), facts(pairs)])


def _plain(value: object) -> Child:
    """A value of an equation: text, or a list of texts."""
    return (
        listed(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    )

"""One falsifier's line on the board, and what opens below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html import falsifier_page, margin_bar, moment, status_mark
from pv_harness.board.html.anchor import anchor_of
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.whole import in_pieces
from pv_harness.board.phrases import reason_of, show_potency


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row


def render_row(row: Row, *, now_s: float, sources: Mapping[str, CheckSource]) -> Markup:
    """The row, closed; everything about the falsifier is inside."""
    status, anchor = row.status, anchor_of(row.falsifier.id)
    inside = falsifier_page.render(row, sources=sources, anchor=anchor)
    return tag(
        "details",
        tag("summary", *_cells(row, now_s)),
        # The anchor is inside: a browser then opens the row by itself, without a script.
        tag("div", inside, class_="body", id=anchor),
        class_="row",
        data_status=status.word,
        data_ceiling=status.ceiling.value,
    )


def _cells(row: Row, now_s: float) -> list[Child]:
    falsifier, status, record = row.falsifier, row.status, row.status.record
    apart = None
    if not falsifier.counted:
        apart = tag("small", "reported apart, in no count", class_="apart")
    when = moment.age(record.finished_s, now_s) if record else "\N{EN DASH}"
    return [
        status_mark.mark(status),
        tag("h3", join([falsifier.id, apart], " ")),
        tag("span", in_pieces(falsifier.rule), class_="rule"),
        tag("span", _nearest(row), class_="nearest"),
        _labelled("killed", show_potency(row) or "\N{EN DASH}"),
        _labelled("age", when),
        _labelled("device", record.lane if row.judgements and record else "\N{EN DASH}"),
        _why(row),
    ]


def _labelled(name: str, value: Child) -> Markup:
    return tag("span", tag("span", f"{name} ", class_="label"), value, class_=f"cell {name}")


def _nearest(row: Row) -> Child:
    """The judgement that is broken, else that of the first bound."""
    judgement = row.headline
    if judgement is None:
        return tag("span", "nothing measured", class_="quiet")
    return join(
        [
            margin_bar.numbers(judgement),
            margin_bar.bar(judgement),
            tag("small", margin_bar.margin_text(judgement) or _others(row)),
        ],
        " ",
    )


def _others(row: Row) -> str | None:
    """What the other judgements say, where the first has no margin to tell."""
    others = len(row.judgements) - 1
    broken = sum(not judgement.holds for judgement in row.judgements) - 1
    if broken > 0:
        return f"{broken} more broken"
    return f"{others} more hold" if others and broken < 0 else None


def _why(row: Row) -> Child:
    why = "" if row.status.at_ceiling else reason_of(row.status)
    return tag("span", in_pieces(why), class_="why") if why else None

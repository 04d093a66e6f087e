"""Everything about one falsifier, from the claim to the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html import code_listing, curves, history, levels, planted, runs
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.tables import facts, listed, pair, section
from pv_harness.board.html.whole import in_pieces
from pv_harness.board.phrases import reason_of


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Contract


def render(row: Row, *, sources: Mapping[str, CheckSource], anchor: str) -> Markup:
    """The parts in the order of a reader's questions: why, what, how much, since when."""
    return join(
        [
            _standing(row, anchor),
            pair(
                section("Claim", _claim(row), class_="claim"),
                section("Levels", levels.levels_list(row)),
            ),
            section("Measured", levels.bounds_table(row)),
            _drawn(row),
            section("Planted changes", *planted.parts(row)),
            section("Check", *_check(row, sources)),
            section("Evidence", *runs.parts(row)),
        ]
    )


def _drawn(row: Row) -> Markup:
    """Plots over time and curves side by side; a sentence alone leaves curves all the room."""
    over_time = section("Over time", *history.plots(row))
    recorded = section("Curves", *curves.plots(row))
    if over_time is not None and "<figure" not in over_time.html:
        return join([over_time, recorded])
    return join([pair(over_time, recorded)])


def _standing(row: Row, anchor: str) -> Markup:
    """Why it is not higher, what would change that, and the link to this place."""
    status = row.status
    why = None if status.at_ceiling else reason_of(status)
    printed = status.record.reason.splitlines()[1:] if status.record and why else []
    link = tag("a", "Link to this falsifier", href=f"#{anchor}", class_="permalink")
    parts = [
        link,
        tag("p", tag("strong", "Why not higher: "), in_pieces(why)) if why else None,
        tag("pre", "\n".join(printed[:40]), class_="log", tabindex=0) if printed else None,
        tag("p", tag("strong", "To change that: "), _cure(status.cure))
        if status.cure
        else None,
    ]
    return tag("div", *parts, class_="standing")


def _cure(text: str) -> Markup | str:
    """A command can be selected with one click; advice is plain text."""
    return tag("code", text, class_="command") if text.startswith("pv ") else text


def _claim(row: Row) -> Markup:
    falsifier, contract = row.falsifier, row.contract
    return facts(
        [
            ("rule", in_pieces(falsifier.rule)),
            ("prediction", in_pieces(falsifier.prediction)),
            ("if it fails", in_pieces(falsifier.if_fails)),
            ("covers", _names(falsifier.covers)),
            ("inputs", _names(falsifier.inputs)),
            ("requires", falsifier.requires),
            ("seeds", None if falsifier.seeds is None else str(falsifier.seeds)),
            ("contract", join([f"{contract.id} {contract.version}, ", _path(contract)])),
        ]
    )


def _path(contract: Contract) -> Markup:
    return tag("span", str(contract.path), class_="piece")


def _names(names: tuple[str, ...]) -> Child:
    return join((tag("code", name) for name in names), ", ") if names else None


def _check(row: Row, sources: Mapping[str, CheckSource]) -> Iterator[Child]:
    """The code of every bound check."""
    if not row.checks:
        yield tag("p", "No check is bound to this falsifier.", class_="quiet")
    for check in row.checks:
        source = sources.get(check.node_id)
        where = tag("p", tag("code", f"{check.path}:{check.line}"), " ", check.qualname)
        yield where
        if source is None:
            yield tag("p", "Its source could not be read.", class_="quiet")
        else:
            name = f"source of {check.qualname}"
            yield code_listing.listing(source.text, first_line=source.line, name=name)
    opened = row.status.record.opened if row.status.record else ()
    if opened:
        yield tag("p", "It read files that are neither source nor a declared input:")
        yield listed(tag("code", path) for path in opened[:20])

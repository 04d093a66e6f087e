"""The top of the page: counted fractions, what needs attention, and the filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html import status_mark
from pv_harness.board.html.anchor import anchor_of
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.whole import in_pieces
from pv_harness.board.phrases import Tone, by_urgency, reason_of, tone_of
from pv_harness.board.scoreboard import defect_counts
from pv_harness.contracts.contract import Level


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.deriving.status import Status

MAX_URGENT = 12
_URGENT = frozenset({Tone.BAD, Tone.BROKEN})
_BAR_WIDTH = 1000


def fractions(board: Scoreboard) -> Markup:
    """How many of how many: at their ceiling, judged, and defects killed."""
    counted, defects = len(board.counted), defect_counts(board)
    verb = "waits for its" if defects.waiting == 1 else "wait for their"
    waiting = f"{defects.waiting} {verb} device" if defects.waiting else None
    apart = len(board.rows) - counted
    note = f"{apart} more reported apart, in no count" if apart else None
    return tag(
        "div",
        _fraction(len(board.at_ceiling), counted, "falsifiers at their ceiling", note),
        _fraction(len(board.judged), counted, "falsifiers judged on this tree", None),
        _fraction(defects.killed, defects.planted, "declared defects killed", waiting),
        class_="fractions",
    )


def status_bar(board: Scoreboard) -> Markup | None:
    """All counted statuses as one bar, the good ones first; the filter has the numbers."""
    kinds = _kinds(board.counted)
    if not kinds:
        return None
    total, place, parts = len(board.counted), 0.0, []
    for status, count in kinds:
        width = count / total * _BAR_WIDTH
        shown = round(max(width - 4, 2), 1)
        tone = status_mark.tone_name(status)
        parts.append(
            tag("rect", x=round(place, 1), y=0, width=shown, height=10, rx=2, class_=tone)
        )
        place += width
    words = ", ".join(f"{s.word} {count}" for s, count in kinds)
    return tag(
        "svg",
        tag("title", f"Statuses of {total} falsifiers: {words}"),
        *parts,
        class_="statuses",
        viewBox=f"0 0 {_BAR_WIDTH} 10",
        preserveAspectRatio="none",
        role="img",
    )


def needs_attention(board: Scoreboard) -> Markup | None:
    """Links to what is refuted, or can't be trusted; nothing if nothing is."""
    urgent = [row for row in by_urgency(board.rows) if tone_of(row.status) in _URGENT]
    if not urgent:
        return None
    more = len(urgent) - MAX_URGENT
    return tag(
        "section",
        tag("h2", f"{len(urgent)} {'needs' if len(urgent) == 1 else 'need'} attention"),
        tag("ul", *(tag("li", *_urgent(row)) for row in urgent[:MAX_URGENT])),
        tag("p", f"and {more} more, by status below", class_="quiet") if more > 0 else None,
        class_="attention",
    )


def filter_form(board: Scoreboard) -> Markup:
    """Search and filters; without a script the counts stay, and nothing can be pressed."""
    ceilings = {row.status.ceiling for row in board.rows}
    return tag(
        "form",
        tag("p", *_search(board), class_="search"),
        _choices(
            "status",
            [
                (s.word, status_mark.icon(status_mark.tone_name(s)), count)
                for s, count in _by_word(board.rows)
            ],
        ),
        _choices(
            "ceiling",
            [
                (level.value, None, sum(r.status.ceiling is level for r in board.rows))
                for level in Level
                if level in ceilings
            ],
        ),
        tag("p", "", id="shown", role="status"),
        id="filter",
        role="search",
        aria_label="Falsifiers",
    )


def _fraction(part: int, whole: int, what: str, note: str | None) -> Markup:
    number = tag("span", tag("b", str(part)), f" of {whole}", class_="number")
    return tag("p", number, " ", what, tag("small", f" {note}") if note else None)


def _urgent(row: Row) -> Iterator[Child]:
    yield status_mark.icon(status_mark.tone_name(row.status))
    yield tag("b", row.status.word)
    yield " "
    yield tag("a", row.falsifier.id, href=f"#{anchor_of(row.falsifier.id)}")
    yield tag("span", " ", in_pieces(reason_of(row.status)), class_="quiet")


def _search(board: Scoreboard) -> Iterator[Child]:
    hint = "ID, rule, reason, metric"
    yield tag("label", "Search ", tag("kbd", "/"), for_="search")
    yield tag("input", id="search", type="search", placeholder=hint, autocomplete="off")
    options = [tag("option", "all contracts", value="")]
    options += [tag("option", c.id, value=c.id) for c, _ in board.by_contract()]
    yield tag("label", "Contract", for_="contract")
    yield tag("select", *options, id="contract")
    yield tag("button", "Clear", id="clear", type="button")


def _choices(name: str, choices: Sequence[tuple[str, Markup | None, int]]) -> Markup:
    return tag(
        "fieldset",
        tag("legend", name),
        tag(
            "div",
            *(
                tag(
                    "label",
                    tag("input", type="checkbox", name=name, value=value, disabled=True),
                    mark,
                    f"{value.replace('_', ' ')} ",
                    tag("b", str(count)),
                    class_="chip",
                )
                for value, mark, count in choices
            ),
            class_="chips",
        ),
    )


def _kinds(rows: Sequence[Row]) -> list[tuple[Status, int]]:
    """One status of each word and tone with its count, what is best first."""
    groups: dict[tuple[int, str], list[Status]] = {}
    for row in rows:
        key = (tone_of(row.status).urgency, row.status.word)
        groups.setdefault(key, []).append(row.status)
    return [(found[0], len(found)) for _, found in sorted(groups.items(), key=lambda g: g[0])]


def _by_word(rows: Sequence[Row]) -> list[tuple[Status, int]]:
    """The same by word alone, as a filter chooses; the worst of its tones stands for it."""
    found: dict[str, tuple[Status, int]] = {}
    for status, count in _kinds(rows):
        before = found.get(status.word, (status, 0))[1]
        found[status.word] = (status, before + count)
    return list(found.values())


def missing_rows() -> Markup:
    """What a board without a falsifier says."""
    return tag(
        "div",
        tag("h2", "No falsifier is declared"),
        tag("p", "A contract declares them: ", tag("code", "pv init"), " makes a first one."),
        class_="empty",
    )


def no_match() -> Markup:
    """What stands there when the filter leaves nothing; a script shows it."""
    again = tag("button", "Clear the filter", type="button", class_="clear")
    return tag("div", tag("p", "No falsifier matches."), again, id="no-match", hidden=True)


def column_names() -> Markup:
    """What the columns of a wide page are called; each cell says it too, for who can't see."""
    measured = "measured: what broke, else the first bound"
    names = ("status", "falsifier", measured, "killed", "age", "device")
    cells = join(tag("span", name) for name in names)
    return tag("div", cells, class_="columns", aria_hidden="true")

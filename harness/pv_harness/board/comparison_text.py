"""A comparison as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.lines import Painter, Style, cells, wrap
from pv_harness.board.phrases import Tone, harmless
from pv_harness.comparing.sections import make_sections, summarise


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.comparing.change import Change, Difference
    from pv_harness.comparing.comparison import Comparison
    from pv_harness.comparing.sections import Section
    from pv_harness.comparing.standing import Move
    from pv_harness.comparing.versions import VersionAdvice


def render_text(
    comparison: Comparison, *, old: str, new: str, width: int, color: bool = False
) -> str:
    """The comparison in lines of at most `width` columns, the most urgent last.

    `old` and `new` are what the reader calls the two sides. Ends without a newline.
    """
    painter = Painter(color=color)
    lines = [painter.paint(line, "bold") for line in wrap(f"{old} → {new}", width)]
    for section in make_sections(comparison):
        lines += ["", *_heading(section, width, painter), *_entries(section, width, painter)]
    lines += ["", *wrap(summarise(comparison), width)]
    return "\n".join(line.rstrip() for line in lines)


def show_advice(advice: VersionAdvice) -> str:
    """Which version the contract has, which it should have, and by which change."""
    step, because = advice.step.name.lower(), advice.because
    reason = f"{step}: {because.subject}: {because.difference.what} {because.effect.value}"
    stands = advice.old if advice.old == advice.new else f"{advice.old} → {advice.new}"
    if advice.is_enough:
        return f"{stands} ({reason})"
    return f"{stands}, should be {advice.suggested} ({reason})"


def show_move(move: Move) -> str:
    """The status then and now."""
    return f"{move.old or 'absent'} → {move.new}"


def _heading(section: Section, width: int, painter: Painter) -> Iterator[str]:
    return _painted(
        wrap(section.note, width, f"{section.title} {section.size}  "), painter, "bold"
    )


def _entries(section: Section, width: int, painter: Painter) -> Iterator[str]:
    tone = Tone.BAD if section.urgent else None
    for move in section.moves:
        yield from _painted(wrap(move.falsifier, width, "  "), painter, tone)
        yield from wrap(show_move(move), width, "    ")
        if move.why and move.why not in move.new:
            yield from wrap(move.why, width, "    ↳ ")
    for subject, changes in section.by_subject().items():
        yield from _painted(wrap(subject, width, "  "), painter, tone)
        for change in changes:
            yield from _change_lines(change, width)
    for advice in section.versions:
        yield from _painted(wrap(advice.contract, width, "  "), painter, tone)
        yield from wrap(show_advice(advice), width, "    ")


def _change_lines(change: Change, width: int) -> Iterator[str]:
    found = change.difference
    line = f"    {harmless(_on_one_line(found))}"
    if cells(line) <= width:
        yield line
        return
    yield from wrap(found.what, width, "    ")
    if found.old:
        yield from wrap(found.old, width, "    - ")
    if found.new:
        yield from wrap(found.new, width, "    + ")


def _on_one_line(found: Difference) -> str:
    if found.old and found.new:
        return f"{found.what}: {found.old} → {found.new}"
    return f"{found.what}: {'-' if found.old else '+'} {found.old or found.new}"


def _painted(lines: Iterator[str], painter: Painter, style: Style) -> Iterator[str]:
    return (painter.paint(line, style) for line in lines)

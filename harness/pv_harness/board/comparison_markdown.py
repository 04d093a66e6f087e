"""A comparison as Markdown, for a pull request or a job summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.comparison_text import show_advice, show_move
from pv_harness.board.markdown import escape_markdown
from pv_harness.comparing.sections import make_sections, summarise


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.comparing.change import Difference
    from pv_harness.comparing.comparison import Comparison
    from pv_harness.comparing.sections import Section

MAX_BYTES = 1_000_000
"""A little less than the 1 MiB that GitHub takes for the summary of one step."""


def render_markdown(
    comparison: Comparison, *, old: str, new: str, max_bytes: int = MAX_BYTES
) -> str:
    """The comparison as Markdown of at most `max_bytes`, the most urgent first.

    The first lines of a summary are what is read, the last ones of a terminal. Every text from
    contracts is escaped. What has no room is counted.
    """
    lines = [
        f"# {escape_markdown(f'{old} → {new}')}",
        "",
        escape_markdown(summarise(comparison)),
    ]
    left_out = 0
    room = max_bytes - sum(len(line.encode()) + 1 for line in lines) - _ROOM_FOR_END
    for section in reversed(make_sections(comparison)):
        heading = f"{section.title} {section.size}: {section.note}"
        for line in ("", f"## {escape_markdown(heading)}", "", *_entries(section)):
            room -= len(line.encode()) + 1
            if room >= 0:
                lines.append(line)
            elif line.startswith("- "):
                left_out += 1
    if left_out:
        lines += ["", f"{left_out} more, not shown; `pv diff` shows all."]
    return "\n".join(lines) + "\n"


_ROOM_FOR_END = 100


def _entries(section: Section) -> Iterator[str]:
    for move in section.moves:
        why = f": {move.why}" if move.why and move.why not in move.new else ""
        yield f"- {_strong(move.falsifier)} {escape_markdown(show_move(move) + why)}"
    for change in section.changes:
        yield f"- {_strong(change.subject)} {_difference(change.difference)}"
    for advice in section.versions:
        yield f"- {_strong(advice.contract)} {escape_markdown(show_advice(advice))}"


def _difference(found: Difference) -> str:
    what = escape_markdown(found.what)
    old = f"<del>{escape_markdown(found.old)}</del>" if found.old else ""
    new = f"<ins>{escape_markdown(found.new)}</ins>" if found.new else ""
    return f"{what}: {' '.join(part for part in (old, new) if part)}"


def _strong(name: str) -> str:
    return f"<b>{escape_markdown(name)}</b>"

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt
from tests.harness.board.conftest import (
    HOSTILE,
    KINDS,
    NOW_S,
    boards,
    hostile_text,
    make_board,
    make_row,
)

from pv_harness.board.markdown import MAX_BYTES, escape_markdown, render_markdown
from pv_harness.board.phrases import harmless
from pv_harness.board.scoreboard import Scoreboard


READER = MarkdownIt("gfm-like", {"linkify": False})


def render(board: Scoreboard, **options: int) -> str:
    return render_markdown(board, now_s=NOW_S, **options)


class _Tags(HTMLParser):
    """The elements that a browser would see in what Markdown becomes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(" ".join([tag, *(name for name, _ in attrs)]))


OURS = {
    *("h1", "h2", "p", "ul", "li", "code", "details", "summary", "b"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def test_a_red_board_shows_its_red_rows_first_and_folds_the_rest() -> None:
    text = render(make_board(("GOOD", "NOT_RUN", "FAILED")))
    assert text.index("❌ | FALSIFY-TOY-003") < text.index("🟡 | FALSIFY-TOY-002")
    assert text.index("Not at its ceiling") < text.index("<details>")
    assert text.index("<details>") < text.index("✅ | FALSIFY-TOY-001")
    assert "<summary><b>toy-v1</b>: adding adds (1 of 3 at their ceiling)</summary>" in text
    assert "| ✅ | FALSIFY-TOY-001 | INTEGRATION/INTEGRATION | loss 2.25 nats (≤ 2.5" in text


def test_a_good_board_has_nothing_to_attend_to() -> None:
    text = render(make_board(("GOOD",)))
    assert "Not at its ceiling" not in text
    assert "- 1 of 1 falsifiers judged · 1 of 1 at their ceiling" in text


@given(board=boards())
def test_no_text_becomes_markup(board: Scoreboard) -> None:
    text = render(board)
    tags = set(_Tags(READER.render(text)).seen)
    assert tags <= OURS
    tokens = [t for token in READER.parse(text) for t in (token, *(token.children or ()))]
    assert not any(
        t.type in {"html_inline", "link_open", "image", "strong_open"} for t in tokens
    )
    blocks = {t.content.strip().split(">")[0] + ">" for t in tokens if t.type == "html_block"}
    assert blocks <= {"<details>", "</details>"}


@given(board=boards())
def test_every_row_of_a_table_has_the_cells_of_its_heading(board: Scoreboard) -> None:
    shown = READER.render(render(board))
    for table in re.findall(r"<table>.*?</table>", shown, re.DOTALL):
        head = table.count("<th>")
        assert table.count("<td>") == head * (table.count("<tr>") - 1)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_is_shown_as_it_is(text: str) -> None:
    shown = READER.render(render(make_board(text=text)))
    whole = harmless(text)[:500]
    assert html.escape(whole) in shown


@given(text=hostile_text)
def test_escaped_text_reads_as_the_text(text: str) -> None:
    shown = READER.render(f"| a |\n|---|\n| {escape_markdown(text)} |\n")
    cell = re.search(r"<td>(.*?)</td>", shown, re.DOTALL)
    assert cell is not None
    assert html.unescape(cell[1]) == harmless(text).strip()


@given(
    board=boards(), max_bytes=st.integers(2_000, 12_000), copies=st.sampled_from([1, 20, 200])
)
def test_it_fits_whatever_the_size(board: Scoreboard, max_bytes: int, copies: int) -> None:
    text = render(Scoreboard(board.rows * copies), max_bytes=max_bytes)
    assert len(text.encode()) <= max_bytes
    assert text.count("<details>") == text.count("</details>")


def test_a_board_of_twenty_thousand_rows_stays_below_a_mebibyte_and_says_so() -> None:
    rows = [make_row("GOOD", "FALSIFY-TOY-GOOD")] * 19_990
    red = [make_row("FAILED", f"FALSIFY-TOY-RED-{i}") for i in range(10)]
    text = render(Scoreboard((*rows, *red)))
    assert len(text.encode()) < MAX_BYTES < 1 << 20
    left = re.search(r"(\d+) more rows not shown; `pv scoreboard` shows all\.", text)
    assert left is not None
    table = text.partition("<details>")[2]
    assert table.count("\n| ✅") + table.count("\n| ❌") + int(left[1]) == 20_000
    assert all(f"| ❌ | FALSIFY-TOY-RED-{i} |" in text for i in range(10))


def test_red_rows_that_do_not_fit_are_counted() -> None:
    board = Scoreboard(tuple(make_row("FAILED", f"F-{i}") for i in range(100)))
    text = render(board, max_bytes=4_000)
    shown = text.count("| ❌ | F-")
    assert f"{100 - shown} more not at their ceiling, not shown." in text
    assert "100 more rows not shown" in text


def test_a_long_reason_is_cut_and_so_is_a_long_title() -> None:
    row = make_row("FAILED", "F")
    long = replace(row, status=replace(row.status, why="w" * 5_000))
    text = render(Scoreboard((long,)))
    assert "w…" in text
    assert max(map(len, text.splitlines())) < 2_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_mark(kind: str) -> None:
    row = make_row(kind, "F")
    assert re.search(r"\| (✅|🔷|🟣|⚪|🟡|💥|❌) \| F", render(Scoreboard((row,))))


@pytest.mark.parametrize(
    ("kinds", "answer"),
    [
        (("GOOD",), "✅ Satisfied: nothing judged is refuted (exit code 0)"),
        (("GOOD", "FAILED", "FAILED"), "❌ Denied: 2 FAILED (exit code 1)"),
        (("GOOD", "NOT_RUN"), "🟡 Not known: 1 NOT\\_RUN (exit code 3)"),
        (("BLOCKED",), "⚪ Nothing judged: 1 BLOCKED (exit code 2)"),
        (("ERROR",), "💥 Broken: 1 ERROR (exit code 4)"),
        ((), "⚪ Nothing judged (exit code 2)"),
    ],
)
def test_it_begins_with_the_answer(kinds: tuple[str, ...], answer: str) -> None:
    assert render(make_board(kinds)).splitlines()[2] == answer


def test_a_command_can_be_copied_and_advice_is_text() -> None:
    text = render(make_board(("NOT_RUN", "BLOCKED", "FLAKY")))
    assert "| `pv run --prove FALSIFY-TOY-001` |" in text
    assert "| `pv run --prove FALSIFY-TOY-002`, where cuda is |" in text
    assert "| make the check deterministic |" in text


def test_a_reason_stands_once_in_a_row() -> None:
    text = render(make_board(("STALE",)))
    row = next(line for line in text.splitlines() if line.startswith("| 🟡"))
    assert row.count("changed") == 1
    assert "| STALE(was INTEGRATION) |" in row

"""The page: everything that the board knows, in one file that asks nobody for anything.

Its own style and script are the only ones that a browser may use, by digest; whatever else gets
onto the page can neither run nor load. Without the script everything can be read.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.board.html import moment, overview
from pv_harness.board.html.answer import answer, findings, icon_address
from pv_harness.board.html.comparison import render_comparison
from pv_harness.board.html.contract import render_contract
from pv_harness.board.html.markup import Markup, join, tag


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.html.comparison import NotCompared, Since
    from pv_harness.board.scoreboard import Scoreboard


def render_html(
    board: Scoreboard,
    *,
    now_s: float,
    sources: Mapping[str, CheckSource] | None = None,
    since: Since | NotCompared | None = None,
    title: str = "Scoreboard",
) -> str:
    """The board as one HTML file that needs no other.

    Args:
        board: what the evidence supports.
        now_s: what ages are counted from, seconds since the epoch.
        sources: node ID of a check -> its source, for those that could be read.
        since: what changed since the last release, or why that can't be told.
        title: what the page is called.
    """
    style, script = _asset("style.css"), _asset("page.js")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag(
            "title",
            f"{len(board.at_ceiling)} of {len(board.counted)} at their ceiling \u2013 {title}",
        ),
        tag("link", rel="icon", href=icon_address(board)),
        tag("style", Markup(style)),
    )
    changes = None
    if since is not None:
        changes = render_comparison(since, {row.falsifier.id for row in board.rows})
    body = tag(
        "body",
        tag("header", *_header(board, now_s, title)),
        tag("main", *_main(board, changes, now_s, sources or {})),
        tag("footer", *_FOOTER),
        tag("script", Markup(script)),
    )
    page = tag("html", head, body, lang="en")
    return f"<!DOCTYPE html>\n{page.html}\n"


_FOOTER = (
    tag("p", "Every status here is derived from stored evidence; none is typed by hand."),
    tag("p", "Ages are counted from the moment that the page was made."),
)


def _header(board: Scoreboard, now_s: float, title: str) -> Iterator[Markup | None]:
    yield tag("h1", title)
    yield tag("p", "Derived from evidence on ", moment.moment(now_s), class_="quiet")
    yield answer(board)
    yield overview.fractions(board)
    yield overview.status_bar(board)


def _main(
    board: Scoreboard,
    changes: Markup | None,
    now_s: float,
    sources: Mapping[str, CheckSource],
) -> Iterator[Markup | None]:
    yield findings(board)
    yield overview.needs_attention(board)
    yield changes
    if not board.rows:
        yield overview.missing_rows()
        return
    yield overview.filter_form(board)
    contracts = (
        render_contract(contract, rows, now_s=now_s, sources=sources)
        for contract, rows in board.by_contract()
    )
    yield tag("div", overview.column_names(), join(contracts), overview.no_match(), id="board")


def _asset(name: str) -> str:
    """A file of this package; the digest that the browser checks is over these very bytes."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """What the browser may load or run: this style, this script, and images inside the page."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_source(style)}'",
            f"script-src '{_source(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"

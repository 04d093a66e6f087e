"""The page as a whole: what is on it, and what no text can put there."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.board.html.page import render_html
from pv_harness.board.scoreboard import Scoreboard
from pv_harness.deriving.status import StatusKind
from pv_harness.evidence.finding import Finding, FindingKind


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.board.html.check_source import CheckSource

    Parse = Callable[[str], Any]
    Hostile = Callable[[str], tuple[Scoreboard, dict[str, CheckSource]]]

NOW_S = 1_790_000_000.0
ATTACKS = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</style><style>*{display:none}</style>",
    "<!-- --><!--",
    "javascript:alert(1)",
    "]]><svg onload=alert(1)>",
    "&lt;b&gt; &amp;amp; &#60;",
    "\x00\x1b[31m\u202e\u2066\u2028\u2029\ud800\ufeff",
    "%0A%3Cscript%3E",
    "# | ` * _ [x](javascript:alert(1))",
)


def test_every_kind_of_status_is_on_the_sample(board: Scoreboard) -> None:
    shown = {row.status.kind for row in board.rows}
    assert shown >= set(StatusKind)


def test_the_page_says_what_the_board_says(
    board: Scoreboard, sources: dict[str, CheckSource], parse: Parse
) -> None:
    page = render_html(board, now_s=NOW_S, sources=sources)
    parsed = parse(page)
    text = parsed.text
    assert "2 of 12 falsifiers at their ceiling" in text
    assert "6 of 12 falsifiers judged on this tree" in text
    assert "5 of 11 declared defects killed" in text
    assert "1 more reported apart, in no count" in text
    assert "4 need attention" in text
    rows = [a for a in parsed.all("details") if a.get("class") == "row"]
    assert len(rows) == len(board.rows)
    for row in board.rows:
        assert row.falsifier.id in text
        assert {"class": "body", "id": row.falsifier.id} in parsed.all("div")
    assert "test_the_first_update_moves_every_weight" in text
    assert "largest_move 3.16 ≤ 1.05 rates" in text
    assert "out by 2.11 (201%)" in text


def test_the_page_is_the_same_for_the_same_board(board: Scoreboard) -> None:
    assert render_html(board, now_s=NOW_S) == render_html(board, now_s=NOW_S)


def test_no_two_elements_have_one_id(board: Scoreboard, parse: Parse) -> None:
    parsed = parse(render_html(board, now_s=NOW_S))
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_every_link_leads_to_a_place_on_the_page(board: Scoreboard, parse: Parse) -> None:
    parsed = parse(render_html(board, now_s=NOW_S))
    ids = {a["id"] for _, a in parsed.elements if "id" in a}
    links = [str(a["href"]) for name, a in parsed.elements if name in {"a", "use"}]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_the_policy_lets_run_only_the_pages_own_style_and_script(board: Scoreboard) -> None:
    page = render_html(board, now_s=NOW_S)
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    policy = policy.replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for element in ("style", "script"):
        found = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert len(found) == 1
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


def test_nothing_on_the_page_names_another_place(board: Scoreboard, parse: Parse) -> None:
    parsed = parse(render_html(board, now_s=NOW_S))
    for name, attributes in parsed.elements:
        assert "src" not in attributes, name
        assert "style" not in attributes, "the policy would forbid it"
        assert not [key for key in attributes if key.startswith("on")]
    assert [a["href"] for a in parsed.all("link")] == [parsed.all("link")[0]["href"]]
    assert str(parsed.all("link")[0]["href"]).startswith("data:image/svg+xml,")


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_changes_what_the_page_is_made_of(
    hostile: Hostile, parse: Parse, attack: str
) -> None:
    calm, _ = hostile("calm")
    board, sources = hostile(attack)
    page = render_html(board, now_s=NOW_S, sources=sources, title=attack)
    page.encode("utf-8")
    assert "\x00" not in page
    assert kinds_of(parse(page)) <= kinds_of(parse(render_html(calm, now_s=NOW_S))) | LISTING
    assert page.count("<script>") == page.count("</script>") == 1
    assert page.count("<style>") == page.count("</style>") == 1


LISTING = {
    ("pre", ("class", "tabindex", "role", "aria-label")),
    ("span", ("class", "data-n")),
    ("a", ("href", "class")),
}


def kinds_of(parsed: Any) -> set[tuple[str, tuple[str, ...]]]:
    return set(parsed.skeleton)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=40))
def test_any_text_comes_back_as_text(hostile: Hostile, parse: Parse, text: str) -> None:
    from pv_harness.board.html.markup import visible

    board, sources = hostile(text)
    page = render_html(board, now_s=NOW_S, sources=sources)
    parsed = parse(page)
    assert visible(text) in parsed.text
    calm, _ = hostile("calm")
    assert kinds_of(parsed) <= kinds_of(parse(render_html(calm, now_s=NOW_S))) | LISTING


def test_an_empty_board_says_what_to_do(parse: Parse) -> None:
    parsed = parse(render_html(Scoreboard(()), now_s=NOW_S))
    assert "No falsifier is declared" in parsed.text
    assert "0 of 0 falsifiers at their ceiling" in parsed.text


def test_sixty_falsifiers_are_well_under_a_megabyte(
    board: Scoreboard, sources: dict[str, CheckSource]
) -> None:
    sixty = Scoreboard((board.rows * 6)[:60])
    assert len(render_html(sixty, now_s=NOW_S, sources=sources).encode()) < 800_000


@pytest.mark.parametrize(
    ("ids", "answer"),
    [
        (("INIT-001",), "Satisfied: nothing judged is refuted exit code 0"),
        (("INIT-001", "LIVE-002"), "nothing judged is refuted; 1 can't be judged here"),
        (("INIT-001", "INIT-002", "INIT-003"), "Denied: 1 FAILED, 1 VACUOUS exit code 1"),
        (("LIVE-002",), "Nothing judged: 1 BLOCKED exit code 2"),
        ((), "Nothing judged  exit code 2"),
        (("INIT-001", "INIT-005", "LIVE-005"), "Not known: 1 NOT RUN, 1 STALE exit code 3"),
        (("INIT-002", "LIVE-003"), "Broken: 1 ERROR exit code 4"),
    ],
)
def test_the_page_begins_with_the_answer(
    board: Scoreboard, parse: Parse, ids: tuple[str, ...], answer: str
) -> None:
    part = board.of({f"FALSIFY-{name}" for name in ids})
    text = parse(render_html(part, now_s=NOW_S)).text
    assert answer in text
    assert text.index(answer) < text.index("falsifiers at their ceiling", 60)


def test_evidence_that_can_not_be_trusted_is_the_first_thing_told(
    board: Scoreboard, parse: Parse
) -> None:
    found = Finding(FindingKind.ALTERED, Path("reports/a.jsonl"), "its bytes are others", "go")
    text = parse(render_html(replace(board, findings=(found,) * 13), now_s=NOW_S)).text
    assert "Broken: the evidence can't be trusted exit code 4" in text
    assert "The evidence can't be trusted: 13 findings" in text
    assert text.count("reports/a.jsonl: altered: its bytes are others; go") == 12
    assert "and 1 more: pv evidence verify" in text
    assert text.index("13 findings") < text.index("4 need attention")


def test_the_icon_has_the_colour_of_the_answer(board: Scoreboard, parse: Parse) -> None:
    icons = [
        parse(render_html(board.of({name}), now_s=NOW_S)).all("link")[0]["href"]
        for name in ("FALSIFY-INIT-001", "FALSIFY-INIT-002", "FALSIFY-INIT-005")
    ]
    assert len(set(icons)) == 3

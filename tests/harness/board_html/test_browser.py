"""The page in a real browser: what a reader can do, and what the page never does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.board.html.page import render_html


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.html.comparison import Since
    from pv_harness.board.scoreboard import Scoreboard

    Hostile = Callable[[str], tuple[Scoreboard, dict[str, CheckSource]]]
    Start = Callable[..., Any]

pytestmark = pytest.mark.browser

NOW_S = 1_790_000_000.0


@pytest.fixture(scope="session")
def html(board: Scoreboard, sources: dict[str, CheckSource], since: Since) -> str:
    """The page of the sample."""
    return render_html(board, now_s=NOW_S, sources=sources, since=since)


def test_a_status_narrows_the_rows_and_the_address_keeps_it(visit: Start, html: str) -> None:
    seen = visit(html)
    assert len(seen.shown()) == 13
    seen.chip("FAILED 1").check()
    assert seen.shown() == ["FALSIFY-INIT-002"]
    assert seen.page.locator("#shown").inner_text() == "1 of 13 falsifiers"
    assert seen.address() == "#?status=FAILED"
    seen.chip("STALE 1").check()
    assert seen.shown() == ["FALSIFY-INIT-002", "FALSIFY-INIT-005"]
    seen.page.get_by_role("button", name="Clear", exact=True).click()
    assert len(seen.shown()) == 13


def test_a_contract_that_has_nothing_to_show_goes_away(visit: Start, html: str) -> None:
    seen = visit(html)
    seen.page.get_by_label("Contract").select_option("apr-pretrain-live-v1")
    assert len(seen.shown()) == 8
    headings = seen.page.locator(".contract:not([hidden]) h2")
    assert headings.all_inner_texts() == ["apr-pretrain-live-v1 1.0.0"]


def test_search_finds_ids_and_the_words_of_a_claim(visit: Start, html: str) -> None:
    seen = visit(html)
    search = seen.page.get_by_role("searchbox")
    search.fill("live-001")
    assert seen.shown() == ["FALSIFY-LIVE-001"]
    search.fill("ENTROPY below")
    assert seen.shown() == ["FALSIFY-LIVE-001"]
    assert seen.address() == "#?q=ENTROPY%20below"
    search.fill("no such thing")
    assert seen.shown() == []
    assert seen.page.get_by_text("No falsifier matches.").is_visible()
    seen.page.get_by_role("button", name="Clear the filter").click()
    assert len(seen.shown()) == 13


def test_a_filtered_view_can_be_linked(visit: Start, html: str) -> None:
    seen = visit(html, link="#?status=FAILED,ERROR&ceiling=INTEGRATION&q=falsify")
    assert seen.shown() == ["FALSIFY-INIT-002", "FALSIFY-LIVE-003"]
    assert seen.page.get_by_role("searchbox").input_value() == "falsify"
    assert seen.chip("ERROR 1").is_checked()


def test_an_address_that_means_nothing_filters_nothing(visit: Start, html: str) -> None:
    seen = visit(html, link="#NO-SUCH?status=BOGUS&contract=none&%ZZ=%ZZ&q=")
    assert len(seen.shown()) == 13
    assert seen.opened() == []


def test_opening_a_row_shows_its_page_and_back_closes_it(visit: Start, html: str) -> None:
    seen = visit(html)
    seen.row("FALSIFY-INIT-002").click()
    assert seen.opened() == ["FALSIFY-INIT-002"]
    assert seen.address() == "#FALSIFY-INIT-002"
    body = seen.page.locator("#FALSIFY-INIT-002")
    for name in ("Claim", "Levels", "Measured", "Over time", "Planted changes", "Check"):
        assert body.get_by_role("heading", name=name).is_visible()
    assert body.get_by_role("img", name="largest_move over 5 runs").is_visible()
    seen.page.go_back()
    assert seen.opened() == []
    seen.page.go_forward()
    assert seen.opened() == ["FALSIFY-INIT-002"]
    seen.row("FALSIFY-INIT-002").click()
    assert seen.opened() == []
    assert seen.address() == ""


def test_back_undoes_a_filter(visit: Start, html: str) -> None:
    seen = visit(html)
    seen.chip("FAILED 1").check()
    seen.row("FALSIFY-INIT-002").click()
    assert seen.address() == "#FALSIFY-INIT-002?status=FAILED"
    seen.page.go_back()
    assert (seen.opened(), len(seen.shown())) == ([], 1)
    seen.page.go_back()
    assert len(seen.shown()) == 13
    assert not seen.chip("FAILED 1").is_checked()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_link_to_a_falsifier_opens_it(visit: Start, html: str, script: bool) -> None:  # noqa: FBT001
    seen = visit(html, link="#FALSIFY-LIVE-001", java_script_enabled=script)
    claim = seen.page.locator("#FALSIFY-LIVE-001").get_by_text("Claim", exact=True)
    claim.wait_for(state="visible")
    box = seen.row("FALSIFY-LIVE-001").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 400, "the row itself is in sight"


def test_a_link_on_the_page_opens_a_row_and_shows_it(visit: Start, html: str) -> None:
    seen = visit(html)
    seen.page.locator(".attention a", has_text="FALSIFY-LIVE-003").click()
    assert seen.opened() == ["FALSIFY-LIVE-003"]
    seen.page.wait_for_function("scrollY > 200")


def test_a_link_wins_over_the_filter_beside_it(visit: Start, html: str) -> None:
    seen = visit(html, link="#FALSIFY-LIVE-001?status=FAILED")
    assert seen.shown() == ["FALSIFY-INIT-002", "FALSIFY-LIVE-001"]


def test_without_a_script_everything_can_be_read(visit: Start, html: str) -> None:
    seen = visit(html, java_script_enabled=False)
    assert not seen.page.get_by_role("searchbox").is_visible()
    assert seen.page.locator(".chip", has_text="FAILED").is_visible()
    assert seen.page.locator(".chip input").first.is_visible() is False
    summary = seen.page.locator("summary", has_text="FALSIFY-INIT-002")
    summary.click()
    assert seen.page.get_by_text("Why not higher:").first.is_visible()


def test_the_keyboard_is_enough(visit: Start, html: str) -> None:
    seen = visit(html)
    keyboard = seen.page.keyboard
    keyboard.press("/")
    keyboard.type("init-003")
    assert seen.shown() == ["FALSIFY-INIT-003"]
    focused = "document.activeElement.outerHTML"
    for _ in range(40):
        keyboard.press("Tab")
        if "FALSIFY-INIT-003" in seen.page.evaluate(focused):
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert seen.page.evaluate(outline) == "solid"
    keyboard.press("Enter")
    assert seen.opened() == ["FALSIFY-INIT-003"]
    keyboard.press("Escape")
    assert len(seen.shown()) == 13
    assert seen.page.get_by_role("searchbox").input_value() == ""


def test_a_slash_in_the_search_is_a_letter(visit: Start, html: str) -> None:
    seen = visit(html)
    seen.page.get_by_role("searchbox").press_sequentially("a/b")
    assert seen.page.get_by_role("searchbox").input_value() == "a/b"


@pytest.mark.parametrize("width", [360, 320])
def test_a_phone_never_scrolls_sideways(visit: Start, html: str, width: int) -> None:
    seen = visit(html, viewport={"width": width, "height": 700})
    everything = "document.querySelectorAll('details').forEach(d => { d.open = true; })"
    for prepare in ("0", everything):
        seen.page.evaluate(prepare)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_text_on_a_phone_stays_inside_it(visit: Start, hostile: Hostile) -> None:
    board, sources = hostile("W" * 300)
    page = render_html(board, now_s=NOW_S, sources=sources)
    seen = visit(page, viewport={"width": 360, "height": 700})
    seen.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_paper_has_everything_and_no_controls(visit: Start, html: str) -> None:
    seen = visit(html, java_script_enabled=False)
    seen.page.emulate_media(media="print")
    assert seen.page.locator("#FALSIFY-LIVE-001").get_by_text("if it fails").is_visible()
    assert seen.page.locator("#FALSIFY-INIT-001 .diff").first.is_visible()
    assert not seen.page.get_by_role("searchbox").is_visible()
    assert seen.page.locator("button:visible, input:visible, .permalink:visible").count() == 0


def test_printing_opens_the_rows_and_closes_them_again(visit: Start, html: str) -> None:
    seen = visit(html)
    assert len(seen.page.pdf()) > 50_000
    assert seen.opened() == []


@pytest.mark.parametrize(
    ("options", "media"),
    [
        ({"color_scheme": "light"}, "screen"),
        ({"color_scheme": "dark"}, "screen"),
        ({"color_scheme": "light", "viewport": {"width": 360, "height": 700}}, "screen"),
        ({"color_scheme": "dark"}, "print"),
    ],
    ids=["light", "dark", "phone", "print"],
)
def test_axe_finds_nothing(
    visit: Start, html: str, options: dict[str, Any], media: Any
) -> None:
    axe: Any = import_module("axe_playwright_python.sync_playwright")
    seen = visit(html, link="#FALSIFY-INIT-002", **options)
    seen.page.emulate_media(media=media)
    seen.page.evaluate(
        "document.querySelectorAll('#FALSIFY-INIT-002 details, #FALSIFY-LIVE-001 details,"
        " .background, details:has(> #FALSIFY-LIVE-001)').forEach(d => { d.open = true; })"
    )
    found = axe.Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    "attack",
    [
        "</script><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)><svg onload=alert(2)>',
        "javascript:alert(1)//' autofocus onfocus=alert(3) x='",
        "\x00\u202e\u2028\ud800<iframe srcdoc='<script>alert(4)</script>'></iframe>",
    ],
)
def test_no_text_runs_or_loads_anything(visit: Start, hostile: Hostile, attack: str) -> None:
    board, sources = hostile(attack)
    seen = visit(render_html(board, now_s=NOW_S, sources=sources, title=attack))
    assert seen.page.locator("iframe, img, object, embed").count() == 0
    assert seen.page.locator("script").count() == 1
    seen.page.locator("details.row > summary").first.click()
    seen.chip("VACUOUS 1").check()
    assert seen.page.locator("script").count() == 1


def test_the_policy_stops_what_escaping_would_have_missed(visit: Start, html: str) -> None:
    seen = visit(html.replace("</main>", "<script>document.title = 'run'</script></main>"))
    assert seen.page.title() != "run"
    assert len(seen.trouble) == 1
    assert "Content Security Policy" in seen.trouble.pop()

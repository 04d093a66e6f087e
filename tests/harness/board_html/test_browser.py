"""The page in a real browser: what a reader can do, and what the page never does."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pv_harness.board.html.page import render_html


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.html.comparison import Since
    from pv_harness.board.scoreboard import Scoreboard

    Hostile = Callable[[str], tuple[Scoreboard, dict[str, CheckSource]]]
    Start = Callable[..., "Visit"]

pytestmark = pytest.mark.browser

NOW_S = 1_790_000_000.0
# The browser's own errands would be requests too, and it runs as root in containers.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NO_BROWSER = (
    "no Chromium: install it with the system's packages, or with `playwright install chromium`"
)


def give_up(why: str, detail: str = "") -> NoReturn:
    """Skip; in CI, where the browser belongs to the machine, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}\n{detail}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests skip, save in CI, where that is a failure."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        give_up("no playwright: pip install --group test")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            give_up(NO_BROWSER, str(error))
        yield started
        started.close()


@dataclass
class Visit:
    """One page in one window without a network, and all that it did besides being read."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def shown(self) -> list[str]:
        """The IDs of the rows that can be seen."""
        return [
            text.split()[0]
            for text in self.page.locator("details.row:not([hidden]) h3").all_text_contents()
        ]

    def opened(self) -> list[str]:
        """The IDs of the rows that are open."""
        return [
            str(body.get_attribute("id"))
            for body in self.page.locator("details.row[open] > .body").all()
        ]

    def address(self) -> str:
        return str(self.page.evaluate("location.hash"))

    def chip(self, name: str) -> Any:
        return self.page.get_by_role("checkbox", name=name)

    def row(self, identity: str) -> Any:
        return self.page.locator(f"details.row:has(> #{identity}) > summary")


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Opens a page; whatever happens, it made no request and no error."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def start(html: str, *, link: str = "", **options: Any) -> Visit:
        file = tmp_path / "index.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        visited = Visit(page, file.as_uri())
        page.on("request", lambda request: visited.requests.append(request.url))
        page.on("console", lambda message: visited.trouble.append(message.text))
        page.on("pageerror", lambda error: visited.trouble.append(str(error)))
        page.on("dialog", lambda dialog: visited.trouble.append(f"dialog {dialog.message}"))
        page.goto(visited.url + link)
        visits.append(visited)
        return visited

    yield start
    for context in contexts:
        context.close()
    for visited in visits:
        assert visited.trouble == []
        loaded = {url.partition("#")[0] for url in visited.requests if url[:5] != "data:"}
        assert loaded == {visited.url}


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

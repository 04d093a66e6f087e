"""The parts of a falsifier's page, each alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from pv_harness.board.html import (
    code_listing,
    comparison,
    curves,
    falsifier_page,
    history,
    levels,
    margin_bar,
)
from pv_harness.board.html.anchor import anchor_of
from pv_harness.board.html.curves import pieces
from pv_harness.board.html.markup import join, tag, visible
from pv_harness.board.html.moment import moment, show_duration, show_moment
from pv_harness.board.html.whole import LONGEST, in_pieces, whole
from pv_harness.comparing.change import Change, Difference, Effect, Part
from pv_harness.comparing.comparison import Comparison
from pv_harness.comparing.standing import Course, Move
from pv_harness.comparing.versions import advise
from pv_harness.contracts.contract import Bound, Comparator
from pv_harness.evidence.records import Series
from pv_harness.judging.measurement import Judgement, Measurement


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.board.scoreboard import Row, Scoreboard

    Parse = Callable[[str], Any]

TEXT = st.text(st.characters(), max_size=200)


def row_of(board: Scoreboard, name: str) -> Row:
    return next(row for row in board.rows if row.falsifier.id == name)


def judged(comparator: Comparator, threshold: Any, value: Any) -> Judgement:
    return Judgement(Bound("m", comparator, threshold), Measurement("m", value))


@given(TEXT)
def test_a_listing_shows_every_character_of_the_source(text: str) -> None:
    from html import unescape
    from re import sub

    shown = code_listing.listing(text, first_line=1, name="x").html
    plain = unescape(sub(r"<[^>]*>", "", shown))
    assert plain == visible(text + "\n")


@pytest.mark.parametrize(
    "text",
    [
        'x = """a\nb\n"""  # c\n',
        "def f(: '\n  'unfinished",
        'f"{x!r:>{3}} {y}" f"""\n{z}\n"""',
        "\tif 1:\n  pass",
        "a = 1\\\n  + 2",
    ],
)
def test_a_listing_keeps_source_that_can_not_be_read_as_python(text: str, parse: Parse) -> None:
    parsed = parse(code_listing.listing(text, first_line=7, name="x").html)
    assert parsed.text == text + "\n"
    numbers = [a["data-n"] for a in parsed.all("span") if a.get("class") == "line"]
    assert numbers == [str(7 + i) for i in range(text.count("\n") + 1)]


def test_a_listing_colors_keywords_strings_numbers_and_comments() -> None:
    shown = code_listing.listing('return 1, "a"  # b', first_line=1, name="x").html
    for piece in ('kw">return<', 'num">1<', 'str">"a"<', 'com"># b<'):
        assert piece in shown


def test_a_long_listing_says_how_much_is_left_out() -> None:
    text = "\n".join("x" for _ in range(code_listing.MAX_LINES + 3))
    assert (
        "3 more lines are not shown." in code_listing.listing(text, first_line=1, name="x").html
    )


def test_a_change_is_shown_as_a_diff(parse: Parse) -> None:
    shown = code_listing.change_listing("a\nb", "a\nc", name="x").html
    assert parse(shown).text == "  a\n- b\n+ c\n"


@settings(max_examples=40)
@given(st.lists(st.floats(), max_size=30), st.integers(1, 40))
def test_a_thinned_curve_keeps_its_peaks_and_is_short(part: list[float], times: int) -> None:
    values = part * times
    series = Series("s", tuple(float(i) for i in range(len(values))), tuple(values))
    kept = [point for piece in pieces(series, 100) for point in piece]
    finite = [value for value in values if math.isfinite(value)]
    assert len(kept) <= 100
    assert kept == sorted(kept, key=lambda point: point[0])
    if finite:
        assert min(y for _, y in kept) == min(finite)
        assert max(y for _, y in kept) == max(finite)


@pytest.mark.parametrize("place", [0, 1, 333, 500, 998, 999])
@pytest.mark.parametrize("peak", [9.0, -9.0])
def test_a_single_peak_survives_thinning(place: int, peak: float) -> None:
    values = [float(i % 3) for i in range(1000)]
    values[place] = peak
    series = Series("s", tuple(float(i) for i in range(1000)), tuple(values))
    assert (float(place), peak) in pieces(series, 100)[0]


def test_curves_share_a_plot_with_a_legend_and_their_numbers(
    board: Scoreboard, parse: Parse
) -> None:
    parsed = parse(join(curves.plots(row_of(board, "FALSIFY-LIVE-001"))).html)
    assert len(parsed.all("figure")) == 1
    lines = [a for a in parsed.all("path") if str(a.get("class")).startswith("curve")]
    assert [a["class"] for a in lines] == ["curve c0", "curve c1"] * 2  # and in the legend
    assert "train loss goes from 5.657 to " in parsed.text
    assert "step" in parsed.text
    assert "nats" in parsed.text


def test_without_curves_there_is_no_plot_of_them(board: Scoreboard) -> None:
    assert list(curves.plots(row_of(board, "FALSIFY-INIT-001"))) == []


def test_the_history_marks_what_is_outside_the_bound(board: Scoreboard, parse: Parse) -> None:
    parsed = parse(join(history.plots(row_of(board, "FALSIFY-INIT-002"))).html)
    classes = [a.get("class") for a in parsed.all("path")]
    assert classes.count("bound") == 1
    assert classes.count("cross") == 1, "the newest value, on this tree"
    assert classes.count("cross old") == 1
    assert [a["class"] for a in parsed.all("circle")] == ["dot old"] * 3
    assert "2 of 5 values outside the bound, in 5 runs." in parsed.text
    assert parsed.text.count("outside") == 4, "caption, description and two rows of the table"


def test_what_never_moved_is_a_sentence(board: Scoreboard, parse: Parse) -> None:
    parsed = parse(join(history.plots(row_of(board, "FALSIFY-INIT-002"))).html)
    assert "The same in every run (5): exit_code 0" in parsed.text
    assert len(parsed.all("figure")) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**300, -1e308, 5e-324])
def test_any_number_can_stand_in_a_history(
    board: Scoreboard, parse: Parse, value: float
) -> None:
    row = row_of(board, "FALSIFY-INIT-001")
    last = row.runs[-1]
    measured = (Measurement("largest_move", value), Measurement("exit_code", "zero"))
    spoiled = replace(last, record=replace(last.record, measurements=measured))
    parsed = parse(join(history.plots(replace(row, runs=(*row.runs[:-1], spoiled)))).html)
    for path in parsed.all("path"):
        assert "nan" not in str(path["d"])
        assert "inf" not in str(path["d"])


@pytest.mark.parametrize(
    ("comparator", "threshold", "value", "text"),
    [
        (Comparator.LE, 2.0, 1.5, "margin 0.5 (25%)"),
        (Comparator.GE, 2.0, 1.5, "out by 0.5 (25%)"),
        (Comparator.LE, 1.0, 0.9999, "margin 0.0001 (0.01%)"),
        (Comparator.LE, 0, -3, "margin 3"),
        (Comparator.LE, 1e-6, 1.0, "out by 1"),
        (Comparator.LT, 2.0, 2.0, "out by nothing: the bound itself is outside"),
        (Comparator.LE, 2.0, 2.0, "margin 0"),
        (Comparator.EQ, 2, 2, None),
        (Comparator.LE, 2.0, math.nan, None),
        (Comparator.LE, 2.0, "two", None),
    ],
)
def test_the_margin_in_words(
    comparator: Comparator, threshold: Any, value: Any, text: str | None
) -> None:
    assert margin_bar.margin_text(judged(comparator, threshold, value)) == text


@given(
    st.sampled_from(Comparator),
    st.one_of(st.floats(), st.integers(-(10**300), 10**300)),
    st.one_of(st.floats(allow_nan=False), st.integers()),
)
def test_a_bar_is_within_its_drawing(
    comparator: Comparator, value: float, threshold: float
) -> None:
    drawn = margin_bar.bar(judged(comparator, threshold, value))
    if drawn is not None:
        from re import findall

        for x, width in findall(r'<rect x="([^"]*)" y="\d" width="([^"]*)"', drawn.html):
            assert 0 <= float(x) <= 120
            assert 0 <= float(width) <= 121.5


@pytest.mark.parametrize("seconds", [0.0, -1e20, 1e20, math.nan, math.inf])
def test_any_number_can_be_a_moment(seconds: float) -> None:
    assert moment(seconds).html.startswith("<time")
    assert show_moment(0.0) == "1970-01-01 00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123, "12.3 ms"), (3.21, "3.21 s"), (600.0, "10 min")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@given(TEXT)
def test_an_anchor_needs_no_escaping_and_is_no_other_ids(text: str) -> None:
    anchor = anchor_of(text)
    assert anchor.isascii()
    assert anchor[0].isupper()
    assert not set(anchor) & set(" \"'<>#?%&/")
    assert anchor_of("FALSIFY-X-001") == "FALSIFY-X-001"


def test_the_comparison_names_what_is_worse_first_and_links_to_it(parse: Parse) -> None:
    loosened = Change(
        "c-v1", "FALSIFY-X-001", Difference(Part.BOUND, Effect.LOOSENED, "≤ 1", "≤ 2", "gap")
    )
    found = Comparison(
        moves=(
            Move(
                "c-v1", "FALSIFY-X-002", Course.PROMOTED, "PARTIAL/INTEGRATION", "INTEGRATION"
            ),
            Move("c-v1", "FALSIFY-X-001", Course.NEWLY_FAILED, "PARTIAL", "FAILED", "gap is 3"),
        ),
        changes=(loosened,),
        versions=(advise("c-v1", "1.0.0", "1.0.1", (loosened,)),),
        claims=(2, 2),
    )
    parsed = parse(
        comparison.render_comparison(comparison.Since("v1", found), {"FALSIFY-X-001"}).html
    )
    text = parsed.text
    assert text.index("newly failed") < text.index("promoted") < text.index("version too low")
    assert "bound gap: ≤ 1 → ≤ 2" in text
    assert "c-v1 1.0.0 → 1.0.1, should be at least 2.0.0" in text
    assert [a["href"] for a in parsed.all("a")] == ["#FALSIFY-X-001"] * 2
    assert parsed.all("details")[0] == {"class": "changes", "open": None}


def test_an_empty_comparison_says_so_and_stays_closed(parse: Parse) -> None:
    nothing = comparison.Since("v1", Comparison((), (), (), (0, 0)))
    parsed = parse(comparison.render_comparison(nothing, set()).html)
    assert "every claim and every status is as it was" in parsed.text
    assert "open" not in parsed.all("details")[0]


def test_a_subject_of_which_much_is_said_is_named_once(parse: Parse) -> None:
    changes = tuple(
        Change("c-v1", name, Difference(Part.BOUND, Effect.LOOSENED, "≤ 1", "≤ 2", metric))
        for name, metric in (("F-1", "a"), ("F-2", "b"), ("F-1", "c"))
    )
    found = Comparison(moves=(), changes=changes, versions=(), claims=(2, 2))
    parsed = parse(comparison.render_comparison(comparison.Since("v1", found), {"F-1"}).html)
    assert [a["href"] for a in parsed.all("a")] == ["#F-1"]
    assert "F-1 bound a: ≤ 1 → ≤ 2bound c: ≤ 1 → ≤ 2F-2 bound b" in parsed.text
    assert "3 loosened" in parsed.text


def test_a_group_names_only_so_many(parse: Parse) -> None:
    changes = tuple(
        Change("c-v1", f"F-{i}", Difference(Part.FALSIFIER, Effect.ADDED, "", "x"))
        for i in range(comparison.MAX_SUBJECTS + 3)
    )
    found = Comparison(moves=(), changes=changes, versions=(), claims=(0, 53))
    text = parse(comparison.render_comparison(comparison.Since("v1", found), set()).html).text
    assert f"F-{comparison.MAX_SUBJECTS - 1} " in text
    assert f"F-{comparison.MAX_SUBJECTS} " not in text
    assert "and 3 more: pv diff" in text


def test_claims_alone_say_so_and_name_the_command(parse: Parse) -> None:
    nothing = comparison.Since("v1 a", Comparison((), (), (), (0, 0)), 0.0, "it has none")
    text = parse(comparison.render_comparison(nothing, set()).html).text
    assert "What changed since v1 a of 1970-01-01" in text
    assert "Nothing: every claim is as it was." in text
    assert "compared, since it has none. How each stood then: pv diff 'v1 a'" in text


@pytest.mark.parametrize(
    ("since", "words"),
    [
        (comparison.NotCompared("There is none."), "last releaseThere is none."),
        (comparison.NotCompared("Too much.", "v1"), "Too much. pv diff v1 takes the time."),
    ],
)
def test_what_is_not_compared_says_why(
    since: comparison.NotCompared, words: str, parse: Parse
) -> None:
    parsed = parse(comparison.render_comparison(since, set()).html)
    assert parsed.text.endswith(words)
    assert parsed.all("details") == []


@given(TEXT)
def test_pieces_are_the_text(text: str) -> None:
    from html import unescape
    from re import sub

    assert unescape(sub(r"<[^>]*>", "", in_pieces(text).html)) == visible(text)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("gap is 3, but must be ≤ 1.05", ["≤ 1.05"]),
        ("bound t: ≤ 300 s → ≤ 120 s", ["≤ 300 s", "≤ 120 s"]),
        ("at least = 1, and so on", ["= 1"]),
        ("the shape that --config names, or -c", ["--config", "-c"]),
        ("as FALSIFY-X-001 says of well-known A-B", ["FALSIFY-X-001"]),
        ("a plain text", []),
    ],
)
def test_numbers_ids_and_options_are_pieces(text: str, pieces: list[str], parse: Parse) -> None:
    parsed = parse(in_pieces(text).html)
    assert len(parsed.all("span")) == len(pieces)
    for piece in pieces:
        assert f'<span class="piece">{piece}</span>' in in_pieces(text).html


def test_what_is_too_long_for_a_line_may_be_broken() -> None:
    assert whole("≤ 1 nats") == tag("span", "≤ 1 nats", class_="whole")
    assert whole("w" * (LONGEST + 1)) == "w" * (LONGEST + 1)


def test_a_condition_that_two_checks_measured_is_told_once(
    board: Scoreboard, parse: Parse
) -> None:
    row = row_of(board, "FALSIFY-INIT-001")
    record = row.status.record
    assert record is not None
    twice = replace(record, measurements=(*record.measurements, *record.measurements))
    asked = Bound("largest_move", Comparator.LE, 1.05)
    levels_ = tuple(replace(rule, measurements=(asked,)) for rule in row.falsifier.levels)
    row = replace(
        row,
        falsifier=replace(row.falsifier, levels=levels_),
        status=replace(row.status, record=twice),
    )
    text = parse(levels.levels_list(row).html).text
    assert text.count("largest_move") == len(levels_)


def test_curves_have_all_the_room_where_nothing_is_drawn_over_time(
    board: Scoreboard, parse: Parse
) -> None:
    row = row_of(board, "FALSIFY-LIVE-001")
    once = replace(row, runs=row.runs[-1:])
    for shown, pairs in ((row, 2), (once, 1)):
        parsed = parse(falsifier_page.render(shown, sources={}, anchor="x").html)
        assert [a.get("class") for a in parsed.all("div")].count("pair") == pairs

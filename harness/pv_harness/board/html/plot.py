"""A plot as SVG: the frame with its axes, and places for what is drawn inside it.

Nothing is styled here: classes are, in style.css, so that a plot follows the page's colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.scale import show_tick


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.html.scale import Scale

WIDTH, HEIGHT = 560, 214
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 26, 44


@dataclass(frozen=True, slots=True)
class Frame:
    """The area between the axes; y grows upwards in value and downwards on the page."""

    x: Scale
    y: Scale

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The point of the drawing that stands for these values."""
        return self.across(x), self.down(y)

    def across(self, x: float) -> float:
        """The horizontal place of a value."""
        return round(_LEFT + self.x.position(x) * (WIDTH - _LEFT - _RIGHT), 1)

    def down(self, y: float) -> float:
        """The vertical place of a value."""
        inside = HEIGHT - _TOP - _BOTTOM
        return round(_TOP + (1 - self.y.position(y)) * inside, 1)

    @property
    def top(self) -> int:
        """Where marks for values stand that no axis can hold, NaN say."""
        return _TOP - 10

    def level_line(self, y: float, class_: str) -> Markup:
        """A line across the plot at one value."""
        height = self.down(y)
        return tag("path", d=f"M{_LEFT} {height:g}H{WIDTH - _RIGHT}", class_=class_)

    def label_line(self, y: float, text: str) -> Markup:
        """What a line across the plot stands for, at its right end and clear of it."""
        height = self.down(y)
        above = height > _TOP + 14
        place = height - 5 if above else height + 14
        return tag("text", text, x=WIDTH - _RIGHT, y=round(place, 1), class_="bound-label")

    def line(self, points: Iterable[tuple[float, float]], class_: str) -> Markup:
        """A line through places of the drawing; through a single one, a dot as wide."""
        places = [f"{x:g} {y:g}" for x, y in points]
        drawn = "L".join(places) if len(places) > 1 else f"{places[0]}h0"
        return tag("path", d=f"M{drawn}", class_=class_)


def draw(
    frame: Frame,
    inside: Sequence[Child],
    *,
    title: str,
    description: str,
    x_ticks: Sequence[tuple[float, str]],
    labels: tuple[str, str] = ("", ""),
) -> Markup:
    """The whole drawing. A reader that sees nothing is told `title` and `description`.

    Args:
        frame: both scales.
        inside: what stands between the axes.
        title: what the plot shows.
        description: what can be seen in it.
        x_ticks: values of x and what is written below them.
        labels: what x and y count; y's stands above its axis.
    """
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *_y_axis(frame, labels[1]),
        *_x_axis(frame, x_ticks, labels[0]),
        *inside,
        class_="plot",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
    )


def number_ticks(frame: Frame, count: int = 5) -> tuple[tuple[float, str], ...]:
    """Round numbers for the axis below."""
    return tuple((value, show_tick(value)) for value in frame.x.ticks(count))


def _y_axis(frame: Frame, label: str) -> Iterable[Markup]:
    if label:
        yield tag("text", label, x=4, y=13)
    places = [(frame.down(value), show_tick(value)) for value in frame.y.ticks(4)]
    grid = "".join(f"M{_LEFT} {place:g}H{WIDTH - _RIGHT}" for place, _ in places)
    yield tag("path", d=grid, class_="grid")
    for place, text in places:
        yield tag("text", text, x=_LEFT - 8, y=f"{place + 4:g}", class_="y")


def _x_axis(frame: Frame, ticks: Sequence[tuple[float, str]], label: str) -> Iterable[Markup]:
    base = HEIGHT - _BOTTOM
    places = [(frame.across(value), text) for value, text in ticks]
    notches = "".join(f"M{place:g} {base}v4" for place, _ in places)
    yield tag("path", d=f"M{_LEFT} {base}H{WIDTH - _RIGHT}{notches}", class_="axis")
    for place, text in places:
        anchor = "end" if place > WIDTH - 60 else "start" if place < _LEFT + 20 else "middle"
        yield tag("text", text, x=f"{place:g}", y=base + 17, text_anchor=anchor)
    if label:
        yield tag("text", label, x=WIDTH - _RIGHT, y=HEIGHT - 5, text_anchor="end")


def figure(drawing: Markup, caption: Child, table: Child) -> Markup:
    """A drawing with what it shows in words, and its numbers for those who want them."""
    numbers = tag("details", tag("summary", "The numbers as a table"), table, class_="numbers")
    return tag("figure", drawing, tag("figcaption", caption), numbers)


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """Pairs of the class that a line has and what it stands for, each with a sample of it."""
    return join(
        (
            tag(
                "span",
                tag(
                    "svg",
                    tag("path", d="M0 5H28", class_=class_),
                    class_="sample",
                    viewBox="0 0 28 10",
                    aria_hidden="true",
                ),
                text,
                class_="key",
            )
            for class_, text in entries
        ),
        " ",
    )

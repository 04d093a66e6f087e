"""A plot as SVG: the frame with its axes, and places for what is drawn inside it.

Nothing is styled here: classes are, in style.css, so that a plot follows the page's colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.scale import show_ticks


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.html.scale import Scale

WIDTH, HEIGHT = 560, 226
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 32, 50
# Text is 12 units high on a wide page, 18 on a phone; places are made for the larger one.
_LINE, _LETTER = 24, 11
_GAP = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """The area between the axes; y grows upwards in value and downwards on the page.

    Attributes:
        margin: what is kept free on the right, for the labels of lines across the plot.
    """

    x: Scale
    y: Scale
    margin: int = _RIGHT

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The point of the drawing that stands for these values."""
        return self.across(x), self.down(y)

    def across(self, x: float) -> float:
        """The horizontal place of a value."""
        return round(_LEFT + self.x.position(x) * (self.right - _LEFT), 1)

    def down(self, y: float) -> float:
        """The vertical place of a value."""
        inside = HEIGHT - _TOP - _BOTTOM
        return round(_TOP + (1 - self.y.position(y)) * inside, 1)

    @property
    def right(self) -> int:
        """Where the area ends."""
        return WIDTH - self.margin

    @property
    def top(self) -> int:
        """Where marks for values stand that no axis can hold, NaN say."""
        return _TOP - 10

    def level_line(self, y: float, class_: str) -> Markup:
        """A line across the plot at one value."""
        height = self.down(y)
        return tag("path", d=f"M{_LEFT} {height:g}H{self.right}", class_=class_)

    def level_labels(self, labels: Sequence[tuple[float, str]]) -> Iterator[Markup]:
        """What lines across the plot stand for: beside them, where no point can be.

        Labels of lines that are close keep clear of one another.
        """
        base = HEIGHT - _BOTTOM
        ordered = sorted((self.down(y), text) for y, text in labels)
        shown = ordered[: (base - _TOP) // _LINE]
        places = _spread([place for place, _ in shown], base)
        for place, (_, text) in zip(places, shown, strict=True):
            yield tag("text", text, x=self.right + _GAP, y=f"{place:g}", class_="bound-label")

    def line(self, points: Iterable[tuple[float, float]], class_: str) -> Markup:
        """A line through places of the drawing; through a single one, a dot as wide."""
        places = [f"{x:g} {y:g}" for x, y in points]
        drawn = "L".join(places) if len(places) > 1 else f"{places[0]}h0"
        return tag("path", d=f"M{drawn}", class_=class_)


def margin_for(labels: Iterable[str]) -> int:
    """What `level_labels` needs on the right."""
    return max((len(text) * _LETTER + _GAP for text in labels), default=0) + _RIGHT


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
    ticks = frame.x.ticks(count)
    return tuple(zip(ticks, show_ticks(ticks), strict=True))


def _y_axis(frame: Frame, label: str) -> Iterable[Markup]:
    if label:
        yield tag("text", label, x=4, y=13)
    ticks = frame.y.ticks(4)
    places = list(zip(map(frame.down, ticks), show_ticks(ticks), strict=True))
    grid = "".join(f"M{_LEFT} {place:g}H{frame.right}" for place, _ in places)
    yield tag("path", d=grid, class_="grid")
    for place, text in places:
        yield tag("text", text, x=_LEFT - 8, y=f"{place + 4:g}", class_="y")


def _x_axis(frame: Frame, ticks: Sequence[tuple[float, str]], label: str) -> Iterable[Markup]:
    base = HEIGHT - _BOTTOM
    places = [(frame.across(value), text) for value, text in ticks]
    notches = "".join(f"M{place:g} {base}v4" for place, _ in places)
    yield tag("path", d=f"M{_LEFT} {base}H{frame.right}{notches}", class_="axis")
    crowded = sum(len(text) + 1 for _, text in places) * _LETTER > frame.right - _LEFT
    for i, (place, text) in enumerate(places):
        x, anchor = _anchored(place, len(text) * _LETTER / 2, frame.right)
        is_between = 0 < i < len(places) - 1
        spare = "spare" if crowded and is_between else None
        yield tag("text", text, x=f"{x:g}", y=base + 22, text_anchor=anchor, class_=spare)
    if label:
        yield tag("text", label, x=frame.right, y=HEIGHT - 5, text_anchor="end")


def _anchored(place: float, half: float, right: int) -> tuple[float, str]:
    """Where a text that belongs to a place stands: at it, unless it would leave the area."""
    if place + half > right:
        return right, "end"
    # Left of the area stand the numbers of the other axis.
    return (_LEFT, "start") if place - half < _LEFT else (place, "middle")


def _spread(places: Sequence[float], bottom: float) -> list[float]:
    """Ascending places, moved apart by a line's height and kept above `bottom`."""
    spread: list[float] = []
    for place in places:
        spread.append(max(place, spread[-1] + _LINE) if spread else place)
    limit = bottom
    for i in reversed(range(len(spread))):
        spread[i] = min(spread[i], limit)
        limit = spread[i] - _LINE
    return spread


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

"""What was planted to see whether the check can fail: defects, controls, and what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html.code_listing import change_listing
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.whole import in_pieces
from pv_harness.board.phrases import show_outcome, why_unanswered
from pv_harness.contracts.contract import Defect
from pv_harness.wording import first_line


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Plant
    from pv_harness.evidence.records import PatchRecord


def parts(row: Row) -> Iterator[Child]:
    """Every declared change with its answer; one that waits says so."""
    if not row.falsifier.plants:
        yield tag(
            "p", "Nothing is planted: that the check can fail is not shown.", class_="quiet"
        )
        return
    yield tag("ul", *(_item(row, plant) for plant in row.falsifier.plants), class_="plants")


def _item(row: Row, plant: Plant) -> Markup:
    kind = "defect" if isinstance(plant, Defect) else "control"
    record = row.answer(plant)
    patch = plant.patch
    name = f"change of {plant.id}"
    expected: Child = "must stay green"
    if isinstance(plant, Defect):
        accepted = [f", or end as {show_outcome(outcome)}" for outcome in sorted(plant.accept)]
        expected = join(["must break ", tag("code", plant.expect), *accepted])
    change = tag(
        "details",
        tag("summary", f"The change to {patch.file}"),
        change_listing(patch.find, patch.replace, name=name),
        class_="numbers",
    )
    return tag(
        "li",
        tag("p", tag("b", plant.id), tag("span", f" {kind}, ", expected, class_="quiet")),
        tag("p", _outcome(row, plant, record)),
        tag("p", in_pieces(patch.note), class_="quiet") if patch.note else None,
        change,
    )


def _outcome(row: Row, plant: Plant, record: PatchRecord | None) -> Markup:
    """What it did on this tree; else what it did on an earlier one; else that it waits."""
    if record is not None:
        tone = "good" if record.outcome.counts else "bad"
        lane = f" on {record.lane}" if len(row.lanes) > 1 else ""
        word = tag(
            "span",
            show_outcome(record.outcome.value) + lane,
            class_=f"verdict {tone}",
        )
        return join(
            [word, tag("span", " ", in_pieces(_reason(record))) if record.reason else None]
        )
    is_old = any(patch.record.patch_digest == plant.digest for patch in row.patches)
    tone = "stale" if is_old else "open"
    return tag("span", why_unanswered(row, plant), class_=f"verdict {tone}")


def _reason(record: PatchRecord) -> str:
    """Why it came out so, without the ID that a check's own failure begins with."""
    return first_line(record.reason).removeprefix(f"[{record.falsifier_id}] ")

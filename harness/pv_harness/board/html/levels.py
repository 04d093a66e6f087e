"""What was measured under each bound, and what each level asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html.margin_bar import bar, margin_text, show_bound
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.status_mark import verdict
from pv_harness.board.html.tables import table
from pv_harness.board.html.whole import in_pieces, whole
from pv_harness.board.scoreboard import closeness
from pv_harness.contracts.contract import show_value
from pv_harness.deriving.levels import level_conditions
from pv_harness.deriving.potency import what_is_shown
from pv_harness.deriving.status import StatusKind


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Bound, LevelRule
    from pv_harness.evidence.records import RunRecord
    from pv_harness.judging.measurement import Judgement

_COLUMNS = ("metric", "measured", "bound", "margin", "samples", "verdict")


def bounds_table(row: Row) -> Markup:
    """Each bound with the worst value that the record holds for it."""
    return table(
        "Bounds and measured values", _COLUMNS, [_cells(row, b) for b in row.falsifier.bounds]
    )


def _cells(row: Row, bound: Bound) -> Sequence[Child]:
    judged = [j for j in row.judgements if j.bound == bound]
    name = tag("code", bound.metric)
    if not judged:
        bare = whole(show_bound(bound))
        return (name, "\N{EN DASH}", bare, "", "", verdict(holds=None))
    worst = min(judged, key=closeness)
    measured = worst.measurement
    unit = measured.unit or bound.unit
    text = show_value(measured.value) + (f" {unit}" if unit else "")
    value = whole(text, tag("b", text))
    notes = [worst.note] if worst.note else []
    notes += [f"worst of {len(judged)}"] if len(judged) > 1 else []
    margin = join([bar(worst), _margin(worst)], " ")
    samples = "" if measured.samples is None else str(measured.samples)
    return (
        name,
        join([value, tag("small", f" {', '.join(notes)}") if notes else None]),
        whole(show_bound(bound)),
        margin,
        samples,
        verdict(holds=worst.holds),
    )


def _margin(judgement: Judgement) -> Child:
    text = margin_text(judgement)
    return whole(text) if text else None


def levels_list(row: Row) -> Markup:
    """Every level, and under it each condition with what the evidence says."""
    return tag("ol", *(_level(row, rule) for rule in row.falsifier.levels), class_="levels")


def _level(row: Row, rule: LevelRule) -> Markup:
    status, record = row.status, row.status.record
    held = None
    if record is not None:
        held = status.level is not None and rule.level.rank <= status.level.rank
    words = (
        ("held", "did not hold")
        if status.kind is StatusKind.STALE
        else ("holds", "does not hold")
    )
    conditions = _common(row) if rule is row.falsifier.levels[0] else []
    if record is not None:
        conditions += [
            join([verdict(holds=holds, yes="yes", no="no"), " ", in_pieces(text)])
            for text, holds in _conditions(row, rule, record).items()
        ]
    else:
        conditions += [
            join([verdict(holds=None), " ", in_pieces(text)]) for text in _asked(rule)
        ]
    return tag(
        "li",
        tag(
            "p", tag("b", rule.level.value), " ", verdict(holds=held, yes=words[0], no=words[1])
        ),
        tag("ul", *(tag("li", item) for item in conditions)) if conditions else None,
    )


def _conditions(row: Row, rule: LevelRule, record: RunRecord) -> dict[str, bool]:
    """Each condition once: two checks may have measured the same."""
    found: dict[str, bool] = {}
    for condition in level_conditions(row.falsifier, rule, record):
        found[condition.text] = condition.holds and found.get(condition.text, True)
    return found


def _common(row: Row) -> list[Child]:
    """What every level asks: bounds that hold, and planted changes that did as they should."""
    judged, potency = row.judgements, row.status.potency
    bounds = all(j.holds for j in judged) if judged else None
    proven = None if row.status.record is None else not (potency.weak or potency.missing)
    return [
        join([verdict(holds=bounds, yes="yes", no="no"), " every bound holds"]),
        join(
            [
                verdict(holds=proven, yes="yes", no="no"),
                f" {what_is_shown(row.falsifier, potency)}",
            ]
        ),
    ]


def _asked(rule: LevelRule) -> list[str]:
    """The conditions of a level, before any record."""
    device = [f"runs on {rule.device}"] if rule.device else []
    return [
        *(f"reaches {entry} in a subprocess" for entry in rule.reached),
        *device,
        *(f"input {name} present, by digest" for name in rule.inputs),
        *(str(bound) for bound in rule.measurements),
    ]

"""A comparison as plain data and as JSON. Schema: `pv_harness/schema/comparison-v1.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv_harness.comparing.change import Effect
from pv_harness.comparing.standing import Course


if TYPE_CHECKING:
    from pv_harness.comparing.change import Change
    from pv_harness.comparing.comparison import Comparison
    from pv_harness.comparing.standing import Move
    from pv_harness.comparing.versions import VersionAdvice

FORMAT = "pv-comparison/1"


def render_json(comparison: Comparison, *, old: str, new: str) -> str:
    """`comparison_document` as JSON text: ASCII, keys sorted, ends with a newline."""
    document = comparison_document(comparison, old=old, new=new)
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def comparison_document(comparison: Comparison, *, old: str, new: str) -> dict[str, Any]:
    """The comparison as plain data: counts, then every move, change and piece of advice."""
    before, now = comparison.claims
    return {
        "format": FORMAT,
        "old": {"name": old, "falsifiers": before},
        "new": {"name": new, "falsifiers": now},
        "counts": {
            "regressions": len(comparison.regressions),
            "versions_too_low": len(comparison.versions_too_low),
            "moves": {c.value: len(comparison.moved(c)) for c in Course},
            "changes": {e.value: len(comparison.changed(e)) for e in Effect},
        },
        "moves": [_move(move) for move in comparison.moves],
        "changes": [_change(change) for change in comparison.changes],
        "versions": [_advice(advice) for advice in comparison.versions],
    }


def _move(move: Move) -> dict[str, Any]:
    return {
        "contract": move.contract,
        "falsifier": move.falsifier,
        "course": move.course.value,
        "old": move.old or None,
        "new": move.new,
        "why": move.why,
        "regression": move.is_regression,
    }


def _change(change: Change) -> dict[str, Any]:
    found = change.difference
    return {
        "contract": change.contract,
        "falsifier": change.falsifier or None,
        "part": found.part.value,
        "name": found.name or None,
        "effect": found.effect.value,
        "old": found.old or None,
        "new": found.new or None,
    }


def _advice(advice: VersionAdvice) -> dict[str, Any]:
    return {
        "contract": advice.contract,
        "old": advice.old,
        "new": advice.new,
        "step": advice.step.name.lower(),
        "suggested": advice.suggested,
        "enough": advice.is_enough,
        "because": _change(advice.because),
    }

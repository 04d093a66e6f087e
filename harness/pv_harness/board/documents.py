"""The scoreboard as documents: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pv_harness.board.scoreboard import summary_lines
from pv_harness.contracts.contract import show_value


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.judging.measurement import Judgement


def render_markdown(board: Scoreboard, *, now_s: float) -> str:
    """The board as Markdown; every text from contracts and logs is escaped."""
    when = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = ["# Scoreboard", "", f"Derived from evidence on {when}.", ""]
    lines += [f"- {escape_markdown(line)}" for line in summary_lines(board)]
    for contract, rows in board.by_contract():
        lines += ["", f"## {escape_markdown(contract.id)}", "", escape_markdown(contract.title)]
        lines += ["", "| falsifier | status | measured | killed | why not higher |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_markdown_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def render_json(board: Scoreboard, *, now_s: float) -> str:
    """The board as JSON: counts with their denominators, and one object per falsifier."""
    counted = board.counted
    document = {
        "format": "pv-scoreboard/1",
        "derived": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds"),
        "counts": {
            "falsifiers": len(counted),
            "judged": len(board.judged),
            "at_ceiling": len(board.at_ceiling),
            "by_status": dict(sorted(board.tally.items())),
        },
        "falsifiers": [_json_row(row) for row in board.rows],
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no table cell, no HTML in it."""
    flat = " ".join(text.split())
    for char in "\\`*_[]#|~":
        flat = flat.replace(char, f"\\{char}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown_row(row: Row) -> str:
    status = row.status
    measured = "; ".join(_show(judgement) for judgement in row.judgements)
    name = row.falsifier.id if row.falsifier.counted else f"{row.falsifier.id} (apart)"
    cells = [name, str(status), measured, str(status.potency), status.why]
    return "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"


def _show(judgement: Judgement) -> str:
    bound = judgement.bound
    value = show_value(judgement.measurement.value)
    return f"{bound.metric} {value} ({bound.comparator.sign} {show_value(bound.threshold)})"


def _json_row(row: Row) -> dict[str, Any]:
    status, record = row.status, row.status.record
    return {
        "id": row.falsifier.id,
        "contract": row.contract.id,
        "counted": row.falsifier.counted,
        "status": str(status),
        "kind": status.kind.value,
        "level": status.level.value if status.level else None,
        "ceiling": status.ceiling.value,
        "why": status.why,
        "cure": status.cure,
        "potency": {"killed": status.potency.killed, "planted": status.potency.planted},
        "fingerprint": record.manifest.fingerprint if record else None,
        "evidence": record.statement if record else None,
        "finished": record.finished_s if record else None,
        "measurements": [
            {
                "metric": j.bound.metric,
                "value": _json_value(j.measurement.value),
                "comparator": j.bound.comparator.value,
                "threshold": j.bound.threshold,
                "holds": j.holds,
                "margin": None if j.margin is None else _json_value(j.margin),
                "unit": j.measurement.unit or j.bound.unit,
                "samples": j.measurement.samples,
            }
            for j in row.judgements
        ],
    }


def _json_value(value: object) -> object:
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value

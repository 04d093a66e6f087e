"""The scoreboard as plain data and as JSON: what other programs, and `pv diff`, read.

Schema: `pv_harness/schema/scoreboard-v2.json`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pv_harness import __version__
from pv_harness.board.scoreboard import defect_counts
from pv_harness.contracts.contract import Defect
from pv_harness.evidence.measurements import spell


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.contract import Bound, Contract, LevelRule, Plant, Seeds
    from pv_harness.evidence.records import RunRecord
    from pv_harness.judging.measurement import Judgement

FORMAT = "pv-scoreboard/2"


def render_json(
    board: Scoreboard, *, now_s: float, lines: Mapping[str, int] | None = None
) -> str:
    """`scoreboard_document` as JSON text: ASCII, keys sorted, one line per row.

    So a text diff shows the rows that changed, and twenty thousand are written in seconds.
    """
    document = scoreboard_document(board, now_s=now_s, lines=lines)
    parts = (f"{_dump(key)}: {_spread(value)}" for key, value in sorted(document.items()))
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _spread(value: Any) -> str:
    """A list with one item per line; anything else on one line."""
    if not isinstance(value, list) or not value:
        return _dump(value)
    return "[\n  " + ",\n  ".join(map(_dump, value)) + "\n ]"


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def scoreboard_document(
    board: Scoreboard,
    *,
    now_s: float,
    lines: Mapping[str, int] | None = None,
    pv_version: str = __version__,
) -> dict[str, Any]:
    """The board as plain data that JSON can hold: counts with denominators, then every row.

    A number that is not finite is `{"float": "nan"}`, as in evidence. Rows and contracts keep
    the order of the contracts; one board gives one document.

    Args:
        board: the rows.
        now_s: when the board was derived, in seconds since the epoch.
        lines: falsifier ID -> its line in the contract's file, where known.
        pv_version: the version that derived it.
    """
    return {
        "format": FORMAT,
        "derived": _moment(now_s),
        "pv_version": pv_version,
        "counts": _counts(board),
        "contracts": [_contract(contract) for contract, _ in board.by_contract()],
        "falsifiers": [_row(row, lines or {}) for row in board.rows],
    }


def _counts(board: Scoreboard) -> dict[str, Any]:
    return {
        "falsifiers": len(board.counted),
        "judged": len(board.judged),
        "at_ceiling": len(board.at_ceiling),
        "by_status": dict(sorted(board.tally.items())),
        "defects": defect_counts(board)._asdict(),
    }


def _contract(contract: Contract) -> dict[str, Any]:
    return {
        "id": contract.id,
        "version": contract.version,
        "title": contract.title,
        "path": str(contract.path),
        "equations": [
            {
                "name": name,
                "formula": equation["formula"],
                "domain": equation.get("domain", ""),
                "codomain": equation.get("codomain", ""),
                "invariants": list(equation.get("invariants", ())),
            }
            for name, equation in contract.equations.items()
        ],
    }


def _row(row: Row, lines: Mapping[str, int]) -> dict[str, Any]:
    return {**_claim(row), "line": lines.get(row.falsifier.id), **_standing(row), **_seen(row)}


def _claim(row: Row) -> dict[str, Any]:
    """What the contract says."""
    falsifier = row.falsifier
    return {
        "id": falsifier.id,
        "contract": row.contract.id,
        "counted": falsifier.counted,
        "rule": falsifier.rule,
        "prediction": falsifier.prediction,
        "if_fails": falsifier.if_fails,
        "covers": list(falsifier.covers),
        "requires": falsifier.requires,
        "inputs": list(falsifier.inputs),
        "seeds": _seeds(falsifier.seeds),
        "bounds": [_bound(bound) for bound in falsifier.bounds],
        "levels": [_level(rule) for rule in falsifier.levels],
        "ceiling": falsifier.ceiling.value,
        "defects": [_plant(row, defect) for defect in falsifier.defects],
        "controls": [_plant(row, control) for control in falsifier.controls],
        "checks": [check.node_id for check in row.checks],
    }


def _standing(row: Row) -> dict[str, Any]:
    """What was derived."""
    status = row.status
    potency = status.potency
    return {
        "status": str(status),
        "kind": status.kind.value,
        "level": status.level.value if status.level else None,
        "detail": status.detail,
        "why": status.why,
        "cure": status.cure,
        "at_ceiling": status.at_ceiling,
        "potency": {
            "killed": potency.killed,
            "planted": potency.planted,
            "weak": list(potency.weak),
            "missing": list(potency.missing),
            "lanes": {lane: row.killed_in(lane) for lane in row.lanes},
        },
        "conditions": [
            {"text": c.text, "holds": c.holds, "cure": c.cure} for c in status.conditions
        ],
        "changes": [str(change) for change in row.changes],
    }


def _seen(row: Row) -> dict[str, Any]:
    """The record that the status rests on; null and empty where there is none."""
    record = row.status.record
    known = _record(record) if record is not None else dict.fromkeys(_RECORD_KEYS)
    return {
        **known,
        "environment": dict(sorted((record.environment or {}).items())) if record else {},
        "opened": list(record.opened) if record else [],
        "measurements": [_measurement(judgement) for judgement in row.judgements],
    }


_RECORD_KEYS = ("lane", "fingerprint", "evidence", "finished", "duration", "attempts")


def _record(record: RunRecord) -> dict[str, Any]:
    return {
        "lane": record.lane,
        "fingerprint": record.manifest.fingerprint,
        "evidence": record.statement or None,
        "finished": _moment(record.finished_s),
        "duration": spell(record.duration_s),
        "attempts": record.attempt,
    }


def _plant(row: Row, plant: Plant) -> dict[str, Any]:
    answer = row.answer(plant)
    patch = plant.patch
    told: dict[str, Any] = {
        "id": plant.id,
        "digest": plant.digest,
        "file": str(patch.file),
        "note": patch.note,
        "outcome": answer.outcome.value if answer else None,
        "reason": answer.reason if answer else "",
    }
    if isinstance(plant, Defect):
        told |= {"expect": plant.expect, "accept": sorted(plant.accept)}
    return told


def _bound(bound: Bound) -> dict[str, Any]:
    return {
        "metric": bound.metric,
        "comparator": bound.comparator.value,
        "threshold": spell(bound.threshold),
        "unit": bound.unit,
    }


def _seeds(seeds: Seeds | None) -> dict[str, Any] | None:
    if seeds is None:
        return None
    rule = {"rule": seeds.rule.value, "confidence": seeds.confidence}
    return {"values": list(seeds.values), **rule}


def _level(rule: LevelRule) -> dict[str, Any]:
    return {
        "level": rule.level.value,
        "reached": list(rule.reached),
        "device": rule.device,
        "inputs": list(rule.inputs),
        "measurements": [_bound(bound) for bound in rule.measurements],
    }


def _measurement(judgement: Judgement) -> dict[str, Any]:
    measurement = judgement.measurement
    margin = judgement.margin
    return {
        **_bound(judgement.bound),
        "value": spell(measurement.value),
        "holds": judgement.holds,
        "margin": None if margin is None else spell(margin),
        "unit": measurement.unit or judgement.bound.unit,
        "samples": measurement.samples,
        "seed": measurement.seed,
        "node": measurement.node,
        "note": judgement.note,
    }


def _moment(seconds: float) -> str | None:
    """A moment in ISO 8601, UTC, whole seconds; None for one that no calendar holds."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None

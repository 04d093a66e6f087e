"""Measurements and curves as JSON, in evidence and in what a check hands to its runner."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pv_harness.evidence.records import Series
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from pv_harness.contracts.contract import Scalar


def measurement_to_json(measurement: Measurement) -> dict[str, Any]:
    """A measurement as evidence stores it; values that JSON has no form for become text."""
    return {
        "metric": measurement.metric,
        "value": spell(measurement.value),
        "unit": measurement.unit,
        "samples": measurement.samples,
        "node": measurement.node,
        "seed": measurement.seed,
    }


def measurement_from_json(data: dict[str, Any]) -> Measurement:
    """The measurement that `measurement_to_json` stored."""
    value = _unspell(data["value"])
    return Measurement(
        data["metric"], value, data["unit"], data["samples"], data["node"], data["seed"]
    )


def series_to_json(series: Series) -> dict[str, Any]:
    """A curve as evidence stores it."""
    return {
        "name": series.name,
        "x": [spell(value) for value in series.x],
        "y": [spell(value) for value in series.y],
        "x_unit": series.x_unit,
        "unit": series.unit,
        "node": series.node,
    }


def series_from_json(data: dict[str, Any]) -> Series:
    """The curve that `series_to_json` stored."""
    return Series(
        data["name"],
        tuple(float(_unspell(value)) for value in data["x"]),
        tuple(float(_unspell(value)) for value in data["y"]),
        data["x_unit"],
        data["unit"],
        data["node"],
    )


def spell(value: Scalar) -> Scalar | dict[str, str]:
    """A value as JSON holds it: NaN and the infinities, which it has no form for, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _unspell(value: Any) -> Any:
    return float(value["float"]) if isinstance(value, dict) else value

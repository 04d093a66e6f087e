"""Measurements as JSON, in evidence and in what a check hands to its runner."""

from __future__ import annotations

from typing import Any

from pv_harness.judging.measurement import Measurement


def measurement_to_json(measurement: Measurement) -> dict[str, Any]:
    """A measurement as evidence stores it; values that JSON has no form for become text."""
    value = measurement.value
    spelled = isinstance(value, float) and (value != value or value in _INFINITIES)  # noqa: PLR0124
    return {
        "metric": measurement.metric,
        "value": {"float": repr(value)} if spelled else value,
        "unit": measurement.unit,
        "samples": measurement.samples,
        "node": measurement.node,
        "seed": measurement.seed,
    }


def measurement_from_json(data: dict[str, Any]) -> Measurement:
    """The measurement that `measurement_to_json` stored."""
    value = data["value"]
    if isinstance(value, dict):
        value = float(value["float"])
    return Measurement(
        data["metric"], value, data["unit"], data["samples"], data["node"], data["seed"]
    )


_INFINITIES = (float("inf"), float("-inf"))

from __future__ import annotations

import io
import json

import torch

from pv_trainer.training.metrics import (
    METRIC_SOURCES,
    MetricsLog,
    StepMetrics,
    device_utilisation,
)


def test_every_written_metric_says_where_it_comes_from() -> None:
    file = io.StringIO()
    log = MetricsLog(file, torch.device("cpu"))
    log.write(StepMetrics(1, 2.5, 0.7, 1e-4, 1000.0, 64, "ab"))
    log.write(StepMetrics(2, 2.4, 0.6, 1e-4, 1001.0, 128, "cd"))
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert set(lines[0]) <= METRIC_SOURCES.keys()
    assert all(value is not None for line in lines for value in line.values())
    assert all(
        text.startswith(("measured", "derived", "why")) for text in METRIC_SOURCES.values()
    )


def test_utilisation_is_absent_on_the_cpu_and_says_so() -> None:
    assert device_utilisation(torch.device("cpu")) == {"device_util": "cpu: not measured"}

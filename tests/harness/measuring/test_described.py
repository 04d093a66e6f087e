from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from pv_harness.errors import EvidenceError
from pv_harness.evidence.fields import Field
from pv_harness.evidence.measurements import measurement_to_json
from pv_harness.judging.measurement import Measurement
from pv_harness.measuring.described import refuse_odd_facts, whole_number


if TYPE_CHECKING:
    from tests.harness.conftest import Toy


ODD = [
    ("3, 5.0", "measure(): the name is 3, it should be text"),
    (r"'sum\0', 5.0", r"measure(): the name is 'sum\x00', it should be a name"),
    (r"'\ud800', 5.0", r"measure(): the name is '\ud800', it should be a name"),
    ("'sum', 5.0, unit=3", "measure(): unit is 3, it should be text"),
    ("'sum', 5.0, samples=1.5", "measure(): samples is 1.5, it should be a whole number"),
    ("'sum', 5.0, samples='3'", "measure(): samples is '3', it should be a whole number"),
    ("'sum', 5.0, samples=10**400", "a measured integer has at most 300 digits"),
]


@pytest.mark.parametrize(("arguments", "said"), ODD)
def test_a_measurement_that_evidence_could_not_hold_is_an_error_of_its_check(
    toy: Toy, arguments: str, said: str
) -> None:
    text = (toy.root / "checks/test_toy.py").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.strip().startswith("measure("))
    indent = line[: len(line) - len(line.lstrip())]
    toy.edit("checks/test_toy.py", line, f"{line}\n{indent}measure({arguments})")
    done = toy.pv("run")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "ERROR" in done.stdout
    assert said in toy.pv("explain", "FALSIFY-TOY-001").stdout.replace("\n", " ")
    assert toy.pv("evidence", "verify").returncode == 0


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"name": "l\0"}, "the name is 'l\\\\x00', it should be a name"),
        ({"name": "l", "x_unit": 3}, "x_unit is 3, it should be text"),
        ({"name": "l", "unit": b"s"}, "unit is b's', it should be text"),
    ],
)
def test_what_describes_a_curve_is_text(facts: dict[str, object], said: str) -> None:
    with pytest.raises(TypeError, match=rf"^record_series\(\): {said}"):
        refuse_odd_facts("record_series()", **facts)


@given(st.text(), st.none() | st.text())
def test_a_name_is_taken_if_and_only_if_it_can_be_stored(name: str, unit: str | None) -> None:
    try:
        refuse_odd_facts("measure()", name, unit=unit)
        taken = True
    except TypeError:
        taken = False
    data = measurement_to_json(Measurement(name, 1, unit))
    try:
        Field(data["metric"]).name()
        stored = True
    except EvidenceError:
        stored = False
    assert taken == stored


@given(st.integers(-(10**300), 10**300))
def test_scalars_of_arrays_count_too(number: int) -> None:
    assert whole_number("measure()", "samples", SimpleNamespace(item=lambda: number)) == number
    assert whole_number("measure()", "samples", None) is None

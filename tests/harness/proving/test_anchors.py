"""Whether changes could be planted, from text alone; and that planting agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.errors import ContractError, UsageError
from pv_harness.project import load_project
from pv_harness.proving.anchors import AnchorReport, render_anchors, verify_anchors


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

CONTRACT = "contracts/toy-v1.yaml"


def verify(toy: Toy, *names: str) -> AnchorReport:
    return verify_anchors(load_project(toy.root), names)


def test_what_applies_is_counted(toy: Toy) -> None:
    report = verify(toy)
    assert (report.defects, report.controls, report.files, report.broken) == (2, 1, 1, 0)
    assert not report.problems


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('find: "a + b", replace: "a - b"', 'find: "a * b", replace: "a"', "PV052"),
        ('find: "a + b", replace: "a - b"', 'find: "a", replace: "b"', "PV052"),
        ('replace: "a - b"', 'replace: "a + b"', "PV053"),
        ('replace: "a - b"', 'replace: "a - ("', "PV054"),
        ("{id: minus, file: src/toy/math.py", "{id: minus, file: src/toy/none.py", "PV051"),
        ("{id: minus, file: src/toy/math.py", "{id: minus, file: ../out.py", "PV051"),
        ("id: off-by-one", "id: minus", "PV050"),
        (
            '{id: minus, file: src/toy/math.py, find: "a + b", replace: "a - b"',
            '{id: minus, file: checks/test_toy.py, find: "int", replace: "str"',
            "PV058",
        ),
    ],
)
def test_each_way_not_to_apply_is_one_broken_change(
    toy: Toy, old: str, new: str, code: str
) -> None:
    toy.edit(CONTRACT, old, new)
    report = verify(toy)
    assert report.broken == 1
    assert {problem.code for problem in report.problems} == {code}
    assert render_anchors(report).splitlines()[-1].startswith("2 of 3 planted changes apply ")


def test_only_the_falsifiers_that_were_named_are_looked_at(toy: Toy) -> None:
    text = (toy.root / CONTRACT).read_text()
    entry = text.partition("falsifiers:\n")[2].replace("TOY-001", "TOY-002")
    toy.write(CONTRACT, text + entry.replace('find: "a + b"', 'find: "a * b"'))
    assert verify(toy).broken == 3
    assert verify(toy, "FALSIFY-TOY-001").broken == 0
    with pytest.raises(UsageError, match="FALSIFY-TOY-003"):
        verify(toy, "FALSIFY-TOY-003")


def test_foreign_contracts_and_policies_plant_nothing(toy: Toy) -> None:
    toy.write("contracts/foreign.yaml", "metadata: {version: 1}\nfalsification_tests: []\n")
    toy.write("contracts/policy.yaml", "apiVersion: pv/v1\nkind: policy\n")
    assert verify(toy).broken == 0


@pytest.mark.parametrize("text", ["falsifiers: [", "apiVersion: pv/v1\nid: 3\n", "\xff\x00"])
def test_a_contract_that_can_not_be_read_may_plant_anything(toy: Toy, text: str) -> None:
    toy.write("contracts/broken.yaml", text)
    with pytest.raises(ContractError, match=r"contracts/broken\.yaml:"):
        verify(toy)


def test_nothing_is_imported_or_started(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.write("src/toy/__init__.py", "raise SystemExit('imported')\n")

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    assert verify(toy).broken == 0

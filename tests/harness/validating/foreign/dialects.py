"""One synthetic file for each dialect, and what to do with any file at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pv_harness.documents.loading import load
from pv_harness.project import load_project
from pv_harness.validating.foreign.reading import read_foreign
from pv_harness.validating.foreign.tables import FILE, SHAPES
from pv_harness.validating.validation import validate


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.validating.foreign.record import ForeignContract
    from pv_harness.validating.report import Report


KERNEL = """\
metadata:
  version: "1.0.0"
  created: '2027-01-02'
  author: Nobody
  description: "Halving kernel — every value becomes half of itself"
  references: ["A paper about halves"]
  depends_on: [doubling-kernel-v1]
equations:
  halve:
    formula: "y_i = x_i / 2"
    domain: "x in R^n"
    codomain: "y in R^n"
    invariants:
      - "y_i * 2 = x_i (round trip)"
      - "sign(y_i) = sign(x_i)"
    preconditions: ["x.len() > 0"]
proof_obligations:
  - id: HV-INV-001
    type: invariant
    property: "Round trip"
    formal: "|2y - x| < eps"
    tolerance: 1e-6
    applies_to: all
    requires: HV-PRE-001
    lean: {theorem: Halve.trip, module: Halves, status: proved}
falsification_tests:
  - id: FALSIFY-HV-001
    rule: "Round trip"
    prediction: "|2y - x| < 1e-6 for random x"
    test: "proptest with random vectors"
    if_fails: "the shift is off by one"
    mutation: "halve twice"
  - id: FALSIFY-HV-002
    rule: "Vectorised equals scalar"
    prediction: "both agree"
    test: tests/test_halves.py::test_both_agree
    if_fails: "lanes are mixed up"
kani_harnesses:
  - {id: KANI-HV-001, obligation: HV-INV-001, bound: 4, strategy: stub_float}
  - {id: KANI-HV-002, obligation: HV-INV-009, bound: 4, strategy: stub_float}
qa_gate: {id: F-HV-001, name: Halves, checks: [trip], falsification: "shift by two"}
enforcement:
  trip: {description: "Round trip", check: "contract_tests::FALSIFY-HV-001", severity: ERROR}
  none: {description: "Nothing", check: "contract_tests::FALSIFY-HV-009", severity: ERROR}
verification_summary:
  total_obligations: 2
  l4_lean_proved: 1
simd_dispatch: {halve: {scalar: halve_scalar}}
"""

TRAINER = """\
contract_id: C-HALVES
version: 1.2.0
status: ACTIVE
summary: What training by halves must do.
metadata:
  version: "1.1.0"
  kind: training-loop
  registry: true
  changelog:
    - "1.1.0: halves"
    - {version: 1.0.0, date: '2027-01-02', change: "first"}
  peer_contracts: [contracts/absent-v1.yaml]
invariants:
  - id: INV-HALF-001
    description: The loss halves within 100 steps.
    falsifier: Train 100 steps; a loss above 0.5 of the first fails.
  - id: INV-HALF-002
    description: Nobody tries to refute this one.
gates:
  - id: GATE-HALF-001
    rule: The loss halves (INV-HALF-001).
    binds_to: AC-1
    evidence_required: "`apr inspect run` exits 0"
    verdict: pass
    falsification_id: FALSIFY-SHIP-077
  - id: GATE-HALF-002
    condition: INV-HALF-001 PASS AND FALSIFY-GONE-001 PASS
falsification:
  - id: FALSIFY-HALF-003
    name: Reading by halves
    input: a file
    procedure: "read it twice"
    falsifier: "the digests differ"
    status: DISCHARGED
"""

BOOK = """\
contract: halves-book
version: 1
status: enforced
date: 2027-01-02
preconditions: ["the example builds"]
falsification_conditions:
  - condition: "the example exits non-zero"
    severity: P0
    action: reject_chapter
  - a bare sentence that would be seen
"""

CASES = """\
name: halves-cases
description: |
  Two lines
  of text.
falsifications:
  - {title: A, binds_to: AC-1, harness: h.sh, expected: exit 0, if_fails: worse}
falsification_test:
  first: {invariant: INV-9, test_kind: shell, site: lib.rs, expected_exit_code: 2}
falsification_tests_v1_1:
  - {name: B, given: a file, when: it is read, then: nothing else is}
  - {description: C is 3, test: "test_c", evidence: "cargo test"}
equations:
  - {name: EQ-1, statement: "a = b", description: equal}
verification_summary: {total_obligations: 0, proven: 3, tested: 0, status: proposed}
"""

STUB = """\
metadata: {version: 1.0.0, registry: true, kind: model-family}
kind: AlgorithmContract
equations: {placeholder: {description: To be defined, formula: TBD}}
falsification: []
bindings:
  - {contract: other-v1.yaml, equation: e, function: null, status: not_implemented}
"""

DIALECTS = {
    "kernel": KERNEL, "trainer": TRAINER, "book": BOOK, "cases": CASES, "stub": STUB,
}  # fmt: skip

KEYS = sorted({key for shape in SHAPES for key in shape.known} | {"zz", "apiVersio", "no"})
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["FALSIFY-X-001", "falsification_tests[0]", "a/../b.yaml", "tests/x.py::y", "TODO", "1.0"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=5)
    ),
    max_leaves=25,
)
FILES = st.dictionaries(st.sampled_from(sorted(FILE.known)) | TEXTS, VALUES, max_size=8)
"""Any data that a YAML file could hold, with the keys of all dialects wherever they like."""


def data_of(text: str) -> dict[str, Any]:
    """The plain data of a file that has nothing wrong with it as YAML."""
    document = load(text.encode(), "x.yaml")
    assert document.problems == ()
    value: dict[str, Any] = document.value
    return value


def record_of(text: str, stem: str = "x") -> ForeignContract:
    """The record of a file."""
    return read_foreign(data_of(text), stem)


def places(value: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The ways to everything in a value, itself included."""
    yield way
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*way, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*way, index))


def at(value: Any, way: tuple[str | int, ...]) -> Any:
    """What stands at a place."""
    for key in way:
        value = value[key]
    return value


def judge(files: dict[str, str], *, recorded: frozenset[str] = frozenset()) -> Report:
    """The report on files of a new project, by their names in its folder of contracts."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        for path, text in {"pyproject.toml": "[tool.pv]\n", **files}.items():
            file = root / ("" if path.endswith((".toml", ".py")) else "contracts") / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return validate([str(root / "contracts")], load_project(root), recorded=recorded)


def messages(report: Report, code: str) -> list[str]:
    """The findings of one code, without the folder that they are in."""
    return [
        f"{p.path.removeprefix('contracts/')}:{p.line}:{p.column} {p.message}"
        for p in report.problems
        if p.code == code
    ]

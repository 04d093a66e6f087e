from __future__ import annotations

from pathlib import PurePosixPath

from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.contracts.reading import read_contract
from pv_harness.documents.loading import load
from pv_harness.documents.schema_check import check_schema


FULL = """\
apiVersion: pv/v1
id: sums
version: 1.2.3
kind: kernel
metadata:
  title: Sums
  description: Why
  references: [one, two]
  depends_on: [base]
  changelog: [first]
equations:
  sum: {formula: a + b, domain: integers, codomain: integers, invariants: [a + b = b + a]}
falsifiers:
- id: SUM-001
  rule: r
  prediction: p
  if_fails: f
  covers: [subject.core, subject.cli]
  requires: cuda
  inputs: [numbers]
  counted: false
  timeout_s: 1.5e1
  bounds:
    loss: {lt: 3, ge: 1e-6, unit: nats, note: why}
    name: {eq: exact}
  levels:
    PARTIAL: {}
    DISCHARGED:
      reached: ["subject.cli:main"]
      device: cuda
      inputs: [numbers]
      measurements: {rows: {eq: true}}
  defects:
  - {id: minus, file: src/core.py, find: +, replace: "-", expect: loss, note: n}
  controls:
  - {id: swap, file: src/core.py, find: a + b, replace: b + a}
"""


def read(text: str) -> Contract:
    document = load(text.encode(), "contracts/sums.yaml")
    assert (document.problems, *check_schema(document)) == ((), (), frozenset())
    return read_contract(document)


def test_every_key_of_a_contract_arrives() -> None:
    contract = read(FULL)
    assert contract == Contract(
        id="sums",
        version="1.2.3",
        title="Sums",
        path=PurePosixPath("contracts/sums.yaml"),
        falsifiers=contract.falsifiers,
        references=("one", "two"),
        depends_on=("base",),
        equations={
            "sum": {
                "formula": "a + b",
                "domain": "integers",
                "codomain": "integers",
                "invariants": ["a + b = b + a"],
            }
        },
    )


def test_every_key_of_a_falsifier_arrives() -> None:
    (falsifier,) = read(FULL).falsifiers
    file = PurePosixPath("src/core.py")
    assert falsifier == Falsifier(
        id="SUM-001",
        rule="r",
        prediction="p",
        if_fails="f",
        covers=("subject.core", "subject.cli"),
        bounds=(
            Bound("loss", Comparator.LT, 3, "nats"),
            Bound("loss", Comparator.GE, 1e-6, "nats"),
            Bound("name", Comparator.EQ, "exact"),
        ),
        levels=(
            LevelRule(Level.PARTIAL),
            LevelRule(
                Level.DISCHARGED,
                reached=("subject.cli:main",),
                device="cuda",
                inputs=("numbers",),
                measurements=(Bound("rows", Comparator.EQ, threshold=True),),
            ),
        ),
        defects=(Defect(Patch("minus", file, "+", "-", "n"), "loss"),),
        controls=(Control(Patch("swap", file, "a + b", "b + a")),),
        requires="cuda",
        inputs=("numbers",),
        counted=False,
        timeout_s=15.0,
    )


def test_what_is_left_out_has_the_defaults_of_the_records() -> None:
    text = FULL[: FULL.index("metadata:")].replace("kind: kernel\n", "")
    text += "metadata: {title: Sums}\nfalsifiers:\n"
    entry = FULL[FULL.index("- id") :]
    for key in ("  requires: cuda\n", "  inputs: [numbers]\n", "  counted: false\n"):
        entry = entry.replace(key, "", 1)
    entry = entry.replace("  timeout_s: 1.5e1\n", "")
    entry = entry[: entry.index("  controls:")]
    contract = read(text + entry)
    (falsifier,) = contract.falsifiers
    assert (contract.references, contract.depends_on, contract.equations) == ((), (), {})
    assert (falsifier.requires, falsifier.inputs, falsifier.counted) == (None, (), True)
    assert (falsifier.timeout_s, falsifier.controls) == (120.0, ())


def test_the_digest_of_a_claim_ignores_notes_and_sees_numbers() -> None:
    (before,) = read(FULL).falsifiers
    (noted,) = read(FULL.replace("note: why", "note: because")).falsifiers
    (moved,) = read(FULL.replace("lt: 3", "lt: 4")).falsifiers
    assert noted.claim_digest == before.claim_digest
    assert moved.claim_digest != before.claim_digest

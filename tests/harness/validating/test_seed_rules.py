"""Seeds in a contract: what is read, what is refused, and what changes the claim."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pv_harness.contracts.contract import SeedRule, Seeds
from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.loading import load
from pv_harness.project import load_project
from pv_harness.validating.validation import validate


FIXTURES = Path(__file__).parent
GOOD = (FIXTURES / "good" / "pv046.yaml").read_text()
SEEDS = "{values: [0, 1, 2], rule: t-test, confidence: 0.95}"


def problems(tmp_path: Path, seeds: str, bound: str = "{lt: 1}") -> list[str]:
    shutil.copytree(FIXTURES / "project", tmp_path, dirs_exist_ok=True)
    text = GOOD.replace(SEEDS, seeds).replace("{lt: 1}", bound)
    (tmp_path / "contracts" / "pv046.yaml").write_text(text)
    (tmp_path / "checks" / "cases.py").write_text(
        'import pytest\n@pytest.mark.falsifies("CASE-001")\ndef test_one(seed): ...\n'
    )
    report = validate([str(tmp_path / "contracts")], load_project(tmp_path))
    return [f"{p.code} {p.message}" for p in report.problems]


def test_what_the_contract_says_is_read() -> None:
    falsifier = read_falsifier(load(GOOD.encode(), "x.yaml").value["falsifiers"][0])
    assert falsifier.seeds == Seeds((0, 1, 2), SeedRule.T_TEST, 0.95)
    assert str(falsifier.seeds) == "seeds 0, 1, 2, t-test with confidence 0.95"


@pytest.mark.parametrize(
    ("seeds", "bound", "problem"),
    [
        (
            "{values: [0, 1], rule: t-test, confidence: 0.9}",
            "{lt: 1}",
            "PV046 CASE-001: a t-test over 2 seeds; it should be 3 or more",
        ),
        (
            "{values: [0, 1, 2], rule: t-test}",
            "{lt: 1}",
            "PV046 CASE-001: a t-test without seeds.confidence; 0.95 is usual",
        ),
        (
            "{values: [0, 1, 2], rule: t-test, confidence: .nan}",
            "{lt: 1}",
            "PV046 CASE-001: seeds.confidence is nan; it should lie between 0.5 and 1",
        ),
        (
            SEEDS,
            "{ne: 3}",
            (
                "PV046 CASE-001: a t-test can't show wrong_sums ≠ 3; "
                "it should be lt, le, gt or ge, or rule bound"
            ),
        ),
        (
            "{values: [0], rule: bound, confidence: 0.9}",
            "{lt: 1}",
            (
                "PV046 CASE-001: seeds.confidence belongs to the rule t-test; "
                "the rule here is bound"
            ),
        ),
    ],
)
def test_a_rule_that_can_not_be_applied_is_refused(
    tmp_path: Path, seeds: str, bound: str, problem: str
) -> None:
    assert problems(tmp_path, seeds, bound) == [problem]


@pytest.mark.parametrize(
    "seeds",
    [
        "{values: [], rule: bound}",
        "{values: [0, 0], rule: bound}",
        "{values: [-1], rule: bound}",
        "{values: [0.5], rule: bound}",
        "{values: [true], rule: bound}",
        "{values: [0], rule: mean}",
        "{values: [0]}",
        "{rule: bound}",
        "{values: [0, 1, 2], rule: t-test, confidence: 1}",
        "{values: [0, 1, 2], rule: t-test, confidence: 0.5}",
        "[0, 1, 2]",
    ],
)
def test_what_is_no_list_of_seeds_is_refused_by_the_schema(tmp_path: Path, seeds: str) -> None:
    found = problems(tmp_path, seeds)
    assert found
    assert not [p for p in found if p.startswith("PV046")]


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ("{values: [0, 0], rule: bound}", "a list without repetition"),
        ("{values: [-1], rule: bound}", "at least 0"),
        ("{values: [4294967296], rule: bound}", "at most 4294967295"),
        ("{values: [0], rule: t-test, confidence: 1}", "less than 1"),
        ("{values: [0], rule: t-test, confidence: 0.5}", "more than 0.5"),
        (f"{{values: {list(range(65))}, rule: bound}}", "a list of at most 64"),
    ],
)
def test_the_message_says_what_would_be_right(
    tmp_path: Path, seeds: str, expected: str
) -> None:
    (problem,) = problems(tmp_path, seeds)
    assert expected in problem


@pytest.mark.parametrize(
    "seeds", ["{values: [0], rule: bound}", "{values: [7, 3], rule: bound}"]
)
def test_a_bound_for_each_seed_takes_any_number_of_them(tmp_path: Path, seeds: str) -> None:
    assert problems(tmp_path, seeds, "{eq: 0}") == []


def test_seeds_are_part_of_the_claim() -> None:
    falsifier = read_falsifier(load(GOOD.encode(), "x.yaml").value["falsifiers"][0])
    seeds = falsifier.seeds
    assert seeds is not None
    variants = [
        None,
        seeds,
        replace(seeds, values=(0, 1)),
        replace(seeds, rule=SeedRule.BOUND),
        replace(seeds, confidence=0.9),
    ]
    digests = {replace(falsifier, seeds=variant).claim_digest for variant in variants}
    assert len(digests) == len(variants)

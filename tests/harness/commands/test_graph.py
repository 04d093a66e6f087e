"""`pv graph` through the real command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy


def test_mermaid_is_the_default(toy: Toy) -> None:
    done = toy.pv("graph")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "flowchart LR",
        '  n0[["toy-v1<br/>the toy adds"]]',
        '  n1["FALSIFY-TOY-001<br/>add adds"]',
        '  n2(["checks/test_toy.py::test_two_and_three_make_five"])',
        '  n3[/"toy.math"/]',
        "  n0 -->|claims| n1",
        "  n1 -.->|is checked by| n2",
        "  n1 -->|covers| n3",
    ]


def test_dot_is_for_graphviz(toy: Toy) -> None:
    done = toy.pv("graph", "--format", "dot", "toy-v1")
    assert done.returncode == 0
    assert done.stdout.startswith("digraph contracts {\n")
    assert '  n1 -> n3 [label="covers"];\n}\n' in done.stdout


def test_json_is_for_programs(toy: Toy) -> None:
    document = json.loads(toy.pv("graph", "--format", "json").stdout)
    assert document["format"] == "pv-graph/1"
    assert {"kind": "covers", "from": "n1", "to": "n3"} in document["edges"]


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("mermaid", '"toy-v1<br/>#60;script#62;#34;#93; --#62; x#91;#34;"]]'),
        ("dot", r'label="toy-v1\n<script>\"] --> x[\""];'),
    ],
)
def test_a_title_is_text_and_no_syntax(toy: Toy, form: str, shown: str) -> None:
    toy.edit("contracts/toy-v1.yaml", "the toy adds", "'<script>\"] --> x[\"'")
    done = toy.pv("graph", "--format", form)
    assert done.returncode == 0
    assert shown in done.stdout


def test_contracts_that_can_not_be_judged_are_not_drawn(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "prediction:", "predicton:")
    done = toy.pv("graph")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_name_that_means_nothing_is_a_usage_error(toy: Toy) -> None:
    assert toy.pv("graph", "nothing").returncode == 2

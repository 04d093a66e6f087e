"""`pv list` through the real command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

ID = "FALSIFY-TOY-001"


def test_everything_is_listed_with_its_ceiling_checks_and_defects(proven: Toy) -> None:
    done = proven.pv("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{ID}  INTEGRATION/INTEGRATION",
        "    add adds",
        "    1 check · 2 defects · 1 control · sum = 5",
        "",
        "1 of 1 falsifier",
    ]


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        (("--level", "INTEGRATION"), 1),
        (("--level", "integration"), 1),
        (("--status", "INTEGRATION"), 1),
        (("--status", "partial"), 0),
        (("--status", "partial", "--status", "level"), 1),
        (("--below",), 0),
        (("--level", "PARTIAL"), 0),
        (("--level", "PARTIAL", "--level", "INTEGRATION"), 1),
        (("--status", "LEVEL"), 1),
        (("--status", "FAILED"), 0),
        (("--covers", "toy.math"), 1),
        (("--covers", "toy"), 1),
        (("--contract", "toy-*"), 1),
        (("toy-v1",), 1),
    ],
)
def test_options_choose_and_nothing_chosen_is_no_success(
    proven: Toy, options: tuple[str, ...], listed: int
) -> None:
    done = proven.pv("list", *options)
    assert done.returncode == (0 if listed else 2)
    assert done.stdout.splitlines()[-1] == f"{listed} of 1 falsifier"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--covers", "toy.maths"), "'toy.maths' is not covered here; did you mean toy.math?"),
        (("--contract", "toy-v2"), "'toy-v2' is not a contract here; did you mean toy-v1?"),
        (("--level", "GOOD"), "invalid choice: 'GOOD'"),
        (("nothing",), "neither a falsifier nor a contract"),
    ],
)
def test_what_is_not_there_is_a_usage_error(
    proven: Toy, options: tuple[str, ...], message: str
) -> None:
    done = proven.pv("list", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_json_is_for_programs(proven: Toy) -> None:
    document = json.loads(proven.pv("list", "--format", "json").stdout)
    (shown,) = document["falsifiers"]
    assert shown["checks"] == ["checks/test_toy.py::test_two_and_three_make_five"]
    assert shown["defects"] == ["minus", "off-by-one"]
    assert shown["status"] == "INTEGRATION/INTEGRATION"

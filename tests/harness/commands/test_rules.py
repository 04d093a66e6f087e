from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.contracts.rule_examples import RULE_EXAMPLES


if TYPE_CHECKING:
    from tests.harness.conftest import Toy


def test_all_codes_are_listed_by_family(toy: Toy) -> None:
    done = toy.pv("rules")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["the file as YAML", "  PV001  The file can't be read"]
    listed = [line.split()[0] for line in lines if line.startswith("  PV")]
    assert listed == list(RULE_CODES)
    assert max(map(len, lines)) <= 100


def test_one_code_is_explained_with_a_bad_and_a_good_example(toy: Toy) -> None:
    done = toy.pv("rules", "pv053")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "PV053 A planted change changes nothing (planted changes)\n"
        "\n"
        "cause:   The replacement is the same text, or differs in comments and layout alone.\n"
        "remedy:  Plant a change that alters what the program does.\n"
        "\n"
        "bad:\n"
        "    find: left + right\n"
        "    replace: left  +  right  # the sum\n"
        "\n"
        "good:\n"
        "    find: left + right\n"
        "    replace: left - right\n"
    )


def test_several_codes_are_explained_in_the_order_asked_for(toy: Toy) -> None:
    done = toy.pv("rules", "PV052", "PV001")
    heads = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("PV")]
    assert heads == ["PV052", "PV001"]


@pytest.mark.parametrize("codes", [(), ("PV052",)])
def test_as_json(toy: Toy, codes: tuple[str, ...]) -> None:
    done = toy.pv("rules", *codes, "--format", "json")
    read = json.loads(done.stdout)
    assert [rule["code"] for rule in read] == list(codes or RULE_CODES)
    for rule in read:
        assert rule["bad"] == RULE_EXAMPLES[rule["code"]].bad
        assert rule["remedy"] == RULE_CODES[rule["code"]].remedy


def test_an_unknown_code_is_an_error_with_the_nearest(toy: Toy) -> None:
    done = toy.pv("rules", "PV052", "PV0520")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pv: 'PV0520' is no code of a rule; did you mean PV052?\n"

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pv_harness.documents.loading import load
from pv_harness.errors import ContractError, UsageError
from pv_harness.policy.ratchet import Ratchet, read_ratchet, render_ratchet, shrink_ratchet


IDS = st.sets(st.integers(0, 999).map(lambda n: f"FALSIFY-A-{n:03d}"), max_size=8)
TEXT = """\
# why these
apiVersion: pv/v1
kind: ratchet
falsifiers:  # oldest first
# the first
- FALSIFY-A-001
-   FALSIFY-A-002   # since the beginning
- FALSIFY-A-003
"""


def read(text: str) -> Ratchet:
    return read_ratchet(load(text.encode(), "r.yaml"))


def test_each_id_is_read_with_its_line() -> None:
    assert read(TEXT).lines == {"FALSIFY-A-001": 6, "FALSIFY-A-002": 7, "FALSIFY-A-003": 8}


def test_only_the_lines_of_the_ids_are_taken_out() -> None:
    shrunk = shrink_ratchet(TEXT, read(TEXT), ["FALSIFY-A-002"])
    assert shrunk == TEXT.replace("-   FALSIFY-A-002   # since the beginning\n", "")


def test_the_last_id_leaves_an_empty_list() -> None:
    ratchet = read(TEXT)
    shrunk = shrink_ratchet(TEXT, ratchet, list(ratchet.lines))
    assert "falsifiers: [] # oldest first\n# the first\n" in shrunk
    assert read(shrunk).lines == {}


def test_ids_that_share_a_line_are_left_to_people() -> None:
    text = "apiVersion: pv/v1\nkind: ratchet\nfalsifiers: [FALSIFY-A-001, FALSIFY-A-002]\n"
    with pytest.raises(
        UsageError, match=r"r\.yaml:3: FALSIFY-A-001 shares its line; write one"
    ):
        shrink_ratchet(text, read(text), ["FALSIFY-A-001"])


@given(names=IDS, loose=IDS)
def test_written_read_and_shrunk_it_holds_what_is_left(
    names: set[str], loose: set[str]
) -> None:
    text = render_ratchet(names, "merge")
    ratchet = read(text)
    assert set(ratchet.lines) == names
    gone = names & loose
    assert set(read(shrink_ratchet(text, ratchet, gone)).lines) == names - gone


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "r.yaml:1:1: PV009 the file is a list of 1; it should be a mapping"),
        ("a: [", "r.yaml:1:5: PV004 not YAML"),
        (
            TEXT.replace("ratchet", "policy"),
            "r.yaml:3:7: PV010 kind is 'policy'; it should be 'ratchet'",
        ),
        (
            TEXT.replace("FALSIFY-A-002", "FALSIFY-*"),
            "r.yaml:7:5: PV010 falsifiers[1] is 'FALSIFY-*'; it should be the ID of a fals",
        ),
        (
            TEXT.replace("FALSIFY-A-002", "FALSIFY-A-001"),
            "r.yaml:6:1: PV010 falsifiers is a list of 3; it should be a list without re",
        ),
    ],
)
def test_every_problem_of_a_ratchet_has_its_place(text: str, message: str) -> None:
    with pytest.raises(ContractError) as raised:
        read(text)
    assert str(raised.value).startswith(message)

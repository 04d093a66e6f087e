from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pv_harness.wording import meant, nearest


KNOWN = ["PARTIAL", "INTEGRATION", "DISCHARGED", "mismatched_parameters", "FALSIFY-TOY-001"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("partial", "PARTIAL"),
        ("Integraton", "INTEGRATION"),
        ("DISCHARGE", "DISCHARGED"),
        ("mismatched_parameter", "mismatched_parameters"),
        ("FALSIFY-TOY-010", "FALSIFY-TOY-001"),
        ("colour", None),
        ("", None),
        ("PARTIAL" * 100, None),
    ],
)
def test_the_nearest_name_is_found_capitals_aside(name: str, near: str | None) -> None:
    assert nearest(name, KNOWN) == near


def test_of_two_names_that_differ_in_capitals_one_is_chosen_always() -> None:
    assert {nearest("lOSS", names) for names in (["Loss", "loss"], ["loss", "Loss"])} == {
        "Loss"
    }


def test_how_a_message_ends() -> None:
    assert meant("partial", KNOWN) == "; did you mean 'PARTIAL'?"
    assert meant("colour", KNOWN) == ""
    assert meant("x", []) == ""


@given(st.text(max_size=10), st.lists(st.text(max_size=10), max_size=5))
def test_what_is_meant_is_known_and_harmless(name: str, known: list[str]) -> None:
    near = nearest(name, known)
    assert near is None or near in known
    assert meant(name, known).isprintable()

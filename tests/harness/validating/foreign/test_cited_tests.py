from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pv_harness.validating.foreign.cited_tests import TestKind, classify_test, find_nodes


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, TestKind.ABSENT),
        ("  \n", TestKind.ABSENT),
        ("LIVE-PENDING — needs a machine", TestKind.LIVE_PENDING),
        ("live_pending: tests/test_x.py::test_y", TestKind.LIVE_PENDING),
        ("#[test]\nfn halves() {}\n", TestKind.SOURCE),
        ("def test_halves():\n    assert True\n", TestKind.SOURCE),
        ("tests/test_x.py::test_y", TestKind.PYTEST_NODE),
        ("pytest -q tests/test_x.py::TestA::test_y[1-2] && true", TestKind.PYTEST_NODE),
        ("cargo test --lib halves", TestKind.COMMAND),
        ("`cargo test --lib halves` exits 0.", TestKind.COMMAND),
        ("./scripts/check.sh", TestKind.COMMAND),
        ("scripts/check.py --all", TestKind.COMMAND),
        ("cargo test a && cargo test b", TestKind.SHELL),
        ("OUT=$(apr eval m); echo $OUT", TestKind.SHELL),
        ("bash run.sh 2>&1 | grep ok", TestKind.SHELL),
        ("test_halves", TestKind.TEST_NAME),
        ("commands::tests::halves", TestKind.TEST_NAME),
        ("contract_tests::FALSIFY-X-001", TestKind.TEST_NAME),
        ("Deterministic: 4 * 2 == 8", TestKind.PSEUDO_CODE),
        ("∀ x: halve(x) ≤ x", TestKind.PSEUDO_CODE),
        ("proptest with random vectors", TestKind.PROSE),
        ("halves", TestKind.PROSE),
        ("import nothing on one line", TestKind.PROSE),
    ],
)
def test_each_text_is_of_one_kind(text: str | None, kind: TestKind) -> None:
    assert classify_test(text) is kind


def test_the_nodes_of_a_text_are_found_once_each() -> None:
    text = "run `pytest a/test_x.py::test_a` and a/test_x.py::test_a, then b.py::T::test_b."
    assert find_nodes(text) == ("a/test_x.py::test_a", "b.py::T::test_b")


@given(st.text())
def test_every_text_is_of_some_kind(text: str) -> None:
    assert classify_test(text) in TestKind
    assert all(".py::" in node for node in find_nodes(text))


@pytest.mark.parametrize("part", ["a", "a_", "::", "A=", "x.py::", "`", " "])
def test_a_long_text_takes_no_time_of_its_own(part: str) -> None:
    assert classify_test(part * 300_000) in TestKind

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pv_harness.deriving.reason import tell_reason


COLLECTING = """a.py::a: not collected, or not run, by pytest:
==================================== ERRORS ====================================
___________________________ ERROR collecting a.py ____________________________
a.py:1: in <module>
    import nowhere
E   ModuleNotFoundError: No module named 'nowhere'
=========================== short test summary info ============================
ERROR a.py
1 error in 0.10s
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ""),
        ("  \n", ""),
        ("loss is 2, but must be = 1\nmore", "loss is 2, but must be = 1"),
        (
            COLLECTING,
            (
                "a.py::a: not collected, or not run, by pytest: "
                "ModuleNotFoundError: No module named 'nowhere'"
            ),
        ),
        (
            "a: its process died:\nFatal\n  out of memory\n",
            "a: its process died: out of memory",
        ),
        (
            "a: it broke:\ntorch.cuda.OutOfMemoryError: 2 GiB\nbye",
            "a: it broke: torch.cuda.OutOfMemoryError: 2 GiB",
        ),
        ("a: it broke:\n==== x ====\n1 error in 0.10s", "a: it broke"),
        ("a: its process died:", "a: its process died"),
    ],
)
def test_the_line_that_says_what_happened_is_told(text: str, told: str) -> None:
    assert tell_reason(text) == told


@given(st.text())
def test_a_reason_is_one_line(text: str) -> None:
    assert len(tell_reason(text).splitlines()) <= 1

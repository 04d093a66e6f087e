from __future__ import annotations

import pytest

from pv_harness.board.html.check_source import CheckSource, cut_out
from pv_harness.contracts.bindings import Check, read_checks


FILE = """\
import pytest


@pytest.mark.slow
@pytest.mark.falsifies("FALSIFY-X-001")
def test_one(measure):
    measure("sum", 5)


class TestIt:
    @pytest.mark.falsifies("FALSIFY-X-002")
    def test_two(self, measure):
        text = '''
    kept
'''
        measure("sum", text)
"""


def test_a_check_is_cut_out_with_its_decorators_and_its_first_line() -> None:
    first, second = cut_out(FILE.encode(), read_checks(FILE.encode(), "t.py").checks)
    assert first == CheckSource("t.py::test_one", "t.py", 4, "\n".join(FILE.split("\n")[3:7]))
    assert second.line == 11
    assert second.text.startswith("    @pytest.mark.falsifies")
    assert "kept" in second.text


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_end_as_pythons_parser_says(ending: str) -> None:
    data = FILE.replace("import pytest", "import pytest  # \u2028 \x0b").replace("\n", ending)
    checks = read_checks(FILE.encode(), "t.py").checks
    assert cut_out(data.encode(), checks)[0].text.startswith("@pytest.mark.slow")


@pytest.mark.parametrize("data", [b"def (", b"\x00", b"\xff\xfe", b"(" * 10_000])
def test_a_file_that_does_not_parse_has_no_sources(data: bytes) -> None:
    assert cut_out(data, [Check("X", "t.py", 1, "test_one", "t.py::test_one")]) == ()


def test_a_check_that_is_not_on_its_line_is_left_out() -> None:
    assert cut_out(FILE.encode(), [Check("X", "t.py", 6, "test_other", "t.py::x")]) == ()
    assert cut_out(FILE.encode(), [Check("X", "t.py", 5, "test_one", "t.py::x")]) == ()

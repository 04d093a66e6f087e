from __future__ import annotations

import pytest


@pytest.mark.falsifies("BASE-001")
def test_a_sum_is_wrong() -> None:
    assert True


@pytest.mark.falsifies("CASE-001")
@pytest.mark.falsifies("CASE-002")
def test_a_sum_of_the_case_is_wrong() -> None:
    assert True

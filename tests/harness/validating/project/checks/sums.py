from __future__ import annotations

import pytest


@pytest.mark.falsifies("BASE-001")
def test_a_sum_is_wrong() -> None:
    assert True

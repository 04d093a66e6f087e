from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pv_harness.documents import accelerators
from pv_harness.documents.accelerators import find_accelerator


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "pv_test_accelerator"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(accelerators.RELEASES, NAME, "1.2.3")
    monkeypatch.delenv("PV_FAST", raising=False)
    find_accelerator.cache_clear()
    yield
    find_accelerator.cache_clear()
    sys.modules.pop(NAME, None)


def install(site: Path, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    (site / NAME).mkdir()
    (site / NAME / "__init__.py").write_text("")
    (site / f"{NAME}-{release}.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(site))


def test_the_release_that_was_compared_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "1.2.3")
    package = find_accelerator(NAME)
    assert package is not None
    assert package.__name__ == NAME


def test_any_other_release_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "1.2.4")
    assert find_accelerator(NAME) is None


def test_a_package_that_is_missing_is_none() -> None:
    assert find_accelerator(NAME) is None


def test_pv_fast_0_means_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "1.2.3")
    monkeypatch.setenv("PV_FAST", "0")
    assert find_accelerator(NAME) is None

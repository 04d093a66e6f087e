from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness import user_cache
from pv_harness.user_cache import find_cache_folder, own_digest, recall, remember


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
IN_TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@IN_TMP
@given(value=VALUES)
def test_what_is_remembered_is_recalled(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "cache" / "kind-a.json"
    remember(file, value)
    assert recall(file) == value


def test_nan_and_the_infinities_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "kind-a.json"
    remember(file, [math.nan, math.inf, -math.inf])
    assert repr(recall(file)) == "[nan, inf, -inf]"


@IN_TMP
@given(data=st.data())
def test_a_damaged_entry_is_none(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "kind-a.json"
    remember(file, {"a": [1, 2.5, "text"]})
    whole = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= data.draw(st.integers(1, 255))
    else:
        del whole[place:]
    file.write_bytes(whole)
    assert recall(file) is None


def test_nothing_there_is_none(tmp_path: Path) -> None:
    assert recall(tmp_path / "none" / "kind-a.json") is None
    assert recall(tmp_path / "kind-a.json") is None


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_none(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "kind-a.json"
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    assert recall(file) is None


def test_an_entry_that_is_too_large_is_neither_kept_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kind-a.json"
    remember(file, "x" * 100)
    monkeypatch.setattr(user_cache, "_MAX_SIZE_BYTES", 90)
    assert recall(file) is None
    remember(tmp_path / "kind-b.json", "x" * 100)
    assert not (tmp_path / "kind-b.json").exists()


def test_a_folder_that_others_can_write_to_is_neither_read_nor_written(tmp_path: Path) -> None:
    remember(tmp_path / "kind-a.json", 1)
    tmp_path.chmod(0o770)
    assert recall(tmp_path / "kind-a.json") is None
    remember(tmp_path / "kind-b.json", 1)
    assert not (tmp_path / "kind-b.json").exists()


def test_a_folder_that_can_not_be_made_costs_the_memory_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "kind-a.json", 1)
    assert recall(tmp_path / "file" / "kind-a.json") is None


def test_the_oldest_of_a_kind_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_cache, "_MOST_ENTRIES", 2)
    for age, name in enumerate(("one-c", "one-b", "one-a", "two-a")):
        file = tmp_path / f"{name}.json"
        remember(file, 1)
        os.utime(file, (1000 - age, 1000 - age))
    remember(tmp_path / "one-d.json", 1)
    assert sorted(file.stem for file in tmp_path.iterdir()) == ["one-c", "one-d", "two-a"]


def test_another_version_is_another_pv(monkeypatch: pytest.MonkeyPatch) -> None:
    before = own_digest()
    assert own_digest() == before
    monkeypatch.setattr(user_cache, "__version__", "99.0")
    assert own_digest() != before


def test_another_source_is_another_pv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_cache, "_PACKAGE", tmp_path)
    digests = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b/c.json", "3"), ("b/c.txt", "4")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        user_cache._digest_sources.cache_clear()
        digests.add(own_digest())
    user_cache._digest_sources.cache_clear()
    assert len(digests) == 3, "of b/c.txt nothing depends"


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"PV_CACHE_DIR": "/c", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/pv"),
        ({"HOME": "/h"}, "/h/.cache/pv"),
        ({"PV_CACHE_DIR": "", "HOME": "/h"}, None),
        ({}, None),
    ],
)
def test_the_folder_is_the_users(environment: dict[str, str], place: str | None) -> None:
    assert find_cache_folder(environment) == (Path(place) if place else None)

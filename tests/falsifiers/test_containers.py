"""Kinds of file and the ways in which their metadata can lack a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_falsifiers import architectures, containers


if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_taken_away_at_every_depth() -> None:
    metadata = {"theta": 1, "rope": {"theta": 1, "kind": "x"}}
    deleted, nulled = containers.ways_to_lack(metadata, "theta")
    assert deleted == {"rope": {"kind": "x"}}
    assert nulled == {"theta": None, "rope": {"theta": None, "kind": "x"}}


@pytest.mark.parametrize("container", containers.CONTAINERS, ids=lambda c: c.name)
def test_every_key_that_is_taken_away_was_there(container: containers.Container) -> None:
    metadata = container.describe(architectures.Shape())
    for key in container.all_keys:
        assert all(lacking != metadata for lacking in containers.ways_to_lack(metadata, key))


@pytest.mark.parametrize("container", containers.CONTAINERS, ids=lambda c: c.name)
def test_a_wrong_field_is_counted(container: containers.Container, tmp_path: Path) -> None:
    shape = architectures.Shape()
    path = container.store(tmp_path / "model", container.describe(shape), shape)
    reading = containers.read(path)
    assert containers.count_wrong(reading, shape) == 0
    assert containers.count_wrong(reading, architectures.Shape(rope_theta=1.0)) == 1


def test_a_refusal_counts_every_field_as_wrong(tmp_path: Path) -> None:
    shape = architectures.Shape()
    reading = containers.read(containers.APR.store(tmp_path / "model", {}, shape))
    assert reading.architecture is None
    assert reading.error_id != "none"
    assert containers.count_wrong(reading, shape) == 13


def test_other_bytes_and_absent_tensors_are_mismatches(tmp_path: Path) -> None:
    shapes = {"a": (2, 2), "b": (2,)}
    source = architectures.write_apr_file(tmp_path / "source.apr", {"x": 1}, shapes)
    fewer = architectures.write_apr_file(tmp_path / "fewer.apr", {"x": 1}, {"a": (2, 2)})
    other = architectures.write_apr_file(
        tmp_path / "other.apr", {"x": 1}, {"b": (2,), "a": (2, 2)}
    )
    assert containers.count_mismatched(source, source) == 0
    assert containers.count_mismatched(source, fewer) == 1
    assert containers.count_mismatched(source, other) == 2
    assert containers.count_mismatched(source, tmp_path / "none.apr") == 2

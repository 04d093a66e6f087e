"""The second reader and writer of .apr, against the first and against hand-made damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from pv_falsifiers import apr_bytes
from pv_trainer.formats import apr_reader
from pv_trainer.formats.apr_writer import Payload, write_apr


if TYPE_CHECKING:
    from pathlib import Path

FLOATS = arrays.arrays("<f4", arrays.array_shapes(max_dims=2), elements=st.floats(width=16))


def small_file() -> bytes:
    return apr_bytes.pack({"a": 1}, {"x": ("F32", np.arange(6, dtype="f4").reshape(2, 3))})


@given(values=FLOATS, dtype=st.sampled_from(["F32", "F16"]))
def test_what_is_packed_is_unpacked(values: np.ndarray[Any, Any], dtype: str) -> None:
    metadata, tensors = apr_bytes.unpack(apr_bytes.pack({"a": [1]}, {"x": (dtype, values)}))
    assert metadata == {"a": [1]}
    assert tensors["x"].shape == values.shape
    np.testing.assert_array_equal(tensors["x"], values)


def test_the_trainer_reads_what_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "a.apr"
    path.write_bytes(small_file())
    file = apr_reader.verify(path)
    buffer = bytearray(24)
    apr_reader.read_into(file, "x", memoryview(buffer))
    assert file.metadata == {"a": 1}
    assert np.frombuffer(buffer, "<f4").tolist() == [0, 1, 2, 3, 4, 5]


def test_what_the_trainer_writes_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.apr"
    write_apr(path, {"b": 2}, [Payload("y", "F32", (2,), np.array([7, 8], "<f4").tobytes)])
    metadata, tensors = apr_bytes.read_apr(path)
    assert metadata == {"b": 2}
    assert tensors["y"].tolist() == [7, 8]


def test_both_write_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.apr"
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    write_apr(path, {"a": 1}, [Payload("x", "F32", (2, 3), values.tobytes)])
    assert path.read_bytes() == apr_bytes.pack(b'{"a":1}', {"x": ("F32", values)})


def test_a_bit_flipped_anywhere_is_noticed() -> None:
    data = small_file()
    for at in range(len(data)):
        with pytest.raises(ValueError, match=r"no whole \.apr file"):
            apr_bytes.unpack(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_a_missing_file_holds_nothing(tmp_path: Path) -> None:
    assert apr_bytes.read_apr(tmp_path / "none.apr") == ({}, {})


def test_bfloat16_keeps_the_upper_half_of_each_value() -> None:
    values = np.array([1.0, 1.0 + 2**-9], "f4")
    assert apr_bytes.widened("BF16", values).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ({"x": np.zeros(2, "f4")}, 0),
        ({"x": np.array([0.0, -0.0], "f4")}, 1),
        ({"x": np.zeros((2, 1), "f4")}, 1),
        ({"y": np.zeros(2, "f4")}, 1),
    ],
    ids=["same", "one-bit", "shape", "absent"],
)
def test_tensors_differ_by_bit_shape_or_absence(found: dict[str, Any], count: int) -> None:
    assert apr_bytes.count_different({"x": np.zeros(2, "f4")}, found) == count

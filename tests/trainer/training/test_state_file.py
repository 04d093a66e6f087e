from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from pv_trainer.errors import InitInvalid
from pv_trainer.training.state_file import read_state, write_state


if TYPE_CHECKING:
    from pathlib import Path

TENSORS = st.dictionaries(
    st.text(min_size=1).filter(lambda name: name != "__metadata__"),
    st.tuples(
        st.sampled_from([torch.float32, torch.uint8]), st.lists(st.integers(0, 3), max_size=3)
    ),
    max_size=5,
)
FACTS = st.dictionaries(
    st.text(),
    st.recursive(st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(shapes=TENSORS, facts=FACTS)
def test_what_was_written_is_read(
    tmp_path: Path, shapes: dict[str, tuple[torch.dtype, list[int]]], facts: dict[str, object]
) -> None:
    tensors = {
        name: torch.arange(math.prod(shape)).to(dtype).reshape(shape)
        for name, (dtype, shape) in shapes.items()
    }
    path = tmp_path / "x.state.safetensors"
    digest = write_state(path, tensors, facts)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    found, told = read_state(path)
    assert told == facts
    assert found.keys() == tensors.keys()
    for name, values in tensors.items():
        assert found[name].dtype == values.dtype
        assert torch.equal(found[name], values)


def test_any_reader_of_safetensors_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_state(path, {"b": torch.ones(3), "a": torch.ones(5, dtype=torch.uint8)}, {"n": 0.1})
    with safe_open(path, "np") as file:
        assert sorted(file.keys()) == ["a", "b"]
        assert json.loads(file.metadata()["facts"]) == {"n": 0.1}
        assert file.get_tensor("b").tolist() == [1.0, 1.0, 1.0]


def test_a_tensor_outlives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_state(path, {"a": torch.ones(1000)}, {})
    tensors, _ = read_state(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert tensors["a"].sum() == 1000


@pytest.mark.parametrize("size", [0, 7, 8, 40, 200])
def test_a_cut_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.safetensors"
    write_state(path, {"a": torch.ones(100)}, {})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InitInvalid, match=r"RESUME-002.*x.safetensors: cannot be read"):
        read_state(path)


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(InitInvalid, match="it is not a training state"):
        read_state(path)
    with pytest.raises(InitInvalid, match="cannot be read"):
        read_state(tmp_path / "none")


def test_only_what_a_state_holds_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a: torch.float64 is neither float32 nor uint8"):
        write_state(tmp_path / "x", {"a": torch.ones(1, dtype=torch.float64)}, {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_state(tmp_path / "x", {}, {"n": math.nan})
    assert list(tmp_path.iterdir()) == []

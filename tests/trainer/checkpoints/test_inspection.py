from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pv_trainer.checkpoints.inspection import inspect_checkpoint
from pv_trainer.checkpoints.saving import save_huggingface
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.apr_writer import Payload
from pv_trainer.model.config import parameter_count


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


def test_an_inspection_says_what_the_file_holds(
    apr_path: Path, make_config: Callable[..., ModelConfig]
) -> None:
    found = inspect_checkpoint(apr_path)
    assert found["kind"] == "apr"
    assert found["family_of_names"] == "qwen2"
    assert found["header"]["flags"] == 0x0400
    assert found["tensor_count"] == len(found["tensors"]) == 26
    assert found["value_count"] == parameter_count(make_config())
    assert found["dtypes"] == {"F32": 26}
    assert found["config"]["hidden_size"] == 32
    assert found["sources"]["hidden_size"] == "metadata.hidden_size"
    assert found["files"] == [{"path": str(apr_path), "size_bytes": apr_path.stat().st_size}]
    assert (found["trainable"], found["problem"]) == (True, None)


def test_an_inspection_is_json(
    tmp_path: Path,
    apr_path: Path,
    make_config: Callable[..., ModelConfig],
    make_model: Callable[..., Decoder],
) -> None:
    save_huggingface(tmp_path / "folder", make_model(make_config()))
    for path in (apr_path, tmp_path / "folder"):
        found = inspect_checkpoint(path)
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_quantized_checkpoint_is_listed_and_called_untrainable(
    apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    def quantize(found: list[Payload]) -> list[Payload]:
        (table,) = (payload for payload in found if payload.name == "model.embed_tokens.weight")
        rest = [payload for payload in found if payload is not table]
        return [*rest, Payload(table.name, "Q4_K", table.shape, lambda: bytes(12 * 144))]

    found = inspect_checkpoint(rewrite_apr(apr_path, tensors=quantize))
    assert found["dtypes"] == {"Q4_K": 1, "F32": 25}
    assert found["trainable"] is False
    assert "quantized, not for training" in found["problem"]["what"]


def test_a_problem_has_the_id_that_training_would_give(
    apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    found = inspect_checkpoint(rewrite_apr(apr_path, tensors=lambda tensors: tensors[1:]))
    assert found["trainable"] is False
    assert found["problem"]["id"] == "FALSIFY-APR-PRETRAIN-INIT-007"
    assert found["config"]["num_hidden_layers"] == 2


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InitInvalid, match="INIT-003"):
        inspect_checkpoint(tmp_path / "none.apr")

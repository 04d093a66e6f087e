"""The makers of checkpoints and tokenizers are an oracle, so they are held to facts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from pv_falsifiers import architectures
from pv_trainer.data.tokenizer import open_tokenizer, read_tokenizer
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from pathlib import Path

QWEN2 = architectures.Shape(
    vocab_size=151_936,
    hidden_size=896,
    num_attention_heads=14,
    num_kv_heads=2,
    intermediate_size=4864,
    num_hidden_layers=24,
    head_dim=64,
)


def test_the_tensors_of_a_shape_add_up_to_the_published_counts() -> None:
    shapes = architectures.tensor_shapes(QWEN2)
    assert len(shapes) == 290
    assert sum(math.prod(shape) for shape in shapes.values()) == 494_032_768


def test_no_two_fields_of_the_shape_share_a_value() -> None:
    shape = architectures.Shape()
    values = [getattr(shape, name) for name in architectures.Shape.__dataclass_fields__]
    assert len(set(values)) == len(values)


def test_all_kinds_of_file_hold_the_same_tensors(tmp_path: Path) -> None:
    shape = architectures.Shape()
    shapes = architectures.tensor_shapes(shape)
    config = architectures.huggingface_config(shape)
    paths = (
        architectures.write_apr_file(
            tmp_path / "a.apr", architectures.apr_metadata(shape), shapes
        ),
        architectures.write_safetensors(tmp_path / "b.safetensors", shapes, config),
        architectures.write_folder(tmp_path / "c", config, shapes),
    )
    for path in paths:
        tensors = open_checkpoint(path).tensors
        assert {name: info.shape for name, info in tensors.items()} == shapes


def test_a_tokenizer_has_the_ids_asked_for_and_encodes_bytes(tmp_path: Path) -> None:
    path = architectures.write_tokenizer(tmp_path / "tokenizer.json", 300, (300, 301))
    info = read_tokenizer(path)
    tokenizer = open_tokenizer(info)
    encoded = tokenizer.encode("a quick brown fox", add_special_tokens=False).ids
    assert info.vocab_size == 302
    assert len(encoded) == len("a quick brown fox")
    assert tokenizer.decode(encoded) == "a quick brown fox"


def test_a_dataset_belongs_to_its_tokenizer_and_has_a_held_out_part(tmp_path: Path) -> None:
    tokenizer = architectures.write_tokenizer(tmp_path / "tokenizer.json", 300)
    dataset = architectures.write_dataset(tmp_path / "dataset", tokenizer)
    for folder in (dataset, dataset / "val"):
        manifest = json.loads((folder / "manifest.json").read_bytes())
        assert manifest["vocab_size"] == 300
        assert manifest["tokenizer_sha256"] == read_tokenizer(tokenizer).digest

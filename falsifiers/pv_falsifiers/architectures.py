"""Checkpoints, tokenizers and datasets of a chosen shape, made from nothing and in no time.

Names, shapes and metadata are spelled out here once more and not taken from the trainer: a
trainer that lists a tensor wrongly is not asked which tensors it wants.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pv_trainer.data.documents import make_document
from pv_trainer.data.encode import SplitShare, encode_corpus
from pv_trainer.data.split_writer import EncodeOptions
from pv_trainer.formats.apr_writer import Payload, write_apr


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Shapes = Mapping[str, tuple[int, ...]]

HF_CLASSES: Final = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
BYTE_IDS: Final = 256
"""A byte-level tokenizer has one id per byte before it has any other."""
_SPLIT_HALVES: Final = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """The three paths that a run from a checkpoint needs; `val` lies in the dataset."""

    init: Path
    tokenizer: Path
    dataset: Path


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder in which no two fields share a value, so that a swap shows."""

    family: str = "qwen2"
    vocab_size: int = 320
    hidden_size: int = 48
    num_attention_heads: int = 6
    num_kv_heads: int = 2
    intermediate_size: int = 72
    num_hidden_layers: int = 3
    max_position_embeddings: int = 96
    head_dim: int = 10
    rope_theta: float = 12_345.0
    rms_norm_eps: float = 3e-6
    tie_word_embeddings: bool = True

    @property
    def use_bias(self) -> bool:
        """Qwen2 has biases on q, k and v; Llama has none."""
        return self.family == "qwen2"


def narrow_shape(vocab_size: int) -> Shape:
    """A decoder 8 wide: 151,936 rows of it are 5 MB."""
    return Shape(
        vocab_size=vocab_size,
        hidden_size=8,
        num_attention_heads=2,
        num_kv_heads=1,
        head_dim=4,
        intermediate_size=12,
        num_hidden_layers=1,
    )


def tensor_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The tensors of a decoder, under Hugging Face's names, [out, in]."""
    width, mlp = shape.hidden_size, shape.intermediate_size
    query, key = (h * shape.head_dim for h in (shape.num_attention_heads, shape.num_kv_heads))
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocab_size, width),
        "model.norm.weight": (width,),
    }
    for layer in range(shape.num_hidden_layers):
        block = f"model.layers.{layer}"
        for name, rows in (("q_proj", query), ("k_proj", key), ("v_proj", key)):
            tensors[f"{block}.self_attn.{name}.weight"] = (rows, width)
            if shape.use_bias:
                tensors[f"{block}.self_attn.{name}.bias"] = (rows,)
        tensors[f"{block}.self_attn.o_proj.weight"] = (width, query)
        tensors[f"{block}.mlp.gate_proj.weight"] = (mlp, width)
        tensors[f"{block}.mlp.up_proj.weight"] = (mlp, width)
        tensors[f"{block}.mlp.down_proj.weight"] = (width, mlp)
        tensors[f"{block}.input_layernorm.weight"] = (width,)
        tensors[f"{block}.post_attention_layernorm.weight"] = (width,)
    if not shape.tie_word_embeddings:
        tensors["lm_head.weight"] = (shape.vocab_size, width)
    return tensors


def huggingface_config(shape: Shape, *, nested_theta: bool = True) -> dict[str, Any]:
    """A config.json as the reference library writes it; theta in its new or its old place."""
    theta = {"rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta}}
    return {
        "architectures": [HF_CLASSES[shape.family]],
        "model_type": shape.family,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "max_position_embeddings": shape.max_position_embeddings,
        "head_dim": shape.head_dim,
        "rms_norm_eps": shape.rms_norm_eps,
        "tie_word_embeddings": shape.tie_word_embeddings,
        "attention_bias": shape.use_bias,
        **(theta if nested_theta else {"rope_theta": shape.rope_theta}),
    }


def apr_metadata(shape: Shape) -> dict[str, Any]:
    """The metadata of an .apr file, every architecture key in it."""
    return {
        "model_type": shape.family,
        "architecture": shape.family,
        "hf_architecture": HF_CLASSES[shape.family],
        "hf_model_type": shape.family,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_heads": shape.num_attention_heads,
        "num_kv_heads": shape.num_kv_heads,
        "intermediate_size": shape.intermediate_size,
        "num_layers": shape.num_hidden_layers,
        "max_position_embeddings": shape.max_position_embeddings,
        "head_dim": shape.head_dim,
        "rope_theta": shape.rope_theta,
        "rope_type": _SPLIT_HALVES,
        "rms_norm_eps": shape.rms_norm_eps,
        "tie_word_embeddings": shape.tie_word_embeddings,
        "use_bias": shape.use_bias,
    }


def draw_weights(shapes: Shapes) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Random float32 values, none of them at a value that an initialisation would give."""
    generator = np.random.default_rng(0)
    return {
        name: (
            generator.normal(0.0, 0.1, shape) + (1.0 if name.endswith("norm.weight") else 0.0)
        ).astype("<f4")
        for name, shape in shapes.items()
    }


def write_apr_file(path: Path, metadata: Mapping[str, Any], shapes: Shapes) -> Path:
    """An .apr file with these tensors, in float32."""
    weights = draw_weights(shapes)
    write_apr(
        path,
        metadata,
        [Payload(name, "F32", shapes[name], w.tobytes) for name, w in weights.items()],
    )
    return path


def write_safetensors(
    path: Path, shapes: Shapes, metadata: Mapping[str, Any] | None = None
) -> Path:
    """A .safetensors file in float32; `metadata` becomes its `__metadata__`, as JSON values."""
    header: dict[str, Any] = {}
    if metadata is not None:
        header["__metadata__"] = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in metadata.items()
        }
    data = bytearray()
    for name, values in draw_weights(shapes).items():
        start = len(data)
        data += values.tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [start, len(data)],
        }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def write_folder(folder: Path, config: Mapping[str, Any], shapes: Shapes) -> Path:
    """A Hugging Face directory: config.json and model.safetensors."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_safetensors(folder / "model.safetensors", shapes)
    return folder


def write_tokenizer(path: Path, ordinary: int, added: Sequence[int] = ()) -> Path:
    """A byte-level tokenizer.json with `ordinary` dense ids, and added tokens of these ids.

    The ids above the 256 bytes have no merge that leads to them: the file has the size and the
    vocabulary of a large tokenizer, and text becomes bytes.
    """
    from tokenizers.pre_tokenizers import ByteLevel  # noqa: PLC0415 - only where one is made

    alphabet = sorted(ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate(alphabet)}
    vocab |= {f"filler-{number}": number for number in range(BYTE_IDS, ordinary)}
    # The library counts on from the vocabulary, unless the token's id stands there as well.
    counted_on = range(ordinary, ordinary + len(added))
    vocab |= {_added_token(n): n for n in added if n not in counted_on}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    document = {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": _added_token(number), "special": True, **flags}
            for number in added
        ],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _added_token(number: int) -> str:
    return f"<|added-{number}|>"


def write_dataset(folder: Path, tokenizer: Path) -> Path:
    """A dataset of that tokenizer with its held-out part in `val`; both pass the gates.

    It is a few hundred tokens: with a vocabulary of 151,936 every one of them costs time.
    """
    texts = [f"{n} The quick brown fox jumps over a lazy DOG, SIR.\n" for n in range(6)]
    encode_corpus(
        [make_document(text) for text in texts],
        tokenizer,
        folder,
        [SplitShare("train", 0.7, "."), SplitShare("val", 0.3, "val")],
        EncodeOptions(eos_policy="none"),
    )
    return folder


def make_scene(
    folder: Path, shape: Shape, *, ordinary: int, added: Sequence[int] = ()
) -> Scene:
    """A checkpoint of that shape, a tokenizer and a dataset of that tokenizer, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder / "tokenizer.json", ordinary, added)
    return Scene(
        init=write_folder(folder / "init", huggingface_config(shape), tensor_shapes(shape)),
        tokenizer=tokenizer,
        dataset=write_dataset(folder / "dataset", tokenizer),
    )

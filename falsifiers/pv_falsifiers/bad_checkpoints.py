"""Checkpoints that must be refused, each for one reason, and sound ones beside them."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pv_falsifiers import apr_bytes, architectures
from pv_falsifiers.architectures import Shape
from pv_falsifiers.tiny import make_weights, pack_model, write_file


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pv_falsifiers.apr_bytes import Array

SMALL: Final = architectures.narrow_shape(320)
"""A shape for files that are refused: most of them never get as far as its 13 KB of weights."""

_SIZES: Final = (
    *("vocab_size", "hidden_size", "num_heads", "num_kv_heads", "intermediate_size"),
    *("num_layers", "max_position_embeddings", "head_dim"),
)
_BIAS: Final = "model.layers.0.self_attn.k_proj.bias"
_EMBEDDING: Final = "model.embed_tokens.weight"
_HEAD: Final = "lm_head.weight"


def write_not_checkpoints(folder: Path) -> list[Path]:
    """Files and folders that are no checkpoint by their first bytes, or by their names."""
    whole = pack_model(SMALL)[: -apr_bytes.FOOTER_SIZE]
    starts = {
        "last-byte-of-magic": b"APR\1" + whole[4:],
        "first-byte-of-magic": b"aPR\0" + whole[4:],
        "version-1": b"APRN" + whole[4:],
        "major-version": whole[:4] + b"\3" + whole[5:],
        "minor-version": whole[:5] + b"\1" + whole[6:],
    }
    written = [
        write_file(folder / f"{name}.apr", apr_bytes.seal(body))
        for name, body in starts.items()
    ]
    written += [
        write_file(folder / name, data)
        for name, data in (
            ("empty.apr", b""),
            ("empty.safetensors", b""),
            ("three-bytes.apr", b"APR"),
            ("text.apr", b"the weights are in another castle\n" * 9),
            ("pickle.pt", b"PK\3\4" + bytes(99)),
        )
    ]
    (folder / "empty-folder").mkdir()
    return [*written, folder / "empty-folder"]


def write_bogus_values(folder: Path) -> list[Path]:
    """Whole files with one impossible value in their metadata."""
    sound = architectures.apr_metadata(SMALL)
    wrong: dict[str, tuple[Any, ...]] = dict.fromkeys(_SIZES, (0, -1, 1.5, True, "8", [8], {}))
    wrong |= dict.fromkeys(("rope_theta", "rms_norm_eps"), (0, -1e-6, True, "1e-6", [1.0]))
    wrong |= dict.fromkeys(("tie_word_embeddings", "use_bias"), (1, "true", []))
    wrong |= {"rope_type": (0, "split"), "num_kv_heads": (*wrong["num_kv_heads"], 4, 3)}
    return [
        write_file(
            folder / f"{key}-{number}.apr", pack_model(SMALL, metadata=sound | {key: value})
        )
        for key, values in wrong.items()
        for number, value in enumerate(values)
    ]


def write_bogus_metadata(folder: Path) -> list[Path]:
    """Whole checkpoints whose metadata is missing, is no object, or contradicts itself."""
    sound = architectures.apr_metadata(SMALL)
    text = json.dumps(sound)
    raw = {
        "empty-object": b"{}",
        "no-json": b"hidden_size: 8",
        "a-list": b"[1]",
        "not-a-number": text.replace("3e-06", "NaN").encode(),
        "two-values": text.replace("{", '{"hidden_size": 9, ', 1).encode(),
        "not-utf-8": text.encode() + b"\xff",
        "positions-true": json.dumps(sound | {"max_position_embeddings": True}).encode(),
        "width-as-text": json.dumps(sound | {"hidden_size": "8"}).encode(),
    }
    written = [
        write_file(folder / f"{name}.apr", pack_model(SMALL, metadata=data))
        for name, data in raw.items()
    ]
    shapes = architectures.tensor_shapes(SMALL)
    alone = folder / "alone"
    alone.mkdir()
    bare = architectures.write_folder(folder / "bare", {}, shapes)
    (bare / "config.json").unlink()
    listed = architectures.write_folder(folder / "listed", {}, shapes)
    (listed / "config.json").write_text("[]", encoding="utf-8")
    single = architectures.write_safetensors(alone / "no-config.safetensors", shapes)
    return [*written, single, bare, listed]


def write_sound_checkpoints(folder: Path) -> list[tuple[Path, dict[str, Array]]]:
    """Checkpoints of every kind, each with what the model's parameters must be."""
    qwen, llama = Shape(), Shape(family="llama", tie_word_embeddings=False)
    written = []
    for shape, dtype in ((qwen, "F32"), (qwen, "F16"), (qwen, "BF16"), (llama, "F32")):
        weights = make_weights(shape)
        path = folder / f"sound-{shape.family}-{dtype}.apr"
        wanted = {name: apr_bytes.widened(dtype, values) for name, values in weights.items()}
        written.append((write_file(path, pack_model(shape, dtype=dtype)), wanted))
    weights = make_weights(qwen)
    twice = weights | {_HEAD: weights[_EMBEDDING]}
    path = folder / "sound-head-published-twice.apr"
    written.append((write_file(path, pack_model(qwen, tensors=twice)), weights))
    for shape in (qwen, llama):
        config = architectures.huggingface_config(shape)
        shapes = architectures.tensor_shapes(shape)
        path = architectures.write_folder(folder / f"sound-{shape.family}", config, shapes)
        written.append((path, make_weights(shape)))
    return written


def write_unfit(folder: Path) -> list[Path]:
    """Whole, unaltered files whose tensors do not fit their own architecture."""
    return [
        write_file(folder / f"unfit-{name}.apr", pack_model(SMALL, tensors=tensors))
        for name, tensors in _unfit_tensors()
    ]


def _unfit_tensors() -> Iterator[tuple[str, Mapping[str, Array]]]:
    weights = make_weights(SMALL)
    embedding, bias = weights[_EMBEDDING], weights[_BIAS]
    one_off = embedding.copy()
    one_off[-1, -1] += 1
    yield "missing", {n: w for n, w in weights.items() if n != _BIAS}
    yield "left-over", weights | {_BIAS.replace("k_proj", "o_proj"): np.ones(8, "f4")}
    yield "misspelt", {n.replace("k_proj", "key_proj"): w for n, w in weights.items()}
    yield "layer-too-many", weights | {_BIAS.replace("0", "1"): bias}
    yield "value-too-many", weights | {_BIAS: np.append(bias, bias[-1])}
    yield "transposed", weights | {_EMBEDDING: np.ascontiguousarray(embedding.T)}
    yield "not-a-number", weights | {_BIAS: np.append(bias[:-1], np.float32("nan"))}
    yield "infinite", weights | {"model.norm.weight": np.full(8, np.float32("inf"))}
    yield "another-head", weights | {_HEAD: one_off}


def write_altered(folder: Path) -> dict[str, list[Path]]:
    """Copies of a sound file, each without its end or with one bit flipped, by place."""
    data = pack_model(SMALL)
    layout = apr_bytes.layout_of(data)
    spans = {
        "header": range(0, layout.metadata, 3),
        "metadata": range(layout.metadata, layout.index, 41),
        "index": range(layout.index, layout.data, 31),
        "tensors": range(layout.data, layout.footer, 701),
        "end": range(layout.footer, len(data)),
    }
    altered = {
        place: [
            write_file(folder / f"{place}-{at}.apr", _with_bit_flipped(data, at)) for at in span
        ]
        for place, span in spans.items()
    }
    altered["end"] += [
        write_file(folder / f"cut-{length}.apr", data[:length])
        for length in (
            len(data) - 1,
            len(data) - 4,
            len(data) // 2,
            layout.data,
            layout.index,
            64,
        )
    ]
    altered["safetensors"] = list(_cut_safetensors(folder))
    return altered


def _cut_safetensors(folder: Path) -> Iterator[Path]:
    config = architectures.huggingface_config(SMALL, nested_theta=False)
    shapes = architectures.tensor_shapes(SMALL)
    path = architectures.write_safetensors(folder / "whole.safetensors", shapes, config)
    data = path.read_bytes()
    (header,) = struct.unpack_from("<Q", data)
    for name, length in (("half", len(data) // 2), ("header", header // 2)):
        yield write_file(folder / f"cut-{name}.safetensors", data[:length])


def _with_bit_flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def write_true_claims(folder: Path) -> list[Path]:
    """Checkpoints whose claims agree with their tensors, in each spelling that is known."""
    written = []
    for family, shape in _families().items():
        sound = architectures.apr_metadata(shape)
        name = architectures.HF_CLASSES[family]
        spellings: tuple[dict[str, Any], ...] = (
            {},
            {"architecture": name},
            {"architecture": family.upper(), "hf_architecture": None},
            {"hf_model_type": None, "hf_architecture": None},
        )
        for number, claims in enumerate(spellings):
            path = folder / f"true-{family}-{number}.apr"
            written.append(write_file(path, pack_model(shape, metadata=sound | claims)))
        config = architectures.huggingface_config(shape)
        shapes = architectures.tensor_shapes(shape)
        written.append(architectures.write_folder(folder / f"true-{family}", config, shapes))
    return written


def write_false_claims(folder: Path) -> list[Path]:
    """Checkpoints that claim a family which their tensors are not of, or two at once."""
    families = _families()
    config = architectures.huggingface_config(families["llama"])
    qwen, llama = (architectures.tensor_shapes(families[name]) for name in ("qwen2", "llama"))
    disagreeing = architectures.huggingface_config(families["qwen2"]) | {
        "architectures": [architectures.HF_CLASSES["llama"]]
    }
    return [
        _claim(folder / "llama-as-qwen2.apr", "qwen2", of="llama"),
        architectures.write_folder(folder / "qwen2-as-llama", config, qwen),
        _claim(folder / "two-claims.apr", "qwen2", of="qwen2", hf_model_type="llama"),
        architectures.write_folder(folder / "two-classes", disagreeing, qwen),
        _claim(folder / "unknown.apr", "qwen2", of="qwen2", architecture="mistral"),
        _claim(
            folder / "class-only.apr", "llama", of="llama", hf_architecture="Qwen2ForCausalLM"
        ),
        architectures.write_folder(
            folder / "value-bias-only",
            config,
            llama | {_BIAS.replace("k_proj", "v_proj"): qwen[_BIAS]},
        ),
    ]


def _claim(path: Path, family: str, *, of: str, **claims: str) -> Path:
    """The tensors of one family under the metadata of another."""
    families = _families()
    metadata = architectures.apr_metadata(families[family]) | claims
    return write_file(path, pack_model(families[of], metadata=metadata))


def _families() -> dict[str, Shape]:
    return {"qwen2": SMALL, "llama": replace(SMALL, family="llama")}

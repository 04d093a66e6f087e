from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pv_trainer.checkpoints import conversion
from pv_trainer.checkpoints.conversion import export_checkpoint, import_checkpoint
from pv_trainer.checkpoints.init import load_model
from pv_trainer.errors import CheckpointFailed, InitInvalid, UsageError
from pv_trainer.formats.apr_reader import read_into, verify
from pv_trainer.formats.apr_writer import Payload, write_apr


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig

    MakeConfig = Callable[..., ModelConfig]
    MakeReference = Callable[..., tuple[Path, Any]]

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def apr_bytes(path: Path) -> dict[str, bytes]:
    file = verify(path)
    found = {}
    for name, entry in file.entries.items():
        data = bytearray(entry.size)
        read_into(file, name, memoryview(data))
        found[name] = bytes(data)
    return found


def safetensors_bytes(path: Path) -> dict[str, bytes]:
    """By hand, from the format's description: u64 length, JSON, data."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    start = 8 + length
    return {
        name: data[start + told["data_offsets"][0] : start + told["data_offsets"][1]]
        for name, told in header.items()
    }


def all_bytes(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in folder.glob("*.safetensors"):
        found |= safetensors_bytes(path)
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "tied"), [("qwen2", True), ("llama", False)])
def test_no_byte_of_a_tensor_changes_on_the_way_in_and_out_and_in(
    *,
    tmp_path: Path,
    dtype: str,
    family: str,
    tied: bool,
    make_config: MakeConfig,
    make_reference: MakeReference,
) -> None:
    config = make_config(family, tie_word_embeddings=tied)
    folder, _ = make_reference(tmp_path / "hf", config, dtype=dtype)
    import_checkpoint(folder, tmp_path / "1.apr")
    export_checkpoint(tmp_path / "1.apr", tmp_path / "export")
    import_checkpoint(tmp_path / "export", tmp_path / "2.apr")
    expected = all_bytes(folder)
    assert apr_bytes(tmp_path / "1.apr") == expected
    assert all_bytes(tmp_path / "export") == expected
    assert apr_bytes(tmp_path / "2.apr") == expected
    assert {e.dtype for e in verify(tmp_path / "2.apr").entries.values()} == {DTYPES[dtype]}
    assert json.loads((tmp_path / "export" / "config.json").read_text())["dtype"] == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_library_loads_an_export_and_gives_the_same_logits(
    tmp_path: Path, dtype: str, make_config: MakeConfig, make_reference: MakeReference
) -> None:
    import transformers

    folder, _ = make_reference(tmp_path / "hf", make_config(), dtype=dtype)
    import_checkpoint(folder, tmp_path / "model.apr")
    export_checkpoint(tmp_path / "model.apr", tmp_path / "export")
    load: Any = transformers.AutoModelForCausalLM.from_pretrained
    original = load(folder, dtype=torch.float32)
    theirs, info = load(tmp_path / "export", dtype=torch.float32, output_loading_info=True)
    assert not any(info.values()), info
    ours, _, _ = load_model(tmp_path / "model.apr")
    ids_BT = torch.randint(96, (2, 40), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits, again = original.eval()(ids_BT).logits, theirs.eval()(ids_BT).logits
        assert torch.equal(again, logits)
        assert (ours(ids_BT) - logits).abs().max() <= 1e-4


def test_shards_become_one_file(
    tmp_path: Path, make_config: MakeConfig, make_reference: MakeReference
) -> None:
    folder, _ = make_reference(tmp_path / "hf", make_config(), shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    done = import_checkpoint(folder, tmp_path / "model.apr")
    assert apr_bytes(tmp_path / "model.apr") == all_bytes(folder)
    assert len(done.metadata["source_files"]) == len(list(folder.glob("*.safetensors")))


def test_an_import_says_where_it_comes_from(
    tmp_path: Path, make_config: MakeConfig, make_reference: MakeReference
) -> None:
    folder, _ = make_reference(tmp_path / "hf", make_config("llama"))
    done = import_checkpoint(folder / "model.safetensors", tmp_path / "new" / "model.apr")
    metadata = verify(tmp_path / "new" / "model.apr").metadata
    assert metadata == done.metadata
    source = folder / "model.safetensors"
    assert {key: metadata[key] for key in ("original_format", "source", "source_files")} == {
        "original_format": "safetensors",
        "source": str(source),
        "source_files": {source.name: hashlib.sha256(source.read_bytes()).hexdigest()},
    }
    assert metadata["hf_architecture"] == "LlamaForCausalLM"
    assert metadata["hf_model_type"] == "llama"
    assert metadata["license"] is None
    assert (metadata["num_kv_heads"], metadata["tie_word_embeddings"]) == (2, True)


def test_a_head_that_repeats_a_tied_embedding_is_kept(
    tmp_path: Path, make_config: MakeConfig, make_reference: MakeReference
) -> None:
    import transformers

    folder, _ = make_reference(tmp_path / "hf", make_config())
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    import_checkpoint(folder, tmp_path / "model.apr")
    export_checkpoint(tmp_path / "model.apr", tmp_path / "export")
    assert all_bytes(tmp_path / "export") == all_bytes(folder)
    loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "export", output_loading_info=True
    )
    assert not any(loaded[1].values()), loaded[1]
    tensors["lm_head.weight"][0, 0] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InitInvalid, match=r"INIT-007.*lm_head.weight differs from"):
        import_checkpoint(folder, tmp_path / "second.apr")
    assert not (tmp_path / "second.apr").exists()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_not_converted(
    tmp_path: Path,
    dtype: str,
    value: float,
    make_config: MakeConfig,
    make_reference: MakeReference,
) -> None:
    folder, _ = make_reference(tmp_path / "hf", make_config(), dtype=dtype)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    wanted = r"NaN or infinity in the weights:\n  model.norm.weight: 1 of 32 values"
    with pytest.raises(InitInvalid, match=wanted):
        import_checkpoint(folder, tmp_path / "model.apr")
    with pytest.raises(InitInvalid, match=wanted):
        export_checkpoint(folder, tmp_path / "export")
    assert list(tmp_path.iterdir()) == [folder]


def test_an_import_overwrites_nothing_and_takes_no_apr_file(
    tmp_path: Path, apr_path: Path, make_config: MakeConfig, make_reference: MakeReference
) -> None:
    folder, _ = make_reference(tmp_path / "hf", make_config())
    with pytest.raises(UsageError, match=r"model.apr exists; name a new file"):
        import_checkpoint(folder, apr_path)
    with pytest.raises(UsageError, match=r"model.apr is an .apr file already"):
        import_checkpoint(apr_path, tmp_path / "new.apr")


def test_a_dtype_that_is_not_for_training_is_refused_by_its_name(
    tmp_path: Path, apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    def change(found: list[Payload]) -> list[Payload]:
        kept = [payload for payload in found if payload.name != "model.norm.weight"]
        return [*kept, Payload("model.norm.weight", "APR_Q8", (32,), lambda: bytes(36))]

    with pytest.raises(InitInvalid, match=r"INIT-004.*model.norm.weight is APR_Q8: quantized"):
        export_checkpoint(rewrite_apr(apr_path, tensors=change), tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_file_that_reads_back_otherwise_is_not_left(
    tmp_path: Path,
    make_config: MakeConfig,
    make_reference: MakeReference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = make_reference(tmp_path / "hf", make_config())

    def write_other(path: Path, metadata: Any, tensors: list[Payload]) -> str:
        first, *rest = tensors
        data = bytearray(first.data())
        data[0] ^= 1
        return write_apr(
            path, metadata, [Payload(first.name, "F32", first.shape, data.copy), *rest]
        )

    monkeypatch.setattr(conversion, "write_apr", write_other)
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*read back, .* differs"):
        import_checkpoint(folder, tmp_path / "model.apr")
    assert list(tmp_path.iterdir()) == [folder]


def test_an_export_can_be_read_by_whoever_reads_its_neighbours(
    tmp_path: Path, apr_path: Path
) -> None:
    export_checkpoint(apr_path, tmp_path / "export")
    modes = {file.stat().st_mode for file in (tmp_path / "export").iterdir()}
    assert len(modes) == 1


def test_an_import_does_not_replace_a_link_to_nowhere(tmp_path: Path) -> None:
    output = tmp_path / "out.apr"
    output.symlink_to("nowhere")
    with pytest.raises(UsageError, match=r"APR-CLI-001.*out.apr exists"):
        import_checkpoint(tmp_path, output)
    assert output.is_symlink()

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pv_trainer import error_ids
from pv_trainer.checkpoints.saving import save_huggingface
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.apr_writer import Payload
from pv_trainer.formats.checkpoint import TensorInfo, open_checkpoint


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


@pytest.fixture
def folder(
    tmp_path: Path, make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> Path:
    path = tmp_path / "huggingface"
    save_huggingface(path, make_model(make_config()))
    return path


@pytest.fixture
def sharded(
    tmp_path: Path,
    make_config: Callable[..., ModelConfig],
    make_reference: Callable[..., tuple[Path, Any]],
) -> Path:
    path, _ = make_reference(tmp_path / "sharded", make_config(), shard_size="20KB")
    return path


def test_an_apr_file_gives_its_metadata_and_tensors(apr_path: Path) -> None:
    checkpoint = open_checkpoint(apr_path)
    assert (checkpoint.kind, checkpoint.files) == ("apr", (apr_path,))
    assert checkpoint.metadata["hidden_size"] == 32
    assert checkpoint.tensors["model.norm.weight"] == TensorInfo("F32", (32,))
    assert checkpoint.read("model.norm.weight").shape == (32,)


def test_a_single_safetensors_file_has_its_configuration_beside_it(folder: Path) -> None:
    checkpoint = open_checkpoint(folder / "model.safetensors")
    assert (checkpoint.kind, checkpoint.metadata_place) == ("safetensors", "config.json")
    assert checkpoint.metadata["model_type"] == "qwen2"


def test_a_single_safetensors_file_can_carry_its_configuration(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    alone = folder.parent / "alone.safetensors"
    strings = {k: v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
    save_file(load_file(folder / "model.safetensors"), alone, metadata=strings)
    checkpoint = open_checkpoint(alone)
    assert checkpoint.metadata_place == "__metadata__"
    assert checkpoint.metadata == config


def test_a_single_safetensors_file_without_configuration_is_refused(folder: Path) -> None:
    alone = folder.parent / "alone.safetensors"
    shutil.copy(folder / "model.safetensors", alone)
    with pytest.raises(InitInvalid, match=r"INIT-005.*no config\.json beside it"):
        open_checkpoint(alone)


def test_every_kind_gives_the_same_tensors(folder: Path, apr_path: Path) -> None:
    opened = [
        open_checkpoint(path) for path in (folder, folder / "model.safetensors", apr_path)
    ]
    names = sorted(opened[0].tensors)
    assert [sorted(checkpoint.tensors) for checkpoint in opened] == [names] * 3
    for name in names:
        one, *others = (checkpoint.read(name) for checkpoint in opened)
        assert all(torch.equal(one, other) for other in others), name


def test_a_tensor_that_was_read_stays_when_the_file_changes(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensor = open_checkpoint(folder).read("model.norm.weight")
    before, size = tensor.clone(), path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(size))
    assert torch.equal(tensor, before)


def test_shards_are_read_as_one_checkpoint(sharded: Path) -> None:
    checkpoint = open_checkpoint(sharded)
    assert len(checkpoint.files) > 3
    tensors = {n: t for file in checkpoint.files for n, t in load_file(file).items()}
    assert tensors.keys() == checkpoint.tensors.keys()
    assert all(torch.equal(checkpoint.read(name), tensors[name]) for name in tensors)


@pytest.mark.parametrize("change", ["missing", "unlisted", "elsewhere"])
def test_an_index_that_differs_from_its_shards_is_refused(sharded: Path, change: str) -> None:
    path = sharded / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    weights = index["weight_map"]
    if change == "missing":
        weights["model.ghost.weight"] = weights["model.norm.weight"]
    if change == "unlisted":
        del weights["model.layers.0.self_attn.k_proj.bias"]
    if change == "elsewhere":
        weights["model.norm.weight"] = weights["model.embed_tokens.weight"]
    path.write_text(json.dumps(index))
    wanted = {
        "missing": "model.ghost.weight is not in",
        "unlisted": "k_proj.bias in .* is not listed",
        "elsewhere": "model.norm.weight is not in",
    }
    with pytest.raises(InitInvalid, match=rf"INIT-007(.|\n)*{wanted[change]}"):
        open_checkpoint(sharded)


@pytest.mark.parametrize(
    "file", ["../secret.safetensors", "/etc/passwd", "", 3, "a/b", "..", "a\0b", "a" * 5000]
)
def test_an_index_cannot_point_out_of_its_folder(sharded: Path, file: object) -> None:
    path = sharded / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"model.norm.weight": file}}))
    with pytest.raises(InitInvalid, match=r"INIT-005.*not a file's name") as caught:
        open_checkpoint(sharded)
    assert len(caught.value.what) < len(str(path)) + 200


def test_an_index_of_too_many_names_is_not_listed_to_its_end(sharded: Path) -> None:
    path = sharded / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    shard = next(iter(index["weight_map"].values()))
    index["weight_map"] |= {f"ghost.{n}": shard for n in range(5000)}
    path.write_text(json.dumps(index))
    with pytest.raises(InitInvalid, match=r"INIT-007(.|\n)*\n  and 4,000 more") as caught:
        open_checkpoint(sharded)
    assert caught.value.what.count("\n") == 1001


def test_a_missing_shard_is_refused_by_its_name(sharded: Path) -> None:
    shard = sorted(sharded.glob("model-*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(InitInvalid, match=rf"INIT-003.*{shard.name}: no such file"):
        open_checkpoint(sharded)


@pytest.mark.parametrize(
    ("there", "pipe"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors"),
        ("model.safetensors", "model.safetensors.index.json"),
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_refused_without_waiting(
    folder: Path, there: str, pipe: str
) -> None:
    (folder / there).unlink()
    os.mkfifo(folder / pipe)
    with pytest.raises(InitInvalid, match=r"INIT-011.*is no regular file"):
        open_checkpoint(folder)


def test_two_sets_of_weights_in_one_folder_are_refused(sharded: Path) -> None:
    shutil.copy(next(sharded.glob("model-*.safetensors")), sharded / "model.safetensors")
    with pytest.raises(InitInvalid, match=r"INIT-004.*which one is meant is unknown"):
        open_checkpoint(sharded)


def test_a_folder_without_configuration_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(InitInvalid, match=r"INIT-005.*there is no config\.json"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "metadata is not JSON"),
        ("[1]", "a JSON list, not an object"),
        ("{" * 100_000, "metadata is not JSON"),
        ('{"hidden_size": 1, "hidden_size": 2}', "'hidden_size' has two values"),
    ],
)
def test_a_configuration_that_is_no_object_is_refused(
    folder: Path, text: str, message: str
) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(InitInvalid, match=rf"INIT-005.*config\.json: .*{message}"):
        open_checkpoint(folder)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InitInvalid, match=r"INIT-004.*neither model\.safetensors nor"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("suffix", ["bin", "pt", "pth", "pkl"])
def test_a_pickle_is_refused_with_the_reason(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pytorch_model.{suffix}"
    path.write_bytes(b"\x80\x04K\x01.")
    for opened in (path, tmp_path):
        with pytest.raises(InitInvalid, match=r"INIT-004.*a pickle can run code.*; convert it"):
            open_checkpoint(opened)


@pytest.mark.parametrize("name", ["a.apr", "a.safetensors", "a.pt", "a"])
def test_a_path_where_nothing_is_has_an_id_of_its_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(InitInvalid, match=r"INIT-003.*no such file"):
        open_checkpoint(tmp_path / name)


def test_a_loop_of_links_is_a_read_error(tmp_path: Path) -> None:
    path = tmp_path / "loop.apr"
    path.symlink_to(path)
    with pytest.raises(InitInvalid, match=r"INIT-011.*cannot be read"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("keep", "error_id"),
    [
        (0, error_ids.INIT_FORMAT),
        (5, error_ids.INIT_READ),
        (8, error_ids.INIT_READ),
        (500, error_ids.INIT_READ),
        (-1, error_ids.INIT_READ),
    ],
)
def test_a_truncated_safetensors_file_is_refused(
    folder: Path, keep: int, error_id: str
) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InitInvalid, match=r"model\.safetensors") as caught:
        open_checkpoint(folder)
    assert caught.value.id == error_id


def test_a_file_of_something_else_is_no_safetensors_file(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 200)
    with pytest.raises(InitInvalid, match=r"INIT-004.*not a safetensors file"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("dtype", "size", "message"),
    [
        ("Q4_K", 144, "norm.weight is Q4_K: quantized, not for training"),
        ("F64", 2048, "norm.weight is F64: not for training"),
    ],
)
def test_a_dtype_that_float32_cannot_hold_is_not_read(
    apr_path: Path, rewrite_apr: Callable[..., Path], dtype: str, size: int, message: str
) -> None:
    def change(found: list[Payload]) -> list[Payload]:
        kept = [payload for payload in found if payload.name != "model.norm.weight"]
        return [*kept, Payload("model.norm.weight", dtype, (256,), lambda: bytes(size))]

    checkpoint = open_checkpoint(rewrite_apr(apr_path, tensors=change))
    with pytest.raises(InitInvalid, match=rf"INIT-004.*{message}"):
        checkpoint.read("model.norm.weight")


def test_verifying_finds_a_changed_value(apr_path: Path) -> None:
    checkpoint = open_checkpoint(apr_path)
    checkpoint.verify()
    data = bytearray(apr_path.read_bytes())
    data[-100] ^= 1
    apr_path.write_bytes(data)
    os.utime(apr_path, ns=(0, 0))  # the clock of a file system is coarse
    with pytest.raises(InitInvalid, match="INIT-011"):
        checkpoint.verify()
    with pytest.raises(InitInvalid, match=r"INIT-011.*the footer says checksum"):
        open_checkpoint(apr_path).verify()


def test_opening_an_apr_file_imports_neither_torch_nor_numpy(apr_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path\n"
        "from pv_trainer.checkpoints.inspection import inspect_checkpoint\n"
        "assert inspect_checkpoint(Path(sys.argv[1]))['trainable']\n"
        "print(sorted({'torch', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(apr_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["a" * 257, "é" * 129, "a\x1b[31m"])
def test_a_tensor_name_that_no_apr_file_could_hold_is_refused(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_file({name: torch.zeros(1)}, path, metadata={"model_type": "llama"})
    with pytest.raises(InitInvalid, match=r"INIT-004.*control characters, or more than 256"):
        open_checkpoint(path)

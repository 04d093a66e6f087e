from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import huggingface_config, save_apr, save_huggingface
from pv_trainer.data.tokenizer import read_tokenizer
from pv_trainer.errors import CheckpointFailed, UsageError
from pv_trainer.formats.apr_reader import verify


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder

    MakeConfig = Callable[..., ModelConfig]
    MakeModel = Callable[..., Decoder]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_the_reference_library_loads_an_export_and_gives_the_same_logits(
    *, tmp_path: Path, family: str, tied: bool, make_config: MakeConfig, make_model: MakeModel
) -> None:
    import transformers

    config = make_config(family, tie_word_embeddings=tied, rope_theta=5000.0)
    model = make_model(config)
    save_huggingface(tmp_path / "export", model)
    loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "export", output_loading_info=True
    )
    theirs, info = loaded
    assert not any(info.values()), info
    ids_BT = torch.randint(
        config.vocab_size, (2, 50), generator=torch.Generator().manual_seed(2)
    )
    with torch.no_grad():
        ours, expected = model(ids_BT), theirs.eval()(ids_BT).logits
    assert (ours - expected).abs().max() <= 1e-4
    assert F.cosine_similarity(ours.flatten(), expected.flatten(), dim=0) >= 0.9999


@pytest.mark.parametrize("tied", [True, False])
def test_a_chain_of_saves_and_loads_changes_no_bit(
    *, tmp_path: Path, tied: bool, make_config: MakeConfig, make_model: MakeModel
) -> None:
    model = make_model(make_config(tie_word_embeddings=tied))
    save_apr(tmp_path / "1.apr", model, {})
    second, _, _ = load_model(tmp_path / "1.apr")
    save_huggingface(tmp_path / "2", second)
    third, _, _ = load_model(tmp_path / "2")
    save_apr(tmp_path / "3.apr", third, {})
    assert (tmp_path / "1.apr").read_bytes() == (tmp_path / "3.apr").read_bytes()


def test_a_tied_head_is_on_disk_once(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    model = make_model(make_config())
    save_apr(tmp_path / "model.apr", model, {})
    save_huggingface(tmp_path / "folder", model)
    assert "lm_head.weight" not in verify(tmp_path / "model.apr").entries
    assert "lm_head.weight" not in load_file(tmp_path / "folder" / "model.safetensors")


def test_the_digest_is_that_of_the_file(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    path = tmp_path / "model.apr"
    digest = save_apr(path, make_model(make_config()), {"run_id": "r1"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_extra_metadata_is_kept_and_cannot_override_the_architecture(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    path = tmp_path / "model.apr"
    extra = {"run_id": "r1", "license": "MIT", "hidden_size": 7}
    save_apr(path, make_model(make_config()), extra)
    metadata = verify(path).metadata
    assert (metadata["run_id"], metadata["license"]) == ("r1", "MIT")
    assert metadata["hidden_size"] == 32


def test_the_keys_that_are_always_written_are_null_if_unknown(apr_path: Path) -> None:
    metadata = verify(apr_path).metadata
    assert metadata["name"] == "small"
    for key in ("description", "author", "license", "data_source", "data_license"):
        assert metadata[key] is None


def test_saving_replaces_an_older_checkpoint_in_one_step(
    apr_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    save_apr(apr_path, make_model(make_config(), seed=9), {})
    assert list(apr_path.parent.iterdir()) == [apr_path]
    assert verify(apr_path).metadata["name"] is None


@pytest.mark.parametrize("extra", [{"loss": float("nan")}, {"when": object()}])
def test_metadata_that_is_not_json_is_refused_and_nothing_is_written(
    tmp_path: Path, extra: dict[str, Any], make_config: MakeConfig, make_model: MakeModel
) -> None:
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*model\.apr: cannot be written"):
        save_apr(tmp_path / "model.apr", make_model(make_config()), extra)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_of_the_checkpoint(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*cannot be written: .*No such file"):
        save_apr(tmp_path / "none" / "model.apr", make_model(make_config()), {})


def test_an_export_holds_configuration_weights_and_tokenizer(
    tmp_path: Path, tokenizer_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    info = read_tokenizer(Path(shutil.copy(tokenizer_path, tmp_path / "some.json")))
    folder = tmp_path / "a" / "export"
    digests = save_huggingface(folder, make_model(make_config()), info)
    assert (folder / "tokenizer.json").read_bytes() == tokenizer_path.read_bytes()
    assert json.loads((folder / "config.json").read_text())["eos_token_id"] == info.eos_id
    assert digests == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()
    }
    assert sorted(digests) == [
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["export"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_export_overwrites_nothing(
    tmp_path: Path, kind: str, make_config: MakeConfig, make_model: MakeModel
) -> None:
    target = tmp_path / "export"
    held = target if kind == "file" else target / "mine.txt"
    held.parent.mkdir(exist_ok=True)
    held.write_text("precious")
    with pytest.raises(UsageError, match=r"APR-CLI-001.*exists and is not empty"):
        save_huggingface(target, make_model(make_config()))
    assert held.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


def test_an_empty_folder_can_be_exported_into(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    (tmp_path / "export").mkdir()
    assert save_huggingface(tmp_path / "export", make_model(make_config()))


def test_an_export_that_fails_leaves_nothing(
    tmp_path: Path, tokenizer_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    gone = Path(shutil.copy(tokenizer_path, tmp_path / "gone.json"))
    info = read_tokenizer(gone)
    gone.unlink()
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*cannot be written"):
        save_huggingface(tmp_path / "export", make_model(make_config()), info)
    assert list(tmp_path.iterdir()) == []


def test_rope_theta_is_written_in_both_places(make_config: MakeConfig) -> None:
    written = huggingface_config(make_config(rope_theta=7.0), None)
    assert written["rope_theta"] == written["rope_parameters"]["rope_theta"] == 7.0

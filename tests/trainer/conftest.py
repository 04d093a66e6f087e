"""Small models and checkpoints for the tests of the trainer."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import torch

from pv_trainer.checkpoints.saving import save_apr
from pv_trainer.data import embedded_corpus
from pv_trainer.data.documents import make_document
from pv_trainer.data.encode import SplitShare, encode_corpus
from pv_trainer.data.split_writer import EncodeOptions
from pv_trainer.data.tokenizer import train_bpe
from pv_trainer.formats import apr_reader
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.model.config import SHAPES, ModelConfig
from pv_trainer.model.decoder import Decoder


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class RewriteApr(Protocol):
    """Write a changed copy of an .apr file beside it."""

    def __call__(
        self,
        path: Path,
        *,
        metadata: Callable[[dict[str, Any]], dict[str, Any]] = ...,
        tensors: Callable[[list[Payload]], Iterable[Payload]] = ...,
    ) -> Path: ...


def small_config(family: str = "qwen2", **changes: Any) -> ModelConfig:
    small = {
        "vocab_size": 96,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "head_dim": 8,
        "max_position_embeddings": 64,
    }
    return replace(SHAPES[f"tiny-{family}"], **(small | changes))


def perturbed_model(config: ModelConfig, seed: int = 0) -> Decoder:
    """No parameter is zero or one: a bias or a norm that gets lost shows."""
    model = Decoder(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        mean = 1.0 if name.endswith("norm.weight") else 0.0
        parameter.data = torch.normal(mean, 0.1, parameter.shape, generator=generator)
    return model


def rewritten_apr(
    path: Path,
    *,
    metadata: Callable[[dict[str, Any]], dict[str, Any]] = lambda found: found,
    tensors: Callable[[list[Payload]], Iterable[Payload]] = lambda found: found,
) -> Path:
    file = apr_reader.verify(path)
    payloads = []
    for name, entry in file.entries.items():
        data = bytearray(entry.size)
        apr_reader.read_into(file, name, memoryview(data))
        payloads.append(Payload(name, entry.dtype, entry.shape, data.copy))
    changed = path.with_name(f"changed-{path.name}")
    write_apr(changed, metadata(dict(file.metadata)), tensors(payloads))
    return changed


def reference_model(config: ModelConfig) -> Any:
    """The reference library's model of this shape, built from its own configuration."""
    import transformers

    kind = {"qwen2": transformers.Qwen2Config, "llama": transformers.LlamaConfig}[config.family]
    sizes = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_kv_heads,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "max_position_embeddings": config.max_position_embeddings,
        "rms_norm_eps": config.rms_norm_eps,
        "tie_word_embeddings": config.tie_word_embeddings,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }
    build: Any = transformers.AutoModelForCausalLM.from_config
    return build(kind(**sizes)).eval()


def reference_folder(
    folder: Path, config: ModelConfig, *, shard_size: str = "5GB", dtype: str = "float32"
) -> tuple[Path, Any]:
    """A directory written by the reference library, and its model with perturbed weights."""
    model = reference_model(config)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.normal(0.0, 0.1, parameter.shape, generator=generator))
    model = model.to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard_size)
    return folder, model.float()


@pytest.fixture
def make_reference_model() -> Callable[[ModelConfig], Any]:
    return reference_model


@pytest.fixture
def make_reference() -> Callable[..., tuple[Path, Any]]:
    return reference_folder


@pytest.fixture
def make_config() -> Callable[..., ModelConfig]:
    return small_config


@pytest.fixture
def make_model() -> Callable[..., Decoder]:
    return perturbed_model


@pytest.fixture
def rewrite_apr() -> RewriteApr:
    return rewritten_apr


@pytest.fixture
def apr_path(tmp_path: Path) -> Path:
    """A small tied Qwen2 checkpoint."""
    path = tmp_path / "model.apr"
    save_apr(path, perturbed_model(small_config()), {"name": "small"})
    return path


VOCABULARY = 320


def made_up_texts(count: int, seed: int = 0) -> list[str]:
    """Texts of made-up words with a grammar of sorts: any two differ, and all compress."""
    generator = random.Random(seed)
    words = [
        "".join(generator.choices("abcdeiou", k=generator.randint(2, 7))) for _ in range(90)
    ]
    texts = []
    for number in range(count):
        lines = [" ".join(generator.choices(words, k=12)) + ".\n" for _ in range(24)]
        texts.append(f"# text {number} — ünïcode\n" + "".join(lines))
    return texts


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return made_up_texts(40)


@pytest.fixture(scope="session")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """A tokenizer.json of 320 ids, the end-of-text token among them."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(train_bpe(texts, VOCABULARY))
    return path


@pytest.fixture(scope="session")
def dataset_path(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], tokenizer_path: Path
) -> Path:
    """A dataset with a held-out split inside; read-only for the tests."""
    output = tmp_path_factory.mktemp("data") / "dataset"
    splits = (SplitShare("train", 0.75, "."), SplitShare("val", 0.25, "val"))
    documents = [make_document(text) for text in texts]
    encode_corpus(documents, tokenizer_path, output, splits, EncodeOptions(shard_tokens=3000))
    return output


@pytest.fixture
def dataset_copy(dataset_path: Path, tmp_path: Path) -> Path:
    """A dataset that a test may alter."""
    return Path(shutil.copytree(dataset_path, tmp_path / "dataset"))


@pytest.fixture(scope="session")
def init_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a few rows more than the tokenizer has ids."""
    path = tmp_path_factory.mktemp("init") / "init.apr"
    model = Decoder(small_config(vocab_size=VOCABULARY + 8))
    model.init_weights(torch.Generator().manual_seed(1))
    save_apr(path, model, {})
    return path


@pytest.fixture
def short_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the standard library that still gives 4,096 ids in each split's reach."""
    documents = sorted(embedded_corpus.standard_library(), key=lambda d: d.sha256)[::6]
    monkeypatch.setattr(embedded_corpus, "standard_library", lambda: tuple(documents))

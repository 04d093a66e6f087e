"""The embedded model: pretrained once on the embedded corpus, so that nothing is downloaded."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from pv_trainer.content_cache import build_once, content_key, module_digest
from pv_trainer.data.embedded_corpus import EmbeddedCorpus, build_corpus
from pv_trainer.data.manifest import read_manifest
from pv_trainer.model.config import SHAPES


if TYPE_CHECKING:
    from pathlib import Path

LOG: Final = logging.getLogger("pv_trainer")

SHAPE: Final = "tiny-qwen2"

_MODULES: Final = (
    "data/batches",
    "data/window_order",
    "model/decoder",
    "model/loss",
    "training/adamw",
    "training/optimizer",
    "training/schedule",
    "training/update",
)
"""The modules whose code, beside recipe, shape and tokens, decides the pretrained weights."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the embedded model is pretrained.

    The cosine's horizon lies beyond the last step: the rate is still high at the end, as where
    a longer pretraining is broken off, and a fine-tune at a low rate has something to gain.
    """

    num_steps: int = 500
    horizon: int = 750
    batch_size: int = 16
    seq_length: int = 128
    lr: float = 4e-3
    warmup_steps: int = 100
    seed: int = 42
    threads: int = 1


RECIPE: Final = Recipe()


@dataclass(frozen=True, slots=True)
class Embedded:
    """The corpus and the model that was pretrained on it."""

    key: str
    corpus: EmbeddedCorpus
    checkpoint: Path

    def to_json(self) -> dict[str, Any]:
        """The keys, and under `parts` the path of each part, as strings."""
        corpus = {name: str(value) for name, value in asdict(self.corpus).items()}
        corpus_key = corpus.pop("key")
        parts = {"checkpoint": str(self.checkpoint), **corpus}
        return {"key": self.key, "corpus_key": corpus_key, "parts": parts}


def build_embedded(cache: Path, recipe: Recipe = RECIPE) -> Embedded:
    """The corpus and the pretrained model, from the cache or built into it.

    Building takes about a minute; finding what is built imports no torch.

    Raises:
        OSError: the cache can't be written.
        AprError: as training; nothing is left in the cache then.
    """
    corpus = build_corpus(cache)
    key = model_key(corpus, recipe)
    final = cache / f"model-{key}"
    build_once(final, lambda folder: _write_model(folder, corpus, recipe))
    return Embedded(key, corpus, final / "embedded.apr")


def model_key(corpus: EmbeddedCorpus, recipe: Recipe) -> str:
    """What the pretrained weights depend on, as 16 hex digits.

    Of the corpus only the tokens count: encoding the same tokens anew keeps the model.
    """
    splits = (read_manifest(folder)[0] for folder in (corpus.pretrain, corpus.val))
    return content_key(
        {
            "shards": [[shard.sha256 for shard in split.shards] for split in splits],
            "recipe": asdict(recipe),
            "shape": asdict(SHAPES[SHAPE]),
            "torch": metadata.version("torch"),
            "modules": [module_digest(name) for name in _MODULES],
        }
    )


def _write_model(folder: Path, corpus: EmbeddedCorpus, recipe: Recipe) -> None:
    LOG.info("pretraining the embedded model, about a minute")
    import torch  # noqa: PLC0415 - finding what is built must not import it

    from pv_trainer.training.loop import run_training  # noqa: PLC0415 - as torch
    from pv_trainer.training.options import PretrainOptions  # noqa: PLC0415 - as torch
    from pv_trainer.training.preflight import preflight  # noqa: PLC0415 - as torch

    options = PretrainOptions(
        dataset=corpus.pretrain,
        val_shard=corpus.val,
        config=SHAPE,
        mode="from-scratch",
        lr=recipe.lr,
        warmup_steps=recipe.warmup_steps,
        target_val_loss=0.0,
        num_steps=recipe.num_steps,
        batch_size=recipe.batch_size,
        seq_length=recipe.seq_length,
        steps_per_epoch=recipe.num_steps,
        seed=recipe.seed,
        device="cpu",
        horizon=recipe.horizon,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        run_training(preflight(options), folder / "run")
    finally:
        torch.set_num_threads(threads)
    (folder / "run" / "ckpt" / "epoch-000.apr").rename(folder / "embedded.apr")

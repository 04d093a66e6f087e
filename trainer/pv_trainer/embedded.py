"""The embedded default: the standard library as a corpus, a tokenizer, a pretrained model.

Nothing is downloaded. Both parts are keyed by content, built in a temporary folder and renamed,
so that a cache entry is whole or absent, whoever else builds or is killed meanwhile.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import logging
import shutil
import sysconfig
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pv_trainer.atomic import sync_folder, temporary_sibling
from pv_trainer.data.encode import (
    Document,
    EncodeOptions,
    SplitShare,
    encode_corpus,
    make_document,
)
from pv_trainer.data.shards import read_manifest
from pv_trainer.data.splits import split_of
from pv_trainer.data.tokenizer import train_bpe
from pv_trainer.model.config import SHAPES


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOG: Final = logging.getLogger("pv_trainer")

SPLITS: Final = (
    SplitShare("pretrain", 0.7, "pretrain"),
    SplitShare("finetune", 0.2, "finetune"),
    SplitShare("val", 0.1, "val"),
)
SHAPE: Final = "tiny-qwen2"

_LEFT_OUT: Final = frozenset(
    {
        *("site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"),
        *("turtledemo", "__pycache__"),
        # Tables of code points and generated text: long, and no source that a person wrote.
        *("encodings", "pydoc_data"),
    }
)
_CORPUS_MODULES: Final = ("data/encode", "data/shards", "data/tokenizer")
_MODULES: Final = (
    "data/batches",
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
class EmbeddedCorpus:
    """The three splits, disjoint by document, and their tokenizer."""

    key: str
    tokenizer: Path
    pretrain: Path
    finetune: Path
    val: Path


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


def build_corpus(cache: Path) -> EmbeddedCorpus:
    """The corpus and tokenizer of this Python, from the cache or built into it.

    Raises:
        OSError: the cache can't be written.
    """
    documents = standard_library()
    key = corpus_key(documents)
    final = cache / f"corpus-{key}"
    if not final.is_dir():
        with _lock(cache):
            if not final.is_dir():
                _build(final, lambda folder: _write_corpus(folder, documents))
    splits = {split.name: final / "splits" / split.folder for split in SPLITS}
    return EmbeddedCorpus(key=key, tokenizer=final / "tokenizer.json", **splits)


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
    if not final.is_dir():
        with _lock(cache):
            if not final.is_dir():
                LOG.info("pretraining the embedded model, about a minute")
                _build(final, lambda folder: _write_model(folder, corpus, recipe))
    return Embedded(key, corpus, final / "embedded.apr")


def standard_library() -> tuple[Document, ...]:
    """The source files of this Python's standard library, sorted by path, as documents."""
    root = Path(sysconfig.get_path("stdlib"))
    files = (
        file
        for file in sorted(root.rglob("*.py"))
        if not _LEFT_OUT.intersection(file.relative_to(root).parts)
        and not file.name.startswith("_sysconfigdata")
    )
    # A file that is not UTF-8 declares so; in the standard library these are test data.
    return tuple(make_document(file.read_text(encoding="utf-8")) for file in files)


def corpus_key(documents: Sequence[Document]) -> str:
    """What the corpus and its tokens depend on, as 16 hex digits."""
    return _key(
        {
            "documents": [document.sha256 for document in documents],
            "splits": [asdict(split) for split in SPLITS],
            "vocab_size": SHAPES[SHAPE].vocab_size,
            "tokenizers": metadata.version("tokenizers"),
            "modules": [module_digest(name) for name in _CORPUS_MODULES],
        }
    )


def model_key(corpus: EmbeddedCorpus, recipe: Recipe) -> str:
    """What the pretrained weights depend on, as 16 hex digits.

    Of the corpus only the tokens count: encoding the same tokens anew keeps the model.
    """
    splits = (read_manifest(folder)[0] for folder in (corpus.pretrain, corpus.val))
    return _key(
        {
            "shards": [[shard.sha256 for shard in split.shards] for split in splits],
            "recipe": asdict(recipe),
            "shape": asdict(SHAPES[SHAPE]),
            "torch": metadata.version("torch"),
            "modules": [module_digest(name) for name in _MODULES],
        }
    )


def module_digest(name: str) -> str:
    """The sha256 of a module's syntax tree: comments, docstrings and layout do not count."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            node.body = [n for n in node.body if not _is_string(n)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_string(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _write_corpus(folder: Path, documents: Sequence[Document]) -> None:
    shares = {split.name: split.share for split in SPLITS}
    seen = (d.text for d in documents if split_of(d.sha256, shares) == "pretrain")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(train_bpe(seen, SHAPES[SHAPE].vocab_size), encoding="utf-8")
    encode_corpus(documents, tokenizer, folder / "splits", SPLITS, EncodeOptions())


def _write_model(folder: Path, corpus: EmbeddedCorpus, recipe: Recipe) -> None:
    import torch  # noqa: PLC0415 - finding what is built must not import it

    from pv_trainer.training.loop import run_training  # noqa: PLC0415
    from pv_trainer.training.preflight import PretrainOptions, preflight  # noqa: PLC0415

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


def _build(final: Path, write: Any) -> None:
    temporary = temporary_sibling(final)
    temporary.mkdir()
    try:
        write(temporary)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(final.parent)


@contextmanager
def _lock(cache: Path) -> Iterator[None]:
    """Hold the cache for building; a process that is killed lets go of it."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left_over in cache.glob(".*.tmp"):
            shutil.rmtree(left_over, ignore_errors=True)
        yield


def _key(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

"""The embedded corpus: the standard library of this Python, split, with a tokenizer.

Nothing is downloaded.
"""

from __future__ import annotations

import sysconfig
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pv_trainer.content_cache import build_once, content_key, module_digest
from pv_trainer.data.documents import Document, make_document
from pv_trainer.data.encode import SplitShare, encode_corpus
from pv_trainer.data.split_writer import EncodeOptions
from pv_trainer.data.splits import split_of
from pv_trainer.data.tokenizer import train_bpe


if TYPE_CHECKING:
    from collections.abc import Sequence

VOCABULARY: Final = 4096
"""The ids of the embedded tokenizer."""
SPLITS: Final = (
    SplitShare("pretrain", 0.7, "pretrain"),
    SplitShare("finetune", 0.2, "finetune"),
    SplitShare("val", 0.1, "val"),
)
_LEFT_OUT: Final = frozenset(
    {
        *("site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"),
        *("turtledemo", "__pycache__"),
        # Tables of code points and generated text: long, and no source that a person wrote.
        *("encodings", "pydoc_data"),
    }
)
_MODULES: Final = (
    "data/documents",
    "data/encode",
    "data/encoding",
    "data/manifest",
    "data/shard_writer",
    "data/shards",
    "data/split_writer",
    "data/splits",
    "data/tokenizer",
)
"""The modules whose code, beside the documents, decides the tokens."""


@dataclass(frozen=True, slots=True)
class EmbeddedCorpus:
    """The three splits, disjoint by document, and their tokenizer."""

    key: str
    tokenizer: Path
    pretrain: Path
    finetune: Path
    val: Path


def build_corpus(cache: Path) -> EmbeddedCorpus:
    """The corpus and tokenizer of this Python, from the cache or built into it.

    Raises:
        OSError: the cache can't be written.
    """
    documents = standard_library()
    key = corpus_key(documents)
    final = cache / f"corpus-{key}"
    build_once(final, lambda folder: _write_corpus(folder, documents))
    splits = {split.name: final / "splits" / split.folder for split in SPLITS}
    return EmbeddedCorpus(key=key, tokenizer=final / "tokenizer.json", **splits)


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
    return content_key(
        {
            "documents": [document.sha256 for document in documents],
            "splits": [asdict(split) for split in SPLITS],
            "vocab_size": VOCABULARY,
            "tokenizers": metadata.version("tokenizers"),
            "modules": [module_digest(name) for name in _MODULES],
        }
    )


def _write_corpus(folder: Path, documents: Sequence[Document]) -> None:
    shares = {split.name: split.share for split in SPLITS}
    seen = (d.text for d in documents if split_of(d.sha256, shares) == "pretrain")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(train_bpe(seen, VOCABULARY), encoding="utf-8")
    encode_corpus(documents, tokenizer, folder / "splits", SPLITS, EncodeOptions())

"""One folder of shards while its documents are being encoded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.corpus_gates import DEFAULT_THRESHOLDS, Thresholds, expected_eos
from pv_trainer.data.manifest import EosPolicy, Manifest, write_manifest
from pv_trainer.data.shard_writer import DTYPE, ShardWriter
from pv_trainer.data.shards import DOCUMENTS, SAMPLES, Sample
from pv_trainer.errors import DataInvalid
from pv_trainer.version import installed_version


if TYPE_CHECKING:
    from pathlib import Path

    from pv_trainer.data.documents import Document
    from pv_trainer.data.encoding import Encoded
    from pv_trainer.data.tokenizer import TokenizerInfo

SAMPLE_COUNT: Final = 16


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How text becomes shards."""

    shard_tokens: int = 10_000_000
    eos_policy: EosPolicy = "after"
    seed: int = 0
    """Another seed holds out other documents."""
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    workers: int = 1
    """Processes; no byte of the result depends on it."""


class SplitWriter:
    """Writes one folder: tokens, digests and samples as they come, the manifest at the end."""

    def __init__(
        self, name: str, folder: Path, info: TokenizerInfo, options: EncodeOptions
    ) -> None:
        self.documents = 0
        self._name, self._folder, self._info, self._options = name, folder, info, options
        self._writer = ShardWriter(folder, options.shard_tokens)
        self._digests = (folder / DOCUMENTS).open("xb")
        self._digests_sha256, self._corpus = hashlib.sha256(), hashlib.sha256()
        self._lowest: list[str] = []
        self._samples: dict[str, Sample] = {}
        self._eos = np.asarray([info.eos_id or 0], dtype=DTYPE)

    @property
    def tokens(self) -> int:
        """The tokens so far."""
        return self._writer.total

    def wants_sample(self, document: Document) -> bool:
        """Whether the document is one of those with the lowest digests so far.

        To be asked of every document once, in order; equal documents count as one.
        """
        digest = document.sha256
        full = len(self._lowest) == SAMPLE_COUNT
        if not document.text or digest in self._lowest or (full and digest > self._lowest[-1]):
            return False
        self._lowest = sorted([*self._lowest, digest])[:SAMPLE_COUNT]
        return True

    def add(self, document: Document, encoded: Encoded) -> None:
        """Append a document.

        Raises:
            OSError: the disk is full, or the folder can't be written.
        """
        policy = self._options.eos_policy
        if policy == "between" and self.documents:
            self._writer.add(self._eos)
        if encoded.window is not None:
            start = self._writer.total + encoded.window.start
            sample = Sample(start, encoded.window.tokens, encoded.window.text)
            self._samples[document.sha256] = sample
        self._writer.add(np.frombuffer(encoded.ids, dtype=DTYPE))
        if policy == "after":
            self._writer.add(self._eos)
        line = f"{document.sha256}\n".encode()
        self._digests.write(line)
        self._digests_sha256.update(line)
        self._corpus.update(document.text.encode())
        self.documents += 1

    def close(self) -> None:
        """Write what is left, and the manifest.

        Raises:
            DataInvalid: no document came.
            OSError: the disk is full, or the folder can't be written.
        """
        if not self.documents:
            raise DataInvalid(
                error_ids.CORPUS_DISTINCT,
                f"the split {self._name} gets no document",
                "give more documents, or another share",
            )
        shards = self._writer.close()
        self._digests.close()
        lowest = (self._samples[d] for d in self._lowest if d in self._samples)
        samples = [asdict(sample) for sample in sorted(lowest, key=lambda s: s.offset)]
        data = json.dumps(samples, indent=1).encode() + b"\n"
        (self._folder / SAMPLES).write_bytes(data)
        options, info = self._options, self._info
        write_manifest(
            self._folder,
            Manifest(
                tokenizer_sha256=info.digest,
                corpus_sha256=self._corpus.hexdigest(),
                documents_sha256=self._digests_sha256.hexdigest(),
                samples_sha256=hashlib.sha256(data).hexdigest(),
                shards=shards,
                total_tokens=self._writer.total,
                vocab_size=info.vocab_size,
                eos_policy=options.eos_policy,
                eos_token_id=info.eos_id,
                eos_token_count=expected_eos(options.eos_policy, self.documents),
                documents=self.documents,
                normalization=info.normalization,
                producer="apr tokenize encode",
                version=installed_version(),
                seed=options.seed,
                split=self._name,
            ),
        )

    def abandon(self) -> None:
        """Let go of the open files; what they hold is of no use."""
        self._writer.abandon()
        self._digests.close()

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pv_trainer.data.documents import Document, make_document
from pv_trainer.data.encode import SplitShare, encode_corpus
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.split_writer import EncodeOptions
from pv_trainer.data.splits import check_disjoint
from pv_trainer.data.tokenizer import open_tokenizer, read_tokenizer
from pv_trainer.errors import DataInvalid, UsageError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pv_trainer.data.manifest import EosPolicy

WHOLE = (SplitShare("train", 1.0, "."),)


@pytest.fixture
def documents(texts: list[str]) -> list[Document]:
    return [make_document(text) for text in texts]


@pytest.mark.parametrize("policy", ["none", "between", "after"])
def test_the_tokens_are_the_documents_in_order(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document], policy: EosPolicy
) -> None:
    output = tmp_path / "out"
    encode_corpus(documents, tokenizer_path, output, WHOLE, EncodeOptions(eos_policy=policy))
    dataset = read_dataset(output)
    tokens = dataset.read(0, dataset.manifest.total_tokens)
    tokenizer = open_tokenizer(read_tokenizer(tokenizer_path))
    text = tokenizer.decode(tokens.tolist(), skip_special_tokens=False)
    end = "" if policy == "none" else "<|endoftext|>"
    expected = end.join(document.text for document in documents)
    assert text == expected + (end if policy == "after" else "")
    assert dataset.manifest.eos_token_count == np.count_nonzero(tokens == 0)


def test_the_manifest_names_everything_by_digest(
    dataset_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    manifests = [read_dataset(path).manifest for path in (dataset_path, dataset_path / "val")]
    for path, manifest in zip((dataset_path, dataset_path / "val"), manifests, strict=True):
        listed = (path / "documents.sha256").read_text().split()
        mine = [document for document in documents if document.sha256 in listed]
        text = "".join(document.text for document in mine).encode()
        assert manifest.corpus_sha256 == hashlib.sha256(text).hexdigest()
        assert manifest.tokenizer_sha256 == read_tokenizer(tokenizer_path).digest
        assert manifest.documents == len(listed) == len(mine)
    assert sum(manifest.documents for manifest in manifests) == len(documents)


def test_equal_input_gives_equal_bytes(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    for name in ("one", "two"):
        encode_corpus(documents, tokenizer_path, tmp_path / name, WHOLE, EncodeOptions())
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [file.name for file in one] == [file.name for file in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_a_corpus_of_one_repeated_token_leaves_nothing(
    tmp_path: Path, tokenizer_path: Path
) -> None:
    bad = [make_document("a" * 5000)]
    with pytest.raises(DataInvalid, match=r"CORPUS-002\] .*/out: entropy_bits is .* >= 3.0"):
        encode_corpus(bad, tokenizer_path, tmp_path / "out", WHOLE, EncodeOptions())
    assert not list(tmp_path.iterdir())


def test_a_split_without_a_document_is_refused(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    splits = (SplitShare("train", 1.0 - 1e-12, "."), SplitShare("val", 1e-12, "val"))
    with pytest.raises(DataInvalid, match=r"the split val gets no document"):
        encode_corpus(documents, tokenizer_path, tmp_path / "out", splits, EncodeOptions())
    assert not list(tmp_path.iterdir())


def test_an_output_with_content_is_left_alone(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match=r"exists and is not empty"):
        encode_corpus(documents, tokenizer_path, tmp_path, WHOLE, EncodeOptions())
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_end_of_text_policy_needs_an_end_of_text(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    whole = json.loads(tokenizer_path.read_text()) | {"added_tokens": []}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(DataInvalid, match=r"CORPUS-006.*pass --eos-policy none"):
        encode_corpus(documents, path, tmp_path / "out", WHOLE, EncodeOptions())
    encode_corpus(documents, path, tmp_path / "out", WHOLE, EncodeOptions(eos_policy="none"))
    assert read_dataset(tmp_path / "out").manifest.eos_token_count == 0


def test_samples_are_windows_from_all_over_the_documents(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    encode_corpus(documents, tokenizer_path, tmp_path / "out", WHOLE, EncodeOptions())
    dataset = read_dataset(tmp_path / "out")
    texts = [document.text for document in documents]
    assert len(dataset.samples) == 16
    assert all(any(sample.text in text for text in texts) for sample in dataset.samples)
    inside = [s for s in dataset.samples if not any(t.startswith(s.text) for t in texts)]
    assert len(inside) > 10
    assert {sample.tokens for sample in dataset.samples} <= {60, 61, 62, 63, 64}


def test_equal_documents_are_in_one_split_and_sampled_once(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    twice = [document for document in documents for _ in range(2)]
    splits = (SplitShare("train", 0.5, "."), SplitShare("val", 0.5, "val"))
    encode_corpus(twice, tokenizer_path, tmp_path / "out", splits, EncodeOptions())
    train, val = read_dataset(tmp_path / "out"), read_dataset(tmp_path / "out" / "val")
    check_disjoint(train, val)
    assert train.manifest.documents + val.manifest.documents == len(twice)
    assert train.manifest.documents % 2 == val.manifest.documents % 2 == 0
    for dataset in (train, val):
        assert len({sample.text for sample in dataset.samples}) == len(dataset.samples)


def test_documents_are_taken_as_they_are_encoded(
    tmp_path: Path, tokenizer_path: Path, texts: list[str]
) -> None:
    """Neither the documents nor their tokens are gathered."""
    taken = encoded = furthest = 0

    def stream() -> Iterator[Document]:
        nonlocal taken
        for n in range(1200):
            taken += 1
            yield make_document(f"{n} {texts[n % len(texts)]}")

    def report(documents: int, _tokens: int) -> None:
        nonlocal encoded, furthest
        encoded, furthest = documents, max(furthest, taken - documents)

    place = (tokenizer_path, tmp_path / "out")
    encode_corpus(stream(), *place, WHOLE, EncodeOptions(), encoded=report)
    assert encoded == 1200
    assert furthest < 400


def test_an_empty_output_folder_is_filled_also_through_a_link(
    tmp_path: Path, tokenizer_path: Path, documents: list[Document]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    encode_corpus(documents, tokenizer_path, tmp_path / "link", WHOLE, EncodeOptions())
    assert (tmp_path / "link").is_symlink()
    assert read_dataset(tmp_path / "real").manifest.documents == len(documents)


def test_a_disk_that_fills_up_at_the_end_leaves_nothing(
    tmp_path: Path,
    tokenizer_path: Path,
    documents: list[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pv_trainer.atomic.sync_file", fail)
    with pytest.raises(OSError, match="No space left"):
        encode_corpus(documents, tokenizer_path, tmp_path / "out", WHOLE, EncodeOptions())
    assert not list(tmp_path.iterdir())

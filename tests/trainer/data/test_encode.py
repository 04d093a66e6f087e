from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pv_trainer.data.encode import (
    Document,
    EncodeOptions,
    SplitShare,
    encode_corpus,
    make_document,
    read_documents,
)
from pv_trainer.data.shards import EosPolicy, read_dataset
from pv_trainer.data.tokenizer import open_tokenizer, read_tokenizer
from pv_trainer.errors import DataInvalid, UsageError


if TYPE_CHECKING:
    from pathlib import Path

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
    with pytest.raises(UsageError, match=r"has content"):
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


def test_files_folders_and_lines_become_documents(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("b")
    (folder / "deep" / "a.txt").write_text("a")
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "one", "other": 1}\n\n{"text": "two"}\n')
    found = [document.text for document in read_documents([lines, folder])]
    assert found == ["one", "two", "b", "a"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.txt", b"ok \xff", "byte 3 is not UTF-8"),
        ("x.parquet", b"PAR1", r"parquet is not text; convert it to .jsonl"),
        ("x.jsonl", b'{"text": "a"}\n{"txt": 1}', 'line 2 is not {"text": "..."}'),
        ("x.jsonl", b'{"text": 5}', "line 1: text is not a string"),
        ("x.jsonl", b'"text"', "line 1 is not"),
        ("x.jsonl", rb'{"text": "\ud800"}', "line 1 is not"),
        ("x.jsonl", b"[" * 100_000, "line 1 is not"),
    ],
)
def test_a_file_that_is_not_text_is_an_error(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataInvalid) as caught:
        list(read_documents([tmp_path]))
    assert problem in str(caught.value)
    assert name in str(caught.value)


def test_a_line_ends_where_json_lines_end_it(tmp_path: Path) -> None:
    texts = ["one\u2028two\x85three", "four"]
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    (tmp_path / "x.jsonl").write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert [document.text for document in read_documents([tmp_path / "x.jsonl"])] == texts


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"none.txt: No such file"):
        list(read_documents([tmp_path / "none.txt"]))

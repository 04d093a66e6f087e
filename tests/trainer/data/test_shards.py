from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pv_trainer.data.shards import ShardWriter, read_dataset, read_manifest
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path


def change_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    kept = {name: value for name, value in manifest.items() if value is not ...}
    (folder / "manifest.json").write_text(json.dumps(kept))


def test_the_stream_is_the_shards_in_order(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    assert len(dataset.shards) > 2
    whole = np.concatenate(
        [np.fromfile(dataset_path / s.file, "<u4") for s in dataset.manifest.shards]
    )
    assert np.array_equal(dataset.read(0, len(whole)), whole)
    assert np.array_equal(dataset.read(2990, 6010), whole[2990:6010])
    assert len(whole) == dataset.manifest.total_tokens


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=30), max_size=12), st.integers(1, 25)
)
def test_no_token_is_lost_at_the_border_of_a_shard(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    writer = ShardWriter(folder, limit)
    for part in parts:
        writer.add(part)
    shards = writer.close()
    found = [n for s in shards for n in np.fromfile(folder / s.file, "<u4").tolist()]
    assert found == [n for part in parts for n in part]
    assert all(shard.tokens == limit for shard in shards[:-1])


@pytest.mark.parametrize(
    "field",
    [
        "tokenizer_sha256",
        "corpus_sha256",
        "documents_sha256",
        "shards",
        "total_tokens",
        "vocab_size",
        "eos_policy",
        "eos_token_id",
        "eos_token_count",
        "documents",
        "split",
    ],
)
def test_a_missing_field_is_named(dataset_copy: Path, field: str) -> None:
    change_manifest(dataset_copy, **{field: ...})
    with pytest.raises(DataInvalid, match=rf"CORPUS-008.*the field {field} is missing"):
        read_dataset(dataset_copy)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"surprise": 1}, "the field surprise is unknown"),
        ({"total_tokens": "12"}, "total_tokens is '12', not a whole number"),
        ({"total_tokens": 1}, "total_tokens is 1"),
        ({"documents": True}, "documents is True"),
        ({"documents": 3}, "lists 32 documents, the manifest 3"),
        ({"shards": 3}, "shards is 3, not a list"),
        ({"shards": [{"file": "../x", "sha256": "", "tokens": 1}]}, "not a plain file name"),
        ({"shards": [{"file": "x"}]}, "an entry of shards is not"),
        ({"shards": [{"file": "x", "sha256": "", "tokens": 0}]}, "tokens of x is 0"),
        ({"shards": [], "total_tokens": 0}, "holds no token"),
        ({"eos_policy": "some"}, "eos_policy 'some' is none of"),
        ({"eos_token_id": "0"}, "eos_token_id is '0'"),
        ({"documents_sha256": "0"}, "documents.sha256 has sha256"),
        ({"samples_sha256": "0"}, "samples.json has sha256"),
    ],
)
def test_a_manifest_that_does_not_match_is_refused(
    dataset_copy: Path, changes: dict[str, Any], problem: str
) -> None:
    change_manifest(dataset_copy, **changes)
    with pytest.raises(DataInvalid, match=problem):
        read_dataset(dataset_copy)


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(dataset_copy: Path, content: str) -> None:
    (dataset_copy / "manifest.json").write_text(content)
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*manifest.json"):
        read_manifest(dataset_copy)


@pytest.mark.parametrize(
    "samples",
    [[3], [{"offset": None, "tokens": 1, "text": ""}], [{"offset": 0, "text": "a"}], 7],
)
def test_malformed_samples_are_refused(dataset_copy: Path, samples: object) -> None:
    data = json.dumps(samples).encode()
    (dataset_copy / "samples.json").write_bytes(data)
    change_manifest(dataset_copy, samples_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*samples.json"):
        read_dataset(dataset_copy)


def test_one_flipped_bit_in_a_shard_is_found(dataset_copy: Path) -> None:
    file = dataset_copy / "shard-00001.bin"
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*shard-00001.bin has sha256"):
        read_dataset(dataset_copy)


def test_a_truncated_shard_is_found(dataset_copy: Path) -> None:
    file = dataset_copy / "shard-00001.bin"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(DataInvalid, match=r"has 11996 bytes, the manifest's 3000 tokens"):
        read_dataset(dataset_copy)


def test_a_missing_and_a_surplus_shard_are_found(dataset_copy: Path) -> None:
    file = dataset_copy / "shard-00001.bin"
    file.rename(dataset_copy / "shard-00099.bin")
    with pytest.raises(DataInvalid, match=r"shard-00099.bin is not in the manifest"):
        read_dataset(dataset_copy)
    (dataset_copy / "shard-00099.bin").unlink()
    with pytest.raises(DataInvalid, match=r"shard-00001.bin: No such file"):
        read_dataset(dataset_copy)


def test_an_id_that_is_not_below_the_vocabulary_is_found(dataset_copy: Path) -> None:
    change_manifest(dataset_copy, vocab_size=300)
    with pytest.raises(DataInvalid, match=r"CORPUS-009.*not below the vocabulary size 300"):
        read_dataset(dataset_copy)


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*No such file.*apr tokenize encode"):
        read_dataset(tmp_path)

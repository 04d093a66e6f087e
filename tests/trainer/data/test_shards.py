from __future__ import annotations

import hashlib
import json
import os
import shutil
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_trainer.data.shards import read_dataset
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[..., None]


def test_the_stream_is_the_shards_in_order(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    assert len(dataset.shards) > 2
    whole = np.concatenate(
        [np.fromfile(dataset_path / s.file, "<u4") for s in dataset.manifest.shards]
    )
    assert np.array_equal(dataset.read(0, len(whole)), whole)
    assert np.array_equal(dataset.read(2990, 6010), whole[2990:6010])
    assert len(whole) == dataset.manifest.total_tokens


@pytest.mark.parametrize(
    "samples",
    [
        [3],
        [{"offset": None, "tokens": 1, "text": ""}],
        [{"offset": 0, "text": "a"}],
        7,
        [{"offset": 2**50, "tokens": 1, "text": "a"}],
        [{"offset": 0, "tokens": 5000, "text": "a"}],
        [{"offset": 0, "tokens": 0, "text": ""}],
        [{"offset": 0, "tokens": 1, "text": "a"}] * 2000,
    ],
)
def test_malformed_samples_are_refused(
    dataset_copy: Path, change_manifest: Change, samples: object
) -> None:
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


def test_an_id_that_is_not_below_the_vocabulary_is_found(
    dataset_copy: Path, change_manifest: Change
) -> None:
    change_manifest(dataset_copy, vocab_size=300)
    with pytest.raises(DataInvalid, match=r"CORPUS-009.*not below the vocabulary size 300"):
        read_dataset(dataset_copy)


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*No such file.*apr tokenize encode"):
        read_dataset(tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_part_of_the_stream_is_read_across_shards(
    dataset_path: Path, data: st.DataObject
) -> None:
    dataset = read_dataset(dataset_path)
    total = dataset.manifest.total_tokens
    whole = np.concatenate(dataset.shards)
    start = data.draw(st.integers(0, total))
    stop = data.draw(st.integers(start, total))
    assert np.array_equal(dataset.read(start, stop), whole[start:stop])


def test_the_first_and_the_last_token_of_each_shard_are_read(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    whole = np.concatenate(dataset.shards)
    for end in (0, *dataset.ends):
        for start in range(max(0, end - 2), min(end + 2, len(whole)) + 1):
            for stop in range(start, min(start + 3, len(whole)) + 1):
                assert np.array_equal(dataset.read(start, stop), whole[start:stop])


@pytest.mark.parametrize(
    "listed",
    [
        "0" * 64,
        "0" * 63 + "\n",
        "A" * 64 + "\n",
        ("0" * 64 + "\r\n") * 65,
        "é" * 32 + "\n",
        "0" * 64 + "\n\n",
    ],
)
def test_a_list_of_documents_that_is_none_is_refused(
    dataset_copy: Path, change_manifest: Change, listed: str
) -> None:
    data = listed.encode()
    (dataset_copy / "documents.sha256").write_bytes(data)
    change_manifest(
        dataset_copy, documents_sha256=hashlib.sha256(data).hexdigest(), documents=1
    )
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*is not one digest of 64 hex digits"):
        read_dataset(dataset_copy)


@pytest.mark.parametrize("name", ["shard-00001.bin", "documents.sha256", "samples.json"])
def test_a_file_that_is_no_regular_one_is_refused_at_once(
    dataset_copy: Path, name: str
) -> None:
    file = dataset_copy / name
    moved = file.rename(dataset_copy / "moved")
    for make in (os.mkfifo, Path.mkdir):
        make(file)
        with pytest.raises(DataInvalid, match=rf"CORPUS-008.*{name}: "):
            read_dataset(dataset_copy)
        file.unlink() if file.is_fifo() else file.rmdir()
    file.symlink_to("/dev/zero")
    with pytest.raises(DataInvalid, match=rf"CORPUS-008.*{name}: is no regular file"):
        read_dataset(dataset_copy)
    file.unlink()
    file.symlink_to(moved)
    assert read_dataset(dataset_copy).digest


def test_a_list_of_documents_without_end_is_not_read_to_its_end(dataset_copy: Path) -> None:
    os.truncate(dataset_copy / "documents.sha256", 2**40)
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*documents.sha256 has sha256"):
        read_dataset(dataset_copy)


def test_a_lying_size_allocates_nothing(dataset_copy: Path, change_manifest: Change) -> None:
    """A shard of 4 TB that the disk does not hold, as the manifest says."""
    manifest = json.loads((dataset_copy / "manifest.json").read_text())
    first = manifest["shards"][0] | {"tokens": 2**40}
    with (dataset_copy / first["file"]).open("r+b") as file:
        file.truncate(12_000)
    change_manifest(dataset_copy, shards=[first], total_tokens=2**40)
    for other in manifest["shards"][1:]:
        (dataset_copy / other["file"]).unlink()
    tracemalloc.start()
    with pytest.raises(DataInvalid, match=r"has 12000 bytes, the manifest's 1099511627776"):
        read_dataset(dataset_copy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_a_folder_that_is_a_file_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*Not a directory"):
        read_dataset(tmp_path / "file")


FILES = ("manifest.json", "documents.sha256", "samples.json", "shard-00000.bin")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(FILES), st.data())
def test_whatever_happens_to_a_file_is_refused_or_changes_no_token(
    dataset_path: Path, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    """Bytes changed, cut out, put in: a refusal with its ID each time, never a crash."""
    copy = tmp_path / "copy"
    if not copy.exists():
        shutil.copytree(dataset_path, copy)
    original = (dataset_path / name).read_bytes()
    start = data.draw(st.integers(0, len(original)))
    stop = data.draw(st.integers(start, min(len(original), start + 9)))
    inserted = data.draw(st.binary(max_size=9))
    (copy / name).write_bytes(original[:start] + inserted + original[stop:])
    whole = np.concatenate(read_dataset(dataset_path).shards)
    found, refusal = whole, "[CORPUS-"
    try:
        found = np.concatenate(read_dataset(copy).shards)
    except DataInvalid as error:
        refusal = str(error)
    (copy / name).write_bytes(original)
    assert np.array_equal(found, whole)
    assert refusal.startswith("[CORPUS-")
    assert refusal.isprintable()

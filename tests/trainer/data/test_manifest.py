from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from pv_trainer.data.manifest import (
    Manifest,
    Shard,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from pv_trainer.data.shards import read_dataset
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[..., None]

A = "a" * 64
FIELDS = {
    *("tokenizer_sha256", "corpus_sha256", "documents_sha256", "samples_sha256", "shards"),
    *("total_tokens", "vocab_size", "eos_policy", "eos_token_id", "eos_token_count"),
    *("documents", "normalization", "producer", "version", "seed", "split"),
}


def shard(name: str, tokens: int = 1) -> dict[str, Any]:
    return {"file": name, "sha256": A, "tokens": tokens}


def test_the_fields_are_these(dataset_path: Path) -> None:
    assert json.loads((dataset_path / "manifest.json").read_text()).keys() == FIELDS


DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    counts = draw(st.lists(st.integers(1, 2**40), max_size=4))
    shards = tuple(
        Shard(f"shard-{n:05d}.bin", draw(DIGESTS), count) for n, count in enumerate(counts)
    )
    vocab_size = draw(st.integers(1, 2**24))
    return Manifest(
        tokenizer_sha256=draw(DIGESTS),
        corpus_sha256=draw(DIGESTS),
        documents_sha256=draw(DIGESTS),
        samples_sha256=draw(DIGESTS),
        shards=shards,
        total_tokens=sum(counts),
        vocab_size=vocab_size,
        eos_policy=draw(st.sampled_from(["none", "between", "after"])),
        eos_token_id=draw(st.integers(0, vocab_size - 1)),
        eos_token_count=draw(st.integers(0, 2**40)),
        documents=draw(st.integers(0, 2**40)),
        normalization=draw(NAMES),
        producer=draw(NAMES),
        version=draw(NAMES),
        seed=draw(st.integers(0, 2**59)),
        split=draw(NAMES),
    )


@given(manifests())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    write_manifest(folder, manifest)
    data = (folder / "manifest.json").read_bytes()
    assert read_manifest(folder) == (manifest, hashlib.sha256(data).hexdigest())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(manifests(), st.sampled_from(sorted(FIELDS)), JSON)
def test_any_value_of_a_field_is_taken_or_refused_in_words(
    manifest: Manifest, field: str, value: object
) -> None:
    spelled = json.loads(json.dumps(asdict(manifest))) | {field: value}
    problem = ""
    try:
        parse_manifest(spelled)
    except ValueError as error:
        problem = str(error)
    assert problem.isprintable()
    assert len(problem) < 160


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_missing_field_is_named(
    dataset_copy: Path, change_manifest: Change, field: str
) -> None:
    change_manifest(dataset_copy, **{field: ...})
    with pytest.raises(DataInvalid, match=rf"CORPUS-008.*the field {field} is missing"):
        read_dataset(dataset_copy)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"surprise": 1}, "the field 'surprise' is unknown"),
        ({"total_tokens": "12"}, "total_tokens is '12', not a whole number"),
        ({"total_tokens": 1}, "total_tokens is 1"),
        ({"total_tokens": -1}, "total_tokens is -1, not a whole number"),
        ({"total_tokens": 2**80}, "not a whole number from 0 to"),
        ({"total_tokens": 1.5}, "total_tokens is 1.5"),
        ({"documents": True}, "documents is True"),
        ({"documents": 3}, "lists 32 documents, the manifest 3"),
        ({"shards": 3}, "shards is 3, not a list"),
        ({"shards": [shard("../x")]}, "shards.file '../x' is not shard-00000.bin"),
        ({"shards": [shard("shard-00000.bin\0")]}, "is not shard-00000.bin"),
        ({"shards": [{"file": "x"}]}, "an entry of shards is not"),
        ({"shards": [shard("shard-00000.bin", 0)]}, "tokens of shard-00000.bin is 0"),
        ({"shards": [shard("shard-00000.bin", 2**61)]}, "shards.tokens is 2305843009213693952"),
        ({"shards": [shard("shard-00000.bin")] * 2, "total_tokens": 2}, "in lexical order"),
        (
            {"shards": [shard("shard-00001.bin"), shard("shard-00000.bin")], "total_tokens": 2},
            "in lexical order",
        ),
        ({"shards": [], "total_tokens": 0}, "holds no token"),
        ({"eos_policy": "some"}, "eos_policy 'some' is none of"),
        ({"eos_token_id": "0"}, "eos_token_id is '0'"),
        ({"eos_token_id": 320}, "eos_token_id 320 is not below vocab_size 320"),
        ({"eos_token_id": None}, "eos_policy is after, and there is no eos_token_id"),
        ({"vocab_size": 0, "eos_token_id": None}, "vocab_size is 0, not from 1"),
        ({"vocab_size": 2**33}, r"vocab_size is 8589934592, not from 1 to 2\^24"),
        ({"corpus_sha256": "A" * 64}, "corpus_sha256 is 'AAA.*, not 64 hex digits"),
        ({"documents_sha256": A}, "documents.sha256 has sha256"),
        ({"samples_sha256": A}, "samples.json has sha256"),
        ({"split": "a\u001b[2J"}, r"the field split is 'a\\x1b\[2J', no plain text"),
        ({"producer": "\ud800"}, r"the field producer is '\\ud800', no plain text"),
        (
            {"normalization": "x" * 10**6, "seed": "y" * 10**6},
            r"the field seed is 'y{12}\.\.\.",
        ),
    ],
)
def test_a_manifest_that_does_not_match_is_refused(
    dataset_copy: Path, change_manifest: Change, changes: dict[str, Any], problem: str
) -> None:
    change_manifest(dataset_copy, **changes)
    with pytest.raises(DataInvalid, match=problem):
        read_dataset(dataset_copy)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b"[]", "it is not a JSON object"),
        (b"nonsense", "Expecting value"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"seed": NaN}', "NaN is no JSON"),
        (b'{"seed": 1, "seed": 2}', "the key 'seed' is there twice"),
        (b'{"seed": "\xff"}', "byte 10 is not UTF-8"),
        ("{}".encode("utf-16"), "byte 0 is not UTF-8"),
        (b"{}\0", "Extra data"),
    ],
)
def test_a_manifest_that_is_no_json_object_is_refused(
    dataset_copy: Path, content: bytes, problem: str
) -> None:
    (dataset_copy / "manifest.json").write_bytes(content)
    with pytest.raises(DataInvalid, match=rf"CORPUS-008.*manifest.json: .*{problem}"):
        read_manifest(dataset_copy)


def test_a_manifest_that_is_no_regular_file_is_refused_at_once(dataset_copy: Path) -> None:
    file = dataset_copy / "manifest.json"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(DataInvalid, match=r"manifest.json: is no regular file"):
        read_manifest(dataset_copy)
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(DataInvalid, match=r"manifest.json: is no regular file"):
        read_manifest(dataset_copy)
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(DataInvalid, match=r"manifest.json: Too many levels"):
        read_manifest(dataset_copy)


def test_a_manifest_beyond_its_limit_is_not_read(dataset_copy: Path) -> None:
    with (dataset_copy / "manifest.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataInvalid, match=r"is larger than 67,108,864 bytes"):
        read_manifest(dataset_copy)

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from pv_trainer.data.tokenizer import END_OF_TEXT, open_tokenizer, read_tokenizer, train_bpe
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def write_tokenizer(tmp_path: Path, tokenizer_path: Path) -> Callable[..., Path]:
    """A tokenizer.json with some of its parts replaced."""

    def write(**parts: Any) -> Path:
        whole = json.loads(tokenizer_path.read_text()) | parts
        (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
        return tmp_path / "tokenizer.json"

    return write


def test_the_facts_are_read_without_the_tokenizer(tokenizer_path: Path) -> None:
    info = read_tokenizer(tokenizer_path)
    assert (info.vocab_size, info.eos_token, info.eos_id) == (320, END_OF_TEXT, 0)
    assert info.added == {END_OF_TEXT: 0}
    assert info.unk_id is None
    assert info == read_tokenizer(tokenizer_path.parent)


def test_equal_texts_give_equal_bytes(texts: list[str]) -> None:
    assert train_bpe(texts, 300) == train_bpe(iter(texts), 300)


def test_too_little_text_for_the_vocabulary_is_refused() -> None:
    with pytest.raises(DataInvalid, match=r"give \d+ ids, not the 5000 asked for"):
        train_bpe(["ab ab ab"], 5000)


@given(st.text())
def test_any_text_round_trips(tokenizer_path: Path, text: str) -> None:
    tokenizer = open_tokenizer(read_tokenizer(tokenizer_path))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_text_that_quotes_the_special_token_stays_text(tokenizer_path: Path) -> None:
    tokenizer = open_tokenizer(read_tokenizer(tokenizer_path))
    assert 0 not in tokenizer.encode(f"a{END_OF_TEXT}b").ids


def test_added_tokens_count_into_the_vocabulary(write_tokenizer: Callable[..., Path]) -> None:
    added = [{"content": f"<|{n}|>", "id": 320 + n, "special": True} for n in range(22)]
    assert read_tokenizer(write_tokenizer(added_tokens=added)).vocab_size == 342


def test_an_ordinary_string_is_no_end_of_text(
    write_tokenizer: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_tokenizer(added_tokens=[])
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": END_OF_TEXT}))
    with pytest.raises(
        DataInvalid, match=r"CORPUS-006.*eos_token '<|endoftext|>' is not among"
    ):
        read_tokenizer(path)


def test_the_configuration_names_the_end_of_text(
    write_tokenizer: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_tokenizer(added_tokens=[{"content": "<end>", "id": 7}])
    config = {"eos_token": {"content": "<end>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert read_tokenizer(path).eos_id == 7


def test_vocab_and_merges_make_the_same_tokenizer(tokenizer_path: Path, tmp_path: Path) -> None:
    model = json.loads(tokenizer_path.read_text())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (tmp_path / "added_tokens.json").write_text(json.dumps({END_OF_TEXT: 0}))
    info = read_tokenizer(tmp_path)
    assert (info.vocab_size, info.eos_id) == (320, 0)
    whole = open_tokenizer(read_tokenizer(tokenizer_path))
    text = "some text, ünïcode too"
    assert open_tokenizer(info).encode(text).ids == whole.encode(text).ids
    assert read_tokenizer(tmp_path / "vocab.json") == info


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", "it has no model.vocab"),
        ('{"model": {"vocab": {"a": -1}}}', "its ids are not whole numbers"),
        ('{"model": {"vocab": {"a": 0}}, "added_tokens": [1]}', "added_tokens is not a list"),
        ('{"model": {"vocab": {"a": true}}}', "its ids are not whole numbers"),
        ('{"model": {"vocab": {"a": 0}}, "normalizer": "NFC"}', "its normalizer no object"),
        ('{"model": {"vocab": {"a": 0}, "unk_token": []}}', "its unk_token is no string"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(DataInvalid, match=problem):
        read_tokenizer(path)


def test_a_file_that_the_library_refuses_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "none such", "vocab": {"a": 0}}}')
    with pytest.raises(DataInvalid, match=r"tokenizer.json: the tokenizers library refuses it"):
        open_tokenizer(read_tokenizer(path))


def test_a_panic_of_the_library_is_a_refusal(
    tokenizer_path: Path, write_tokenizer: Callable[..., Path]
) -> None:
    model = json.loads(tokenizer_path.read_text())["model"]
    path = write_tokenizer(model=model | {"continuing_subword_prefix": "é"})
    with pytest.raises(DataInvalid, match=r"tokenizer.json: the tokenizers library refuses it"):
        open_tokenizer(read_tokenizer(path))


def test_an_end_of_text_that_is_no_string_is_refused(
    write_tokenizer: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_tokenizer()
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": []}')
    with pytest.raises(DataInvalid, match=r"tokenizer_config.json: eos_token \[\] is not a"):
        read_tokenizer(path)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"none.json: none.json is missing"):
        read_tokenizer(tmp_path / "none.json")
    with pytest.raises(DataInvalid, match=r"vocab.json is missing"):
        read_tokenizer(tmp_path)


def test_a_tokenizer_that_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "vocab.json")
    (tmp_path / "tokenizer.json").symlink_to("/dev/zero")
    for name in ("vocab.json", "tokenizer.json"):
        with pytest.raises(DataInvalid, match="CORPUS-008"):
            read_tokenizer(tmp_path / name)

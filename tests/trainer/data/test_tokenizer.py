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
    with pytest.raises(
        DataInvalid,
        match=r"none.json: it cannot be read: No such file.*; name a tokenizer.json",
    ):
        read_tokenizer(tmp_path / "none.json")
    with pytest.raises(DataInvalid, match=r"vocab.json is missing"):
        read_tokenizer(tmp_path)


def test_a_tokenizer_that_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "vocab.json")
    (tmp_path / "tokenizer.json").symlink_to("/dev/zero")
    for name in ("vocab.json", "tokenizer.json"):
        with pytest.raises(DataInvalid, match="CORPUS-008"):
            read_tokenizer(tmp_path / name)


@pytest.mark.parametrize("number", [10**400, 2**32, 2**24])
def test_an_id_beyond_any_vocabulary_is_refused(
    write_tokenizer: Callable[..., Path], tokenizer_path: Path, number: int
) -> None:
    model = json.loads(tokenizer_path.read_text())["model"]
    path = write_tokenizer(model=model | {"vocab": model["vocab"] | {"zz": number}})
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*not whole numbers from 0 to 16777215"):
        read_tokenizer(path)


def test_an_added_token_whose_id_the_library_does_not_use_is_refused(
    write_tokenizer: Callable[..., Path], tokenizer_path: Path
) -> None:
    """Documents would end with a token that stands for something else."""
    added = json.loads(tokenizer_path.read_text())["added_tokens"]
    path = write_tokenizer(added_tokens=[added[0] | {"id": 9}])
    with pytest.raises(DataInvalid, match=r"'<.endoftext.>' is 9 there and 0 in use"):
        open_tokenizer(read_tokenizer(path))


def test_a_dropout_of_merges_does_not_make_tokens_random(
    write_tokenizer: Callable[..., Path], tokenizer_path: Path, texts: list[str]
) -> None:
    model = json.loads(tokenizer_path.read_text())["model"]
    tool = open_tokenizer(read_tokenizer(write_tokenizer(model=model | {"dropout": 0.9})))
    wanted = open_tokenizer(read_tokenizer(tokenizer_path)).encode(texts[0]).ids
    assert tool.encode(texts[0]).ids == wanted


def test_a_link_to_nowhere_is_told_and_not_passed_over(
    write_tokenizer: Callable[..., Path], tmp_path: Path
) -> None:
    write_tokenizer()
    (tmp_path / "tokenizer_config.json").symlink_to("nowhere")
    with pytest.raises(DataInvalid, match=r"tokenizer_config.json: it cannot be read: No such"):
        read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    os.mkfifo(tmp_path / "tokenizer.json")
    with pytest.raises(DataInvalid, match=r"tokenizer.json: it cannot be read: is no regular"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [("[" * 200_000, "nested too deep"), ('{"a": ' + "9" * 5000 + "}", "5000 digits")],
)
def test_json_that_python_would_choke_on_is_told_in_plain_words(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(DataInvalid, match=rf"CORPUS-008.*it is not JSON: .*{problem}"):
        read_tokenizer(tmp_path)


def test_a_long_name_is_shortened(write_tokenizer: Callable[..., Path], tmp_path: Path) -> None:
    write_tokenizer()
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "x" * 100_000}))
    with pytest.raises(DataInvalid, match="CORPUS-006") as caught:
        read_tokenizer(tmp_path)
    assert len(caught.value.what) < len(str(tmp_path)) + 200

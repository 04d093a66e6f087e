from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import transformers

from pv_trainer.data.tokenizer import TokenizerInfo, open_tokenizer, read_tokenizer
from pv_trainer.data.tokenizer_folder import write_tokenizer
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path

TEXT = "def it's(x):\n\n    return  x + 2024  # 日本 e\u0301 don't<|endoftext|>\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def one_file(source: Path, tokenizer_path: Path) -> TokenizerInfo:
    shutil.copy(tokenizer_path, source / "mine.json")
    return read_tokenizer(source / "mine.json")


@pytest.fixture
def two_files(source: Path, tokenizer_path: Path) -> TokenizerInfo:
    model = json.loads(tokenizer_path.read_text())["model"]
    (source / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "".join(" ".join(pair) + "\n" for pair in model["merges"])
    (source / "merges.txt").write_text("#version: 0.2\n" + merges)
    (source / "added_tokens.json").write_text('{"<|endoftext|>": 0}')
    return read_tokenizer(source)


@pytest.fixture
def info(request: pytest.FixtureRequest) -> TokenizerInfo:
    found: TokenizerInfo = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def ids_of(info: TokenizerInfo) -> list[int]:
    tokenizer = open_tokenizer(info)
    tokenizer.encode_special_tokens = False
    found: list[int] = tokenizer.encode(TEXT).ids
    return found


def load(folder: Path, kind: str, model_type: str) -> Any:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    return getattr(transformers, kind).from_pretrained(str(folder), local_files_only=True)


both = pytest.mark.parametrize("info", ["one_file", "two_files"], indirect=True)


@both
def test_the_folder_holds_the_same_tokenizer(info: TokenizerInfo, folder: Path) -> None:
    write_tokenizer(folder, info)
    found = read_tokenizer(folder)
    assert (found.digest, found.eos_token, found.eos_id) == (
        *(info.digest, "<|endoftext|>", 0),
    )
    assert found.added == info.added


@both
def test_the_reference_library_loads_it_and_gives_the_same_ids(
    info: TokenizerInfo, folder: Path
) -> None:
    write_tokenizer(folder, info)
    theirs = load(folder, "AutoTokenizer", "llama")
    assert theirs(TEXT)["input_ids"] == ids_of(info)
    assert (theirs.eos_token, theirs.eos_token_id, len(theirs)) == (
        *("<|endoftext|>", 0, info.vocab_size),
    )


@both
def test_for_qwen2_the_reference_library_has_the_same_ids_but_its_own_splitting(
    info: TokenizerInfo, folder: Path
) -> None:
    """AutoTokenizer takes Qwen's splitting for each folder with that model_type."""
    write_tokenizer(folder, info)
    auto = load(folder, "AutoTokenizer", "qwen2")
    assert (auto.eos_token, auto.eos_token_id, len(auto)) == (
        *("<|endoftext|>", 0, info.vocab_size),
    )
    exact = "GPT2Tokenizer" if len(info.files) > 1 else "PreTrainedTokenizerFast"
    theirs = load(folder, exact, "qwen2")
    assert theirs(TEXT)["input_ids"] == ids_of(info)
    assert auto.decode(ids_of(info)) == theirs.decode(ids_of(info)) == TEXT


def test_what_the_source_says_to_the_reference_library_is_kept(
    source: Path, one_file: TokenizerInfo, folder: Path
) -> None:
    said = {"chat_template": "{{ x }}", "eos_token": "<|endoftext|>", "tokenizer_class": "Our"}
    (source / "tokenizer_config.json").write_text(json.dumps(said))
    (source / "chat_template.jinja").write_text("{{ y }}")
    (source / "special_tokens_map.json").write_text("{}")
    (source / "model.bin").write_text("no")
    write_tokenizer(folder, one_file)
    assert sorted(file.name for file in folder.iterdir()) == [
        *("chat_template.jinja", "special_tokens_map.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    ]
    written = json.loads((folder / "tokenizer_config.json").read_text())
    assert written == {"clean_up_tokenization_spaces": False} | said
    assert (folder / "chat_template.jinja").read_text() == "{{ y }}"


def test_a_tokenizer_without_an_end_of_text_has_none_there(
    source: Path, tokenizer_path: Path, folder: Path
) -> None:
    (source / "tokenizer_config.json").write_text('{"eos_token": null}')
    shutil.copy(tokenizer_path, source / "tokenizer.json")
    info = read_tokenizer(source)
    write_tokenizer(folder, info)
    assert load(folder, "AutoTokenizer", "llama").eos_token is None
    assert read_tokenizer(folder).eos_id is None


def test_a_tokenizer_that_changes_meanwhile_is_not_written(
    source: Path, one_file: TokenizerInfo, folder: Path
) -> None:
    changed = (source / "mine.json").read_text() + "\n"
    (source / "mine.json").write_text(changed)
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*mine.json: it changed while"):
        write_tokenizer(folder, one_file)


def test_a_configuration_that_is_none_is_told(
    source: Path, one_file: TokenizerInfo, folder: Path
) -> None:
    (source / "tokenizer_config.json").write_text("{")
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*tokenizer_config.json: "):
        write_tokenizer(folder, one_file)

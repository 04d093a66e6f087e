"""A tokenizer as a Hugging Face directory holds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.data.tokenizer import MAX_BYTES, read_tokenizer
from pv_trainer.errors import DataInvalid
from pv_trainer.json_files import read_json_object
from pv_trainer.plain_files import read_plain


if TYPE_CHECKING:
    from pathlib import Path

    from pv_trainer.data.tokenizer import TokenizerInfo

CONFIG: Final = "tokenizer_config.json"
_BESIDE: Final = ("added_tokens.json", "special_tokens_map.json", "chat_template.jinja")
"""What else transformers reads, taken over as it is."""


def write_tokenizer(folder: Path, info: TokenizerInfo) -> None:
    """Write the tokenizer into `folder` so that it has the same digest and end of text there.

    tokenizer.json, or vocab.json with merges.txt, are copied byte for byte, and so is what lies
    beside them for transformers. tokenizer_config.json keeps what it says and gains what it
    does not: class and special tokens.

    Raises:
        OSError: a file cannot be read or written.
        DataInvalid: CORPUS-008 the files are no longer what `info` was read from.
    """
    pair = len(info.files) > 1
    for file in info.files:
        content = read_plain(file, MAX_BYTES)
        (folder / (file.name if pair else "tokenizer.json")).write_bytes(content)
    source = info.files[0].parent
    for name in _BESIDE:
        if (source / name).is_file():
            (folder / name).write_bytes(read_plain(source / name, MAX_BYTES))
    text = json.dumps(_config(source / CONFIG, info, pair=pair), indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    found = read_tokenizer(folder)
    if (found.digest, found.eos_id) != (info.digest, info.eos_id):
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"tokenizer {info.files[0]}: it changed while it was copied",
            "give the command again",
        )


def _config(path: Path, info: TokenizerInfo, *, pair: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if path.is_file():
        try:
            found = read_json_object(path)
        except ValueError as error:
            raise DataInvalid(error_ids.CORPUS_MANIFEST, f"{path}: {error}") from error
    ours: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "eos_token": info.eos_token,
    }
    if pair:
        # The class that splits as byte-level BPE without a tokenizer.json does. It has special
        # tokens of its own where none is named.
        ours |= {
            "tokenizer_class": "GPT2Tokenizer",
            "add_prefix_space": False,
            "bos_token": None,
            "unk_token": None,
            "added_tokens_decoder": {
                str(number): {"content": token, "special": True}
                for token, number in info.added.items()
            },
        }
    return ours | found

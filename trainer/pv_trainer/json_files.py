"""JSON that the trainer keeps in files: read strictly, written whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pv_trainer.atomic import atomic_file
from pv_trainer.plain_files import read_plain
from pv_trainer.wording import brief


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_BYTES: Final = 64 << 20
_MAX_DIGITS: Final = 4000
"""int() refuses some more, in words that speak of Python's settings."""


def parse_json(data: bytes) -> Any:
    """The value of a JSON text in UTF-8, in which no object has a key twice.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_int=_whole_number,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in the regular file at `path`.

    Raises:
        ValueError: the file can't be read, or holds no JSON object; the message says why.
    """
    try:
        value = parse_json(read_plain(path, _MAX_BYTES))
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one family: bad content
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
        ValueError: it holds a NaN or an infinity, which JSON can't spell.
    """
    with atomic_file(path) as file:
        file.write(json.dumps(value, indent=1, allow_nan=False).encode() + b"\n")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {brief(twice)} is there twice")
    return found


def _whole_number(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is in it")
    return int(text)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")

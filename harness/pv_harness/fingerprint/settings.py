"""What is no source and decides all the same how checks run: configuration, by what it says.

Comments and layout don't count, and of a file that others use as well only the part that does.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pv_harness.digest import digest_bytes, digest_of
from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_SIZE_BYTES = 4 << 20
_PYTEST_FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
"""Where pytest looks, in each folder from the checks' upward. Source: pytest's reference."""


def pytest_tables(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of each table in this folder that could configure pytest."""
    import json  # noqa: PLC0415 - 1 ms, and a validation has no use for it

    for name in _PYTEST_FILES:
        try:
            data = read_regular(folder / name, _MAX_SIZE_BYTES)
        except OSError:
            continue  # pytest couldn't read it either
        try:
            table = _table_of(name, data.decode("utf-8"))
        except (ValueError, RecursionError):
            yield name, digest_bytes(data)
            continue
        if table is not None:
            yield name, digest_of(json.dumps(table, sort_keys=True, default=str))


def input_command(root: Path, name: str) -> tuple[str, ...]:
    """The words of the command that makes an input; none where there is no such command."""
    try:
        data = read_regular(root / "pyproject.toml", _MAX_SIZE_BYTES)
        words: Any = tomllib.loads(data.decode("utf-8"))["tool"]["pv"]["inputs"][name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(map(str, words)) if isinstance(words, list) else ()


def _table_of(name: str, text: str) -> Any:
    """What a file says to pytest; None if nothing."""
    if name.endswith(".toml"):
        document = tomllib.loads(text)
        if not name.startswith("pyproject"):
            return document
        tool = document.get("tool", {})
        return tool.get("pytest") if isinstance(tool, dict) else None
    import configparser  # noqa: PLC0415 - 2 ms, and few projects have such a file

    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from error
    section = "tool:pytest" if name == "setup.cfg" else "pytest"
    return dict(parser[section]) if parser.has_section(section) else None

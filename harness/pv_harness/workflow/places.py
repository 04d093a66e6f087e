"""Where falsifiers stand in the files of their contracts, for reports that point there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pv_harness.board.scoreboard import Row

_MAX_SIZE_BYTES = 1 << 20
_ID = re.compile(
    r"""[ \t]*(?:-[ \t]+)?(?:\{[ \t]*)?["']?id["']?[ \t]*:[ \t]*["']?([^\s"',}#]+)"""
)
"""`id: X` at the beginning of an entry, in block or in flow style."""


def find_lines(root: Path, rows: Iterable[Row]) -> dict[str, int]:
    """Falsifier ID -> the line of its `id:`, from 1, in the file of its contract.

    The text is searched and not parsed: a report over twenty thousand contracts would spend its
    time in the YAML parser. An ID that is spelled otherwise, or in no file now, is left out.
    """
    wanted: dict[Path, set[str]] = {}
    for row in rows:
        wanted.setdefault(root / row.contract.path, set()).add(row.falsifier.id)
    found: dict[str, int] = {}
    for path, names in wanted.items():
        for number, line in enumerate(_lines(path), 1):
            match = _ID.match(line)
            if match and match[1] in names:
                found.setdefault(match[1], number)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return read_regular(path, _MAX_SIZE_BYTES).decode("utf-8", "replace").split("\n")
    except OSError:
        return []

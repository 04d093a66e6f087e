"""Cached bytecode that may be older than its source is not used.

Python takes a `.pyc` for fresh if it names the source's size and the second of its last change.
Two edits of one length within a second, or an edit that sets the time back, leave code in place
that no source says any more: a check would then measure what is not there.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_INSTALLED = f"{os.sep}site-packages{os.sep}"


def distrust_stale_bytecode(roots: Iterable[Path]) -> None:
    """From now on this process compiles modules below `roots` whose `.pyc` may be stale.

    A `.pyc` counts if it was written after the last change to anything about its source, the
    change time included, which no program can set.
    """
    # The import system looks this function up here, and has no public place for another.
    bootstrap: Any = importlib.import_module("importlib._bootstrap_external")
    folders = tuple(f"{root}{os.sep}" for root in roots)
    original = bootstrap.cache_from_source

    def cache_from_source(path: str, *args: object, **options: object) -> str:
        cached: str = original(path, *args, **options)
        if path.startswith(folders) and _INSTALLED not in path and _may_be_stale(path, cached):
            try:
                os.unlink(cached)  # noqa: PTH108 - for every module that is imported
            except OSError:
                # The import system's own word for a source without a cache.
                raise NotImplementedError from None
        return cached

    bootstrap.cache_from_source = cache_from_source


def _may_be_stale(source: str, cached: str) -> bool:
    try:
        written_ns = os.stat(cached).st_mtime_ns  # noqa: PTH116 - for every module
        changed = os.stat(source)  # noqa: PTH116
    except OSError:
        return False
    return written_ns <= max(changed.st_ctime_ns, changed.st_mtime_ns)

"""What is built once and found again: a folder named after all that its content depends on.

It is built under a temporary name and renamed, so that an entry is whole or absent, whoever
else builds or is killed meanwhile.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_trainer.atomic import atomic_folder


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def build_once(final: Path, write: Callable[[Path], None]) -> None:
    """Establish that the folder is there, filled by `write` if it was not.

    Raises:
        OSError: the cache can't be written.
    """
    if final.is_dir():
        return
    with _lock(final.parent):
        if not final.is_dir():
            with atomic_folder(final) as temporary:
                write(temporary)


def content_key(facts: Any) -> str:
    """A name for what these facts decide, as 16 hex digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def module_digest(name: str) -> str:
    """The sha256 of a module's syntax tree: comments, docstrings and layout do not count."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            node.body = [n for n in node.body if not _is_string(n)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_string(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@contextmanager
def _lock(cache: Path) -> Iterator[None]:
    """Hold the cache for building; a process that is killed lets go of it."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left_over in cache.glob(".*.tmp"):
            shutil.rmtree(left_over, ignore_errors=True)
        yield

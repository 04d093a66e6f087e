"""A copy of the project on disk, where defects are planted and taken out again.

On disk, because subprocesses, Triton and TorchScript read source files. The copy is
byte-compiled once, in the form that Python checks by a hash of the source: by time and size,
two patches of one length within one second would share a stale `.pyc`.
"""

from __future__ import annotations

import compileall
import contextlib
import importlib.machinery
import os
import py_compile
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.fingerprint.syntax import SYNTAX_ERRORS, compile_source
from pv_harness.git import ask_git
from pv_harness.regular_file import reason
from pv_harness.validating.rules.planting import count_anchor
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.contracts.contract import Patch
    from pv_harness.project import Project

_DEEPEST = 20
_IMPORTED = (*importlib.machinery.SOURCE_SUFFIXES, *importlib.machinery.EXTENSION_SUFFIXES)
_LEFT_OUT = {".git", ".venv", "venv", ".cache", "__pycache__", "node_modules", "runs"}


class VoidPatchError(Exception):
    """A patch that plants nothing; the message says why. It never leaves `pv prove`."""


def copy_project(project: Project, target: Path) -> Path:
    """Copy what belongs to the project, and return the copy's root.

    In a git checkout that is what git tracks or would track, and what can be imported although
    git ignores it, a generated `_version.py` say; elsewhere everything but caches and virtual
    environments. Permissions are kept. A link to a place within the project leads
    to that place in the copy; other links are left out.

    Raises:
        InfrastructureError: a file can't be copied.
    """
    files = list_files(project)
    # Links come last: whether one leads anywhere in the copy shows only then.
    for relative in sorted(files, key=lambda name: (project.root / name).is_symlink()):
        try:
            _copy(project.root, relative, target / relative)
        except OSError as error:
            raise InfrastructureError(
                f"{printable(str(relative))}: can't be copied for proving: {reason(error)}"
            ) from error
    compileall.compile_dir(
        target,
        quiet=2,
        invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        maxlevels=_DEEPEST,
    )
    return target


def list_files(project: Project) -> list[Path]:
    """The files of a project, relative to its root, sorted."""
    listed = _ask_git(project.root, "--cached", "--others", "--exclude-standard")
    if listed:
        return sorted({*map(Path, listed), *_ignored_sources(project)})
    everything = (p.relative_to(project.root) for p in project.root.rglob("*"))
    return sorted(p for p in everything if not _LEFT_OUT & set(p.parts))


def _ignored_sources(project: Project) -> Iterator[Path]:
    """What git ignores and an import would find all the same."""
    ignored = ("--others", "--ignored", "--exclude-standard", "--directory")
    below = [root for root in project.import_roots if root.is_relative_to(project.root)]
    roots = [root.relative_to(project.root) for root in below]
    for name in _ask_git(project.root, *ignored):
        for path in _walk(project.root, Path(name)):
            if path.name.endswith(_IMPORTED) and any(path.is_relative_to(r) for r in roots):
                yield path


def _walk(root: Path, entry: Path) -> Iterator[Path]:
    """The files at or below an entry, relative to the root, without virtual environments."""
    place = root / entry
    if entry.name in _LEFT_OUT or (place / "pyvenv.cfg").exists():
        return
    if not place.is_dir() or place.is_symlink():
        yield entry
        return
    for name in sorted(os.listdir(place)):  # noqa: PTH208 - names alone
        yield from _walk(root, entry / name)


def _ask_git(root: Path, *options: str) -> list[str]:
    """The files that `git ls-files` lists; none where git or its repository is missing."""
    try:
        done = ask_git(root, "ls-files", "-z", *options)
    except OSError:
        return []
    names = done.stdout.split(b"\0") if done.returncode == 0 else ()
    return [os.fsdecode(name) for name in names if name]


def _copy(root: Path, relative: Path, copy: Path) -> None:
    source = root / relative
    if source.is_symlink():
        copy.parent.mkdir(parents=True, exist_ok=True)
        link = _link_within(root, relative)
        if link is not None and (copy.parent / link).exists():
            copy.symlink_to(link)
    elif source.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        # Defects are planted in the copy, so its owner can always write.
        copy.chmod(stat.S_IMODE(source.stat().st_mode) | stat.S_IWUSR)


def _link_within(root: Path, relative: Path) -> Path | None:
    """Where a link of the project leads, from its own folder; None if that is outside."""
    try:
        place = (root / relative).resolve().relative_to(root.resolve())
    except (ValueError, RuntimeError):  # outside; a loop of links
        return None
    return Path(*[".."] * len(relative.parent.parts)) / place


@contextlib.contextmanager
def planted(root: Path, patch: Patch) -> Iterator[None]:
    """While the block runs, the patch stands in the copy at `root`.

    Raises:
        VoidPatchError: the file is missing, the anchor does not stand there exactly once, the
            text would stay the same, or the Python file would not compile.
    """
    file = root / patch.file
    try:
        # Bytes: line ends are part of the text, here as in the rules for contracts.
        original = file.read_bytes()
        changed = apply_patch(original.decode("utf-8"), patch)
    except FileNotFoundError as error:
        raise VoidPatchError(
            f"{patch.file}: not in the copy of the project; does git ignore it?"
        ) from error
    except OSError as error:
        raise VoidPatchError(f"{patch.file}: can't be read: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise VoidPatchError(f"{patch.file}: is not UTF-8 text") from error
    try:
        file.write_bytes(changed.encode("utf-8"))
        yield
    finally:
        file.write_bytes(original)


def apply_patch(text: str, patch: Patch) -> str:
    """The text with the patch in it.

    Raises:
        VoidPatchError: as for `planted`.
    """
    count = count_anchor(text, patch.find)
    if count != 1:
        raise VoidPatchError(f"{patch.file}: the anchor stands there {count} times, not once")
    changed = text.replace(patch.find, patch.replace)
    if changed == text:
        raise VoidPatchError(f"{patch.file}: the patch changes nothing")
    if patch.file.suffix == ".py":
        try:
            compile_source(changed, str(patch.file))
        except SYNTAX_ERRORS as error:
            raise VoidPatchError(f"{patch.file}: does not compile: {error}") from error
    return changed

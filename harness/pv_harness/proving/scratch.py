"""A copy of the project on disk, where defects are planted and taken out again.

On disk, because subprocesses, Triton and TorchScript read source files. The copy is
byte-compiled once, in the form that Python checks by a hash of the source: by time and size,
two patches of one length within one second would share a stale `.pyc`.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import py_compile
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.regular_file import reason
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.contracts.contract import Patch
    from pv_harness.project import Project

_DEEPEST = 20
_LEFT_OUT = {".git", ".venv", "venv", ".cache", "__pycache__", "node_modules", "runs"}


class VoidPatchError(Exception):
    """A patch that plants nothing; the message says why. It never leaves `pv prove`."""


def copy_project(project: Project, target: Path) -> Path:
    """Copy what belongs to the project, and return the copy's root.

    In a git checkout that is what git tracks or would track; elsewhere everything but caches
    and virtual environments. Permissions are kept. A link to a place within the project leads
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
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed: Sequence[str] = ()
    with contextlib.suppress(OSError):
        done = subprocess.run(  # noqa: S603 - a constant command
            command, cwd=project.root, capture_output=True, check=False
        )
        if done.returncode == 0:
            listed = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    if listed:
        return sorted(Path(name) for name in listed)
    everything = (p.relative_to(project.root) for p in project.root.rglob("*"))
    return sorted(p for p in everything if not _LEFT_OUT & set(p.parts))


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
        original = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VoidPatchError(f"{patch.file} can't be read: {error}") from error
    file.write_text(apply_patch(original, patch), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(original, encoding="utf-8")


def apply_patch(text: str, patch: Patch) -> str:
    """The text with the patch in it.

    Raises:
        VoidPatchError: as for `planted`.
    """
    count = text.count(patch.find)
    if count != 1:
        raise VoidPatchError(f"{patch.file}: the anchor stands there {count} times, not once")
    changed = text.replace(patch.find, patch.replace)
    if changed == text:
        raise VoidPatchError(f"{patch.file}: the patch changes nothing")
    if patch.file.suffix == ".py":
        try:
            compile(changed, str(patch.file), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise VoidPatchError(f"{patch.file}: does not compile: {error}") from error
    return changed

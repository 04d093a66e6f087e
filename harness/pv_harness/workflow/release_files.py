"""Files of a release as git holds them: few git commands, whatever the number of files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.regular_file import read_regular
from pv_harness.workflow.release_tag import ask


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_LINK = "120000"
_MAX_SIZE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit: its path relative to the project, and what git calls its bytes."""

    path: str
    object_id: str
    size_bytes: int


def list_blobs(root: Path, commit: str, paths: Iterable[str]) -> tuple[Blob, ...]:
    """The files of a commit at these paths, and below those that are folders.

    Paths are relative to `root`; one that leads out of it names nothing.

    Raises:
        InfrastructureError: git can't tell.
    """
    inside = sorted({path for path in paths if _is_inside(path)})
    if not inside:
        return ()
    listed = ask(root, "ls-tree", "-r", "-l", "-z", commit, "--", *inside)
    return tuple(_blobs(listed))


def read_blobs(root: Path, blobs: Sequence[Blob]) -> tuple[bytes, ...]:
    """The bytes of each.

    Raises:
        InfrastructureError: git can't tell, or does not have one of them.
    """
    if not blobs:
        return ()
    names = "".join(f"{blob.object_id}\n" for blob in blobs)
    answer = ask(root, "cat-file", "--batch", given=names.encode("ascii"))
    return tuple(_cut(answer, blobs))


def is_unchanged(file: Path, blob: Blob) -> bool:
    """True if the file has the bytes of the blob. Unlike `git diff` it needs no index."""
    try:
        data = read_regular(file, _MAX_SIZE_BYTES)
    except OSError:
        return False
    algorithm = "sha1" if len(blob.object_id) == 40 else "sha256"  # as the repository has it
    found = hashlib.new(algorithm, b"blob %d\0" % len(data), usedforsecurity=False)
    found.update(data)
    return found.hexdigest() == blob.object_id


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in PurePosixPath(path).parts


def _blobs(listed: bytes) -> Iterator[Blob]:
    for line in listed.split(b"\0"):
        facts, _, name = line.partition(b"\t")
        mode, kind, object_id, size = facts.decode("ascii").split() if facts else ("",) * 4
        if kind == "blob" and mode != _LINK:
            yield Blob(os.fsdecode(name), object_id, int(size))


def _cut(answer: bytes, blobs: Iterable[Blob]) -> Iterator[bytes]:
    place = 0
    for blob in blobs:
        heading, _, _ = answer[place : place + 120].partition(b"\n")
        if not heading.endswith(b" %d" % blob.size_bytes):
            raise InfrastructureError(f"{blob.path}: its bytes are not in this clone")
        place += len(heading) + 1
        yield answer[place : place + blob.size_bytes]
        place += blob.size_bytes + 1

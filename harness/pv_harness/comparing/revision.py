"""The files of a git revision on disk, without a checkout and without git's attributes.

`git archive` would leave out what is marked `export-ignore` and rewrite what is marked
`export-subst`; a fingerprint needs the bytes that were committed. So the tree is listed and its
blobs are read. Names and links in it may be hostile: nothing is written outside the target,
and no link leads out of it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from pv_harness.errors import InfrastructureError, UsageError
from pv_harness.git import ask_git, complaint_of
from pv_harness.regular_file import reason
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINK = "120000"
_BLOCK_BYTES = 1 << 20


def find_tree(root: Path, revision: str) -> str:
    """The ID of the tree of a revision.

    Raises:
        UsageError: git knows no such revision; the message is git's own complaint.
        InfrastructureError: git can't be started.
    """
    tree = _git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{tree}}")
    return os.fsdecode(tree).strip()


def extract_tree(root: Path, tree: str, target: Path) -> None:
    """Write the files of a tree that belong below `root` into the folder `target`.

    `target` is absolute and has no link in it.

    Submodules are left out, and so are links that lead outside and whatever lies in a `.git`.

    Raises:
        InfrastructureError: a file can't be written, or git can't read the tree.
    """
    entries = [e for e in _list(root, tree) if _is_harmless(e.path)]
    files = [entry for entry in entries if entry.mode != _LINK]
    links = [entry for entry in entries if entry.mode == _LINK]
    try:
        for entry, size, stream in _read_blobs(root, files):
            place = target / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as written:
                _copy(stream, written, size)
        # Links come last, so that nothing is ever written through one.
        texts = [(e.path, stream.read(size)) for e, size, stream in _read_blobs(root, links)]
        _make_links(target, texts)
    except OSError as error:
        raise InfrastructureError(
            f"{target}: the files of {tree[:12]} can't be written: {reason(error)}"
        ) from error


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    object_id: str
    path: PurePosixPath


def _list(root: Path, tree: str) -> Iterator[_Entry]:
    for line in _git(root, "ls-tree", "-r", "-z", tree).split(b"\0"):
        facts, _, name = line.partition(b"\t")
        mode, kind, object_id = facts.decode("ascii").split(" ") if facts else ("", "", "")
        if kind == "blob":
            yield _Entry(mode, object_id, PurePosixPath(os.fsdecode(name)))


def _is_harmless(path: PurePosixPath) -> bool:
    names = path.parts
    return not path.is_absolute() and ".." not in names and ".git" not in map(str.lower, names)


def _read_blobs(
    root: Path, entries: Sequence[_Entry]
) -> Iterator[tuple[_Entry, int, IO[bytes]]]:
    """Each entry with its size and a stream; its bytes are to be read before the next one."""
    with tempfile.TemporaryFile() as asked:
        asked.writelines(f"{entry.object_id}\n".encode() for entry in entries)
        asked.seek(0)
        command = ["git", "cat-file", "--batch", "--buffer"]
        with subprocess.Popen(  # noqa: S603 - a constant command
            command, cwd=root, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            stream = process.stdout
            assert stream is not None
            for entry in entries:
                answer = stream.readline().split()
                if len(answer) != 3:
                    raise InfrastructureError(
                        f"{printable(str(entry.path))}: its bytes are not in this clone; "
                        "`git fetch` brings them"
                    )
                yield entry, int(answer[2]), stream
                stream.read(1)


def _copy(stream: IO[bytes], written: IO[bytes], size_bytes: int) -> None:
    while size_bytes and (block := stream.read(min(size_bytes, _BLOCK_BYTES))):
        written.write(block)
        size_bytes -= len(block)


def _make_links(target: Path, texts: Sequence[tuple[PurePosixPath, bytes]]) -> None:
    made: list[Path] = []
    for path, text in texts:
        place = target / path
        # A path that leads over a link is none that git makes, and could lead anywhere.
        if place.parent.resolve() != place.parent:
            continue
        # A name that is also a folder's, a text that no link can have: left out.
        with contextlib.suppress(OSError, ValueError):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.fsdecode(text))
            made.append(place)
    # Whether a link leads outside shows only when all that it may lead over are there, and
    # whenever one is taken away, others may lead elsewhere.
    while outside := [place for place in made if not _leads_within(place, target)]:
        for place in outside:
            place.unlink()
        made = [place for place in made if place not in outside]


def _leads_within(place: Path, target: Path) -> bool:
    try:
        return place.resolve().is_relative_to(target)
    except (OSError, RuntimeError):  # a loop of links
        return False


def _git(root: Path, *words: str) -> bytes:
    """What git prints; UsageError, with git's own complaint, if it refuses."""
    try:
        done = ask_git(root, *words)
    except (OSError, ValueError) as error:
        raise InfrastructureError(f"git can't be started: {error}") from error
    if done.returncode != 0:
        raise UsageError(complaint_of(done) or "nothing")
    return done.stdout

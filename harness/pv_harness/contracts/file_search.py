"""From the PATHs of a command line, and from configured folders, to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pv_harness.errors import UsageError
from pv_harness.regular_file import reason
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

CONTRACT_SUFFIXES = frozenset({".yaml", ".yml"})


class FoundFile(NamedTuple):
    """A file as somebody named it, and its place with all links resolved."""

    path: str
    real: str


def find_contract_files(paths: Iterable[str]) -> tuple[Path, ...]:
    """The files that the paths name, each once, sorted.

    A path is a file, taken whatever its name; a folder, searched for *.yaml and *.yml; or a
    glob, in which `**` is any depth.

    Raises:
        UsageError: a path names nothing, or a folder can't be listed.
    """
    return tuple(Path(file.path) for file in list_contract_files(paths))


def list_contract_files(paths: Iterable[str]) -> list[FoundFile]:
    """The same, as text: a Path for each of twenty thousand files would show.

    Raises:
        UsageError: a path names nothing, or a folder can't be listed.
    """
    found: dict[str, FoundFile] = {}
    for path in paths:
        count = 0
        for match in _expand(path):
            # A link and its target are one file, and so are a folder and a file within it.
            found.setdefault(match.real, match)
            count += 1
        if not count:
            raise UsageError(_nothing_at(path))
    return sorted(found.values(), key=lambda file: in_parts(file.path))


def walk_files(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files with one of the suffixes, at any depth below a folder; hidden folders left out.

    Links to folders are followed, each folder once.

    Raises:
        UsageError: a folder can't be listed.
    """
    return (Path(file.path) for file in list_files(str(folder), suffixes))


def list_files(folder: str, suffixes: Collection[str]) -> Iterator[FoundFile]:
    """The same, as text, each with its place.

    Raises:
        UsageError: a folder can't be listed.
    """
    endings = tuple(suffixes)
    pending = [FoundFile(folder, _real(folder))]
    seen: set[str] = set()
    while pending:
        here = pending.pop()
        if here.real in seen:
            continue
        seen.add(here.real)
        below = []
        for entry in _entries(here.path):
            name = entry.name
            is_wanted = name.endswith(endings) and name not in suffixes
            is_folder = _is_folder(entry)
            if not (is_wanted or is_folder):
                continue
            real = _join(here.real, name)
            if entry.is_symlink():
                real = _real(entry.path)
            if is_folder and name[0] != ".":
                below.append(FoundFile(_join(here.path, name), real))
            # A folder that is called like a file is given too: reading it tells what it is.
            if is_wanted:
                yield FoundFile(_join(here.path, name), real)
        pending.extend(reversed(below))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _refuse(error)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it will say so
        return False


def _real(path: str) -> str:
    return os.path.realpath(path)  # noqa: TID251 - Path.resolve is twice as slow


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder.rstrip('/')}/{name}"


def in_parts(path: str) -> str:
    """What paths are sorted by: part by part, as `Path` is; no name holds a NUL."""
    return path.replace("/", "\0")


def _expand(path: str) -> Iterator[FoundFile]:
    try:
        if os.path.lexists(path):  # noqa: TID251
            matches = [Path(path)]
        else:
            import glob  # noqa: PLC0415 - shells mostly resolve patterns themselves

            matches = [
                match
                for match in map(Path, sorted(glob.glob(path, recursive=True)))  # noqa: PTH207
                if match.is_dir() or match.suffix in CONTRACT_SUFFIXES
            ]
    except ValueError as error:
        raise UsageError(f"{path!r}: not a path: {error}") from error
    for match in map(Path, matches):
        if match.is_dir():
            yield from list_files(str(match), CONTRACT_SUFFIXES)
        else:
            yield FoundFile(str(match), _real(str(match)))


def _nothing_at(path: str) -> str:
    if not path:
        return "a PATH is empty; the current folder is called ."
    why = "no contract there; give a file, a folder or a glob"
    try:
        os.stat(path)  # noqa: PTH116 - as above
    except FileNotFoundError:
        pass
    except OSError as error:
        why = f"can't be looked up: {reason(error)}"
    except ValueError as error:
        why = f"not a path: {error}"
    return f"{printable(path)}: {why}"


def _refuse(error: OSError) -> NoReturn:
    raise UsageError(
        f"{error.filename}: the folder can't be listed: {reason(error)}"
    ) from error

"""Answers that were kept, found again: a command on files that have not changed ends here.

This runs before the command line is even read, so it imports next to nothing: `typing` alone
takes as long as looking at a thousand files.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import time

from pv_harness import __version__


try:
    from _blake2 import blake2b  # hashlib's own; hashlib itself loads OpenSSL, for 4 ms
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120, TID251
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MAX_SIZE_BYTES = 256 << 20
_DIGEST_BYTES = 32
_DAY_S = 86_400


def request_of(words: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Everything beside files that the answer to a command line depends on.

    None where there is no folder that we are in.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 - no Path here
    except OSError:
        return None
    today = int(time.time() // _DAY_S)
    fast = environment.get("PV_FAST")
    python = [sys.executable, sys.version, sys.path]
    return repr([__version__, list(words), here, today, fast, python])


def find_caches(environment: Mapping[str, str]) -> str | None:
    """The user's cache folder; `user_cache.find_cache_folder` says which that is."""
    own = environment.get("PV_CACHE_DIR")
    if own is not None:
        return own or None
    caches, home = environment.get("XDG_CACHE_HOME"), environment.get("HOME")
    if caches:
        return f"{caches}/pv"
    return f"{home}/.cache/pv" if home else None


def place_of(caches: str, request: str) -> str:
    """The file that the answer to a request is kept in."""
    return f"{caches}/answers-{name_of(request)}.marshal"


def name_of(text: str) -> str:
    """A file name for what a text of any length stands for."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def recall_answer(caches: str, request: str) -> tuple[str, int] | None:
    """What was printed, and the exit code, if that was kept and all files are as they were."""
    try:
        given, ground, by_content, seen, text, code = read_entry(place_of(caches, request))
        if given != request or look_at(*ground, by_content=by_content)[0] != seen:
            return None
        return str(text), int(code)
    except (TypeError, ValueError, OSError):
        return None


def seal_entry(value: Any) -> bytes:
    """An entry as bytes: a digest, and the value in marshal's form."""
    body = marshal.dumps(value)
    return _digest(body) + body


def read_entry(file: str) -> Any:
    """The value of an entry; None where there is none that is whole, and this user's own.

    It is also none if another Python wrote it, whose form of values may be another.
    """
    try:
        descriptor = os.open(file, _OPEN_FLAGS)
    except (OSError, ValueError):
        return None
    try:
        facts = os.fstat(descriptor)
        folder = os.stat(os.path.dirname(file))  # noqa: PTH116, PTH120, TID251
        if not (_is_ours(facts) and _is_ours(folder) and stat.S_ISREG(facts.st_mode)):
            return None
        data = b"" if facts.st_size > _MAX_SIZE_BYTES else _read(descriptor, facts.st_size)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    body = memoryview(data)[_DIGEST_BYTES:]
    return marshal.loads(body) if _digest(body) == data[:_DIGEST_BYTES] else None  # noqa: S302


def look_at(
    folders: Iterable[tuple[str, tuple[str, ...], bool]],
    files: Iterable[str],
    *,
    by_content: bool = False,
) -> tuple[dict[str, object], int]:
    """What is seen of everything in a ground and of pv itself, and the time of its last change.

    Args:
        folders: as `kept_answers.Folder`.
        files: as `kept_answers.Ground.files`.
        by_content: digest the bytes of files instead of taking their times.

    Raises:
        OSError: a folder can't be listed, or a file can't be read though its bytes count.
    """
    seen: dict[str, object] = {}
    newest = 0
    for path, endings, importable in ((_PACKAGE, (".py", ".json"), False), *folders):
        newest = max(newest, _look_below(path, endings, importable, by_content, seen))
    for path in files:
        newest = max(newest, _note(path, _facts_of(path), by_content, seen))
    return seen, newest


def _look_below(
    folder: str,
    endings: tuple[str, ...],
    importable: bool,  # noqa: FBT001 - one call, in the innermost of loops
    by_content: bool,  # noqa: FBT001
    seen: dict[str, object],
) -> int:
    """Note the files that count, and the folders: in one that is newer a file came or went.

    Links are followed, each folder once.
    """
    newest = 0
    pending = [folder]
    been: set[tuple[int, int]] = set()
    while pending:
        here = pending.pop()
        facts = _facts_of(here)
        newest = max(newest, _note(here, facts, by_content, seen))
        if facts is None or not stat.S_ISDIR(facts.st_mode):
            continue
        if (facts.st_dev, facts.st_ino) in been:
            continue
        been.add((facts.st_dev, facts.st_ino))
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.name.endswith(endings):
                    path = entry.path
                    changed = _note(path, _facts_of_entry(entry), by_content, seen)
                    newest = max(newest, changed)
                    if seen[path] != _FOLDER:
                        continue
                if _is_looked_into(entry, importable):
                    pending.append(entry.path)
    return newest


_ABSENT = "absent"
_FOLDER = "folder"


def _note(
    path: str,
    facts: os.stat_result | None,
    by_content: bool,  # noqa: FBT001 - see above
    seen: dict[str, object],
) -> int:
    """What is seen of one file, into `seen`; when it last changed, in nanoseconds."""
    if facts is None:
        seen[path] = _ABSENT
        return 0
    mode, modified, changed = facts.st_mode, facts.st_mtime_ns, facts.st_ctime_ns
    if stat.S_ISDIR(mode):
        seen[path] = _FOLDER
    elif by_content:
        seen[path] = _content(path) if stat.S_ISREG(mode) else mode
    else:
        seen[path] = (mode, facts.st_dev, facts.st_ino, facts.st_size, modified, changed)
    return max(modified, changed)


def _is_looked_into(entry: os.DirEntry[str], importable: bool) -> bool:  # noqa: FBT001
    name = entry.name
    if name == "__pycache__" or not (name.isidentifier() if importable else name[0] != "."):
        return False
    try:
        return entry.is_dir()
    except OSError:
        return False


def _facts_of(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - no Path here
    except (OSError, ValueError):
        return None


def _facts_of_entry(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


def _content(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123 - no Path here
        return blake2b(stream.read()).digest()


def _digest(body: bytes | memoryview) -> bytes:
    digest = blake2b(sys.version.encode(), digest_size=_DIGEST_BYTES)
    digest.update(body)
    return digest.digest()


def _read(descriptor: int, size: int) -> bytes:
    """All bytes of a file of that size; fewer, or more, are no whole file."""
    data = os.read(descriptor, size + 1)
    return data if len(data) == size else b""


def _is_ours(facts: os.stat_result) -> bool:
    """True for what nobody but this user can write to."""
    return facts.st_uid == os.getuid() and not facts.st_mode & 0o022

"""What pv remembers for one user from one command to the next, outside any repository.

An entry is an answer that could be worked out again, under a name of its own. It is read only
from a folder that nobody else can write to, and only if it is whole: its digest stands in front
of it. Whether it still is the answer, the one who remembered it has to judge. Nothing rests on
an entry: it may be deleted at any time, and one that can't be written is worked out again.

Entries never lie in a repository: one that came with it could make pv judge by other bounds, or
on other evidence, than those that it shows.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness import __version__
from pv_harness.atomic_file import write_atomically
from pv_harness.digest import digest_bytes, digest_of
from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_ENTRIES = 64
_MAX_SIZE_BYTES = 256 << 20
_PACKAGE = Path(__file__).resolve().parent


def find_cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Where this user's entries lie: `PV_CACHE_DIR`, or `pv` below the user's cache folder.

    An empty `PV_CACHE_DIR` means that nothing is remembered.
    """
    own = environment.get("PV_CACHE_DIR")
    if own is not None:
        return Path(own) if own else None
    caches, home = environment.get("XDG_CACHE_HOME"), environment.get("HOME")
    if caches:
        return Path(caches) / "pv"
    return Path(home) / ".cache" / "pv" if home else None


def recall(file: Path) -> Any:
    """What `remember` has put there; None for nothing, and for what is damaged or not ours."""
    try:
        if not _is_ours(file.parent):
            return None
        promised, _, body = read_regular(file, _MAX_SIZE_BYTES).partition(b"\n")
        if promised != digest_bytes(body).encode():
            return None
        import json  # noqa: PLC0415 - 1 ms, and `pv validate` keeps no JSON

        return json.loads(body)
    except (OSError, ValueError, RecursionError):
        return None


def remember(file: Path, entry: object) -> None:
    """Keep an entry, whole or not at all; what can't be kept is not. The oldest are forgotten.

    Args:
        file: `KIND-NAME.json` in the cache folder; of each kind the newest 64 stay.
        entry: what JSON has a form for; NaN and the infinities too.
    """
    import json  # noqa: PLC0415 - see above

    body = json.dumps(entry, separators=(",", ":")).encode()
    keep_bytes(file, digest_bytes(body).encode() + b"\n" + body)


def keep_bytes(file: Path, data: bytes) -> None:
    """Keep the bytes of an entry as `remember` keeps a value; to read them is the caller's."""
    if len(data) > _MAX_SIZE_BYTES:
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_ours(file.parent):
            write_atomically(file, data)
            _forget_oldest(file)


def own_digest() -> str:
    """SHA-256 over pv's version, sources and schemas: another pv may answer otherwise."""
    return digest_of([__version__, _digest_sources()])


@functools.cache  # what this process has loaded does not change
def _digest_sources() -> str:
    files = sorted(
        f"{parent}{os.sep}{name}"
        for parent, _, names in os.walk(_PACKAGE)
        for name in names
        if name.endswith((".py", ".json"))
    )
    digests = []
    for file in files:
        with open(file, "rb") as stream:  # noqa: PTH123
            digests.append([file, digest_bytes(stream.read())])
    return digest_of(digests)


def _is_ours(folder: Path) -> bool:
    """True for a folder that nobody but this user can write to."""
    facts = folder.stat()
    return facts.st_uid == os.getuid() and not facts.st_mode & 0o022


def _forget_oldest(newest: Path) -> None:
    kind = newest.name.partition("-")[0]
    entries = sorted(
        newest.parent.glob(f"{kind}-*{newest.suffix}"), key=lambda f: f.stat().st_mtime
    )
    for old in entries[:-_MOST_ENTRIES]:
        old.unlink(missing_ok=True)

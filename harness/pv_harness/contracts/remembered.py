"""The contracts and checks of a project, remembered while no byte that they rest on changes.

Judging contracts reads them, the checks, and the sources that defects are planted in. That
costs half a second, and most commands ask for the same answer again. It is kept under a key
made of every byte that could change it: contracts, Python files that could be imported or hold
checks, files that defects are planted in, the settings, and pv itself. Times and sizes are no
part of it, so an edit that keeps both is seen. Only a faultless answer is kept, and an entry
that can't be read is as good as none.

Entries lie in the user's own cache folder, never in the repository: one that came with a
repository could make pv judge by other bounds than those that its contracts show.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness import __version__
from pv_harness.atomic_file import write_atomically
from pv_harness.contracts.bindings import Check
from pv_harness.contracts.file_search import CONTRACT_SUFFIXES
from pv_harness.contracts.reading import read_contract_value
from pv_harness.digest import digest_bytes, digest_file, digest_of
from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pv_harness.contracts.contract import Contract
    from pv_harness.project import Project

_MOST_ENTRIES = 64
_MAX_SIZE_BYTES = 256 << 20
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The contracts and checks of a project, all valid.

    Attributes:
        digests: SHA-256 of every file that they rest on, by absolute path, as they were read.
    """

    contracts: tuple[Contract, ...]
    checks: tuple[Check, ...]
    digests: dict[Path, str]


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


def load_remembered(project: Project, folder: Path | None) -> Loaded:
    """What `load_contracts` returns, from the cache folder where nothing has changed.

    Raises:
        UsageError: the project has no contract.
        ContractError: an error in any contract or check; it holds every problem found.
    """
    digests = _digests(_files(project))
    if folder is None:
        return _load(project, digests)
    file = folder / f"contracts-{digest_of(str(project.root))[:32]}.json"
    found = _recall(file, project, digests)
    if found is not None:
        return found
    loaded = _load(project, digests)
    # What changed while we judged would leave an answer under the wrong key.
    if _digests(_files(project)) == digests:
        with contextlib.suppress(OSError):
            _remember(file, project, loaded)
    return loaded


def _load(project: Project, digests: dict[Path, str]) -> Loaded:
    # The rules, the schema and the YAML parser: half of what this module is there to save.
    from pv_harness.contracts.validation import load_contracts  # noqa: PLC0415

    contracts, checks = load_contracts(project)
    return Loaded(contracts, checks, digests)


def _recall(file: Path, project: Project, digests: dict[Path, str]) -> Loaded | None:
    try:
        if not _is_ours(file.parent):
            return None
        entry = _unseal(read_regular(file, _MAX_SIZE_BYTES))
        targets = _digests(project.root / name for name in entry["targets"])
        if entry["key"] != _key(project, {**digests, **targets}):
            return None
        contracts = tuple(
            read_contract_value(path, value) for path, value in entry["contracts"]
        )
        checks = tuple(Check(*row) for row in entry["checks"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Loaded(contracts, checks, digests)


def _remember(file: Path, project: Project, loaded: Loaded) -> None:
    from pv_harness.documents.loading import load_file  # noqa: PLC0415 - the YAML parser

    contracts = loaded.contracts
    names = sorted(
        {str(p.patch.file) for c in contracts for f in c.falsifiers for p in f.plants}
    )
    targets = _digests(project.root / name for name in names)
    entry = {
        "key": _key(project, {**loaded.digests, **targets}),
        "targets": names,
        "contracts": [
            [str(c.path), load_file(project.root / c.path, str(c.path)).value]
            for c in contracts
        ],
        "checks": [
            [c.falsifier_id, c.path, c.line, c.qualname, c.node_id] for c in loaded.checks
        ],
    }
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_ours(file.parent):
        write_atomically(file, _seal(entry))
        _forget_oldest(file.parent)


def _seal(entry: object) -> bytes:
    """The entry with its digest in front: a damaged one is no entry."""
    body = json.dumps(entry).encode()
    return digest_bytes(body).encode() + b"\n" + body


def _unseal(data: bytes) -> Any:
    promised, _, body = data.partition(b"\n")
    if promised != digest_bytes(body).encode():
        raise ValueError("damaged")
    return json.loads(body)


def _is_ours(folder: Path) -> bool:
    """True for a folder that nobody but this user can write to."""
    facts = folder.stat()
    return facts.st_uid == os.getuid() and not facts.st_mode & 0o022


def _forget_oldest(folder: Path) -> None:
    entries = sorted(folder.glob("contracts-*.json"), key=lambda f: f.stat().st_mtime)
    for old in entries[:-_MOST_ENTRIES]:
        old.unlink(missing_ok=True)


def _key(project: Project, digests: dict[Path, str]) -> str:
    own = _digests(_walk(_PACKAGE, frozenset({".py", ".json"})))
    settings = [project.contracts, project.checks, project.source_roots, sorted(project.inputs)]
    files = sorted([str(path), digest] for path, digest in {**digests, **own}.items())
    return digest_of([__version__, str(project.root), repr(settings), files])


def _files(project: Project) -> Iterator[Path]:
    """Every contract, and every Python file that can be imported or hold a check."""
    for place in project.contracts:
        yield from _walk(place, CONTRACT_SUFFIXES) if place.is_dir() else (place,)
    for place in dict.fromkeys((*project.checks, *project.import_roots)):
        yield from _walk(place, frozenset({".py"})) if place.is_dir() else (place,)


def _walk(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Files with one of the suffixes below a folder, except where no module can lie."""
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        facts = os.stat(parent)  # noqa: PTH116 - twenty thousand files: a Path each would show
        if (facts.st_dev, facts.st_ino) in seen:
            folders.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        here = Path(parent)
        yield from (here / name for name in files if os.path.splitext(name)[1] in suffixes)  # noqa: PTH122, TID251


def _digests(files: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of each file's bytes; what can't be read is known by that."""
    found = {}
    for file in files:
        try:
            found[file] = digest_file(file) if file.is_file() else "absent"
        except OSError as error:
            found[file] = f"unreadable: {error.strerror}"
    return found

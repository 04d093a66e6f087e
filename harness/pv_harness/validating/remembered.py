"""The contracts and checks of a project, remembered while no byte that they rest on changes.

Judging contracts reads them, the checks, and the sources that defects are planted in. That
costs half a second, and most commands ask for the same answer again. It is kept under a key
made of every byte that could change it: contracts, Python files that could be imported or hold
checks, files that defects are planted in, the settings, and pv itself. Times and sizes are no
part of it, so an edit that keeps both is seen. Only an answer that can be judged by is kept.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.contracts.bindings import Check
from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, list_files, walk_files
from pv_harness.contracts.reading import read_contract_value
from pv_harness.digest import digest_file, digest_of
from pv_harness.user_cache import own_digest, recall, remember


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pv_harness.contracts.contract import Contract
    from pv_harness.project import Project

_PYTHON = ".py"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The contracts and checks of a project, all fit to be judged by.

    Attributes:
        void: falsifier ID -> name of a change that can't be planted on this tree -> why.
        digests: SHA-256 of every file that they rest on, by absolute path, as they were read.
    """

    contracts: tuple[Contract, ...]
    checks: tuple[Check, ...]
    void: dict[str, dict[str, str]]
    digests: dict[Path, str]


def load_remembered(project: Project, folder: Path | None) -> Loaded:
    """What `load_judged` returns, from the cache folder where nothing has changed.

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
        _remember(file, project, loaded)
    return loaded


def _load(project: Project, digests: dict[Path, str]) -> Loaded:
    # The rules, the schema and the YAML parser: half of what this module is there to save.
    from pv_harness.validating.validation import load_judged  # noqa: PLC0415

    return Loaded(*load_judged(project), digests)


def _recall(file: Path, project: Project, digests: dict[Path, str]) -> Loaded | None:
    entry = recall(file)
    try:
        targets = _digests(project.root / name for name in entry["targets"])
        if entry["key"] != _key(project, {**digests, **targets}):
            return None
        contracts = tuple(
            read_contract_value(path, value) for path, value in entry["contracts"]
        )
        checks = tuple(Check(*row) for row in entry["checks"])
        void = {name: dict(why) for name, why in entry["void"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Loaded(contracts, checks, void, digests)


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
        "void": loaded.void,
    }
    remember(file, entry)


def _key(project: Project, digests: dict[Path, str]) -> str:
    settings = [project.contracts, project.checks, project.source_roots, sorted(project.inputs)]
    files = sorted([str(path), digest] for path, digest in digests.items())
    return digest_of([own_digest(), str(project.root), repr(settings), files])


def _files(project: Project) -> Iterator[Path]:
    """Every contract, and every Python file that can be imported or hold a check."""
    # What is judged is found in the same way: a file that only one of both ways finds would be
    # judged by what it held when the answer was kept.
    for place in project.contracts:
        if place.is_dir():
            for file in list_files(str(place), CONTRACT_SUFFIXES):
                # A link is called after what it leads to, where that lies in the project.
                yield from map(Path, {file.path, file.real})
        else:
            yield place
    for place in project.checks:
        yield from walk_files(place, {_PYTHON}) if place.is_dir() else (place,)
    for place in project.import_roots:
        yield from _walk_modules(place) if place.is_dir() else (place,)


def _walk_modules(folder: Path) -> Iterator[Path]:
    """Python files below a folder, except where no module can lie; what can't be listed too."""
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        facts = os.stat(parent)  # noqa: PTH116 - twenty thousand files: a Path each would show
        if (facts.st_dev, facts.st_ino) in seen:
            folders.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        here = Path(parent)
        yield from (here / name for name in files if name.endswith(_PYTHON))


def _digests(files: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of each file's bytes; what can't be read is known by that."""
    found = {}
    for file in dict.fromkeys(files):
        try:
            found[file] = digest_file(file) if file.is_file() else "absent"
        except OSError as error:
            found[file] = f"unreadable: {error.strerror}"
    return found

"""A manifest made from the tree as it is now: claim, checks, sources, settings and inputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.digest import digest_file, digest_of
from pv_harness.fingerprint.manifest import PYTEST, Entry, EntryKind, Manifest
from pv_harness.fingerprint.sources import HARNESS_PACKAGE


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.sources import SourceTree

_AT_EVERY_START = ("sitecustomize", "usercustomize")
"""What Python imports by itself, wherever it finds it. Source: the module `site`."""
_INPUT = "input "
_ABSENT_NAME = "modules"


def build_manifest(
    falsifier: Falsifier,
    checks: Sequence[Check],
    tree: SourceTree,
    *,
    observed: Iterable[Path] = (),
    inputs: Mapping[str, Mapping[str, Path]] | None = None,
    inputs_root: Path | None = None,
) -> Manifest:
    """The manifest of a falsifier on the tree as it is now.

    Args:
        falsifier: the claim.
        checks: the checks bound to it.
        tree: the project's sources.
        observed: files of project modules that were imported while the checks ran.
        inputs: input name -> part name -> path, of the inputs that the falsifier declares.
        inputs_root: what the paths of inputs are named relative to; the tree's root if None.

    Raises:
        OSError: a source or an input can't be read.
    """
    entries = [
        Entry(EntryKind.CLAIM, falsifier.id, falsifier.claim_digest),
        Entry(EntryKind.CHECKS, falsifier.id, binding_digest(checks)),
    ]
    files = list_sources(falsifier, checks, tree, observed)
    for path in files:
        source = tree.read(path)
        name = tree.name_of(path)
        digests = (source.syntax_digest, source.bytes_digest)
        entries.append(Entry(EntryKind.SOURCE, name, *digests, source.definitions))
    absent = "\n".join(tree.absent_modules(files, (*falsifier.covers, *_AT_EVERY_START)))
    entries.append(Entry(EntryKind.ABSENT, _ABSENT_NAME, "", None, absent))
    entries += list_settings(falsifier, checks, tree)
    for name, parts in sorted((inputs or {}).items()):
        for part, path in sorted(parts.items()):
            label = f"{name}.{part}={_relative(path, inputs_root or tree.root)}"
            entries.append(Entry(EntryKind.INPUT, label, digest_path(path)))
    return Manifest(tuple(entries))


def digest_path(path: Path) -> str:
    """SHA-256 of a file, or of the names and digests of all files below a folder.

    Links are followed, as whoever reads the input follows them.

    Raises:
        OSError: something there can't be read.
    """
    if not path.is_dir():
        return digest_file(path)
    files = sorted(_files_below(path))
    return digest_of([[p.relative_to(path).as_posix(), digest_file(p)] for p in files])


def list_sources(
    falsifier: Falsifier, checks: Sequence[Check], tree: SourceTree, observed: Iterable[Path]
) -> list[Path]:
    """The sources that a verdict depends on, sorted: what is covered, the checks, what ran.

    Raises:
        OSError: a source can't be read, or a folder not be listed.
    """
    judges_harness = any(name.split(".")[0] == HARNESS_PACKAGE for name in falsifier.covers)

    def counts(path: Path) -> bool:
        return judges_harness or not tree.belongs_to_harness(path)

    covered = [path for name in falsifier.covers for path in tree.find_with_packages(name)]
    check_files = {tree.path_of(check.path) for check in checks}
    conftests = {c for path in check_files for c in tree.conftests(path.parent)}
    seen = filter(counts, map(_straight, observed))
    started = filter(None, map(tree.find_imported, _AT_EVERY_START))
    files = set(tree.closure([*covered, *check_files, *conftests, *started, *seen]))
    files |= {native for folder in _folders(files) for native in tree.native_files(folder)}
    return sorted(filter(counts, files))


def list_settings(
    falsifier: Falsifier, checks: Sequence[Check], tree: SourceTree
) -> Iterator[Entry]:
    """What pytest's configuration is and what makes each input of the claim, now."""
    # Of thousands of manifests most have the same: their digests are reckoned once.
    folders = frozenset(tree.path_of(check.path).parent for check in checks)
    if folders not in tree.settings:
        tables = {pair for folder in folders for pair in tree.pytest_tables(folder)}
        tree.settings[folders] = _setting(PYTEST, tables)
    yield tree.settings[folders]
    for name in sorted(set(falsifier.inputs)):
        if name not in tree.settings:
            tree.settings[name] = _setting(f"{_INPUT}{name}", tree.input_makers(name))
        yield tree.settings[name]


def binding_digest(checks: Sequence[Check]) -> str:
    """The digest of which checks are bound, whatever is in them."""
    return digest_of(sorted(check.node_id for check in checks))


def _setting(name: str, parts: Iterable[tuple[str, str]]) -> Entry:
    ordered = sorted(parts)
    lines = "\n".join(f"{digest[:12]} {part}" for part, digest in ordered)
    return Entry(EntryKind.SETTING, name, digest_of(ordered), None, lines)


def _straight(path: Path) -> Path:
    """A path without `..`, which a check leaves in sys.path: stored names never hold one."""
    return Path(os.path.normpath(path))  # noqa: TID251 - no link is followed


def _folders(files: Iterable[Path]) -> set[Path]:
    return {path.parent for path in files}


def _files_below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The files below a folder, also through links to folders, none of them in a circle."""
    place = folder.resolve()
    if place in above:
        return
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files_below(path, above | {place})
        elif path.is_file():
            yield path


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()

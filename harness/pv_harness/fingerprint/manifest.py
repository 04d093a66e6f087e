"""The fingerprint of a verdict, as a stored list, so that STALE can say which byte changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.digest import digest_file, digest_of
from pv_harness.fingerprint.sources import HARNESS_PACKAGE


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.sources import SourceFile, SourceTree

_MOST_NAMED = 3


class EntryKind(Enum):
    """What an entry of a manifest stands for."""

    CLAIM = "claim"
    CHECKS = "checks"
    SOURCE = "source"
    INPUT = "input"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can change a verdict.

    Attributes:
        name: the falsifier's ID (claim, checks), a path relative to the root (source), or
            `input.part=path` (input).
        digest: what counts: for Python the syntax, otherwise the bytes.
        bytes_digest: of the file, so that an untouched file needs no parsing; else None.
        definitions: of a Python source, a line for each top-level definition, short digest and
            name, so that a change can be named; no part of the fingerprint.
    """

    kind: EntryKind
    name: str
    digest: str
    bytes_digest: str | None = None
    definitions: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a manifest that is not as it was, and what happened to it."""

    kind: EntryKind
    name: str
    what: str

    def __str__(self) -> str:
        match self.kind:
            case EntryKind.CLAIM:
                return f"the claim {self.what} (rule, prediction, bounds, levels or covers)"
            case EntryKind.CHECKS:
                return "the set of bound checks changed"
            case EntryKind.SOURCE:
                return f"{self.name} {self.what}"
            case EntryKind.INPUT:
                return f"input {self.name} {self.what}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that could have changed one verdict, sorted."""

    entries: tuple[Entry, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over kind, name and digest of every entry."""
        return digest_of([[e.kind.value, e.name, e.digest] for e in self.entries])


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
        Entry(EntryKind.CHECKS, falsifier.id, _binding_digest(checks)),
    ]
    for path in _source_files(falsifier, checks, tree, observed):
        source = tree.read(path)
        name = _relative(path, tree.root)
        digests = (source.syntax_digest, source.bytes_digest)
        entries.append(Entry(EntryKind.SOURCE, name, *digests, source.definitions))
    for name, parts in sorted((inputs or {}).items()):
        for part, path in sorted(parts.items()):
            label = f"{name}.{part}={_relative(path, inputs_root or tree.root)}"
            entries.append(Entry(EntryKind.INPUT, label, digest_path(path)))
    return Manifest(tuple(entries))


def find_changes(
    manifest: Manifest,
    falsifier: Falsifier,
    checks: Sequence[Check],
    tree: SourceTree,
    inputs_root: Path | None = None,
) -> tuple[Change, ...]:
    """Every entry that differs from the tree as it is now; none means that it is fresh.

    An untouched file is recognised by its bytes alone. Imports are followed again only when a
    source did change, or a new file takes the name of a known module or stands above a check:
    only then can a file have joined the closure.
    """
    changes = [
        change
        for entry in manifest.entries
        if (change := _change_of(entry, falsifier, checks, tree, inputs_root)) is not None
    ]
    known = {entry.name for entry in manifest.entries if entry.kind is EntryKind.SOURCE}
    if _bytes_differ(manifest, tree) or _has_newcomers(known, checks, tree):
        for path in _source_files(falsifier, checks, tree, ()):
            name = _relative(path, tree.root)
            if name not in known:
                changes.append(Change(EntryKind.SOURCE, name, "joined the sources"))
    return tuple(changes)


def _has_newcomers(known: set[str], checks: Sequence[Check], tree: SourceTree) -> bool:
    """True if a conftest or a native source appeared, or a module's name means another file."""
    conftests = {c for check in checks for c in _conftests(tree.root / check.path, tree.root)}
    if any(_relative(path, tree.root) not in known for path in conftests):
        return True
    folders = _folders(tree.root / name for name in known)
    native = [
        path for folder in folders if folder.is_dir() for path in tree.native_files(folder)
    ]
    if any(_relative(path, tree.root) not in known for path in native):
        return True
    for name in known:
        path = tree.root / name
        module = tree.module_name(path)
        found = tree.find_module(module) if module else None
        if found is not None and found != path:
            return True
    return False


def digest_path(path: Path) -> str:
    """SHA-256 of a file, or of the names and digests of all files below a folder.

    Raises:
        OSError: something there can't be read.
    """
    if not path.is_dir():
        return digest_file(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return digest_of([[p.relative_to(path).as_posix(), digest_file(p)] for p in files])


def input_digests(manifest: Manifest) -> dict[str, dict[str, str]]:
    """Input name -> part -> digest, as the manifest holds them."""
    found: dict[str, dict[str, str]] = {}
    for entry in manifest.entries:
        if entry.kind is EntryKind.INPUT:
            name, _, part = entry.name.partition("=")[0].partition(".")
            found.setdefault(name, {})[part] = entry.digest
    return found


def _change_of(
    entry: Entry,
    falsifier: Falsifier,
    checks: Sequence[Check],
    tree: SourceTree,
    inputs_root: Path | None,
) -> Change | None:
    match entry.kind:
        case EntryKind.CLAIM:
            same = falsifier.claim_digest == entry.digest
            return None if same else Change(entry.kind, entry.name, "changed")
        case EntryKind.CHECKS:
            same = _binding_digest(checks) == entry.digest
            return None if same else Change(entry.kind, entry.name, "changed")
        case EntryKind.SOURCE:
            return _source_change(entry, tree)
        case EntryKind.INPUT:
            return _input_change(entry, inputs_root or tree.root)


def _source_change(entry: Entry, tree: SourceTree) -> Change | None:
    path = tree.root / entry.name
    try:
        same = tree.bytes_digest(path) == entry.bytes_digest
        if same or tree.read(path).syntax_digest == entry.digest:
            return None
    except FileNotFoundError:
        return Change(entry.kind, entry.name, "is gone")
    except OSError as error:
        return Change(entry.kind, entry.name, f"can't be read ({error.strerror})")
    return Change(entry.kind, entry.name, _what_changed(entry, tree.read(path)))


def _what_changed(entry: Entry, source: SourceFile) -> str:
    """`changed`, and in which definitions where both versions are known by them."""
    if not entry.definitions or not source.definitions:
        return "changed"
    before, after = (Counter(d.splitlines()) for d in (entry.definitions, source.definitions))
    touched = dict.fromkeys(
        line.partition(" ")[2] for line in (*(after - before), *(before - after))
    )
    if not touched:
        return "changed: the order of its definitions"
    named = list(touched)[:_MOST_NAMED]
    rest = f" and {len(touched) - len(named)} more" if len(touched) > len(named) else ""
    return f"changed: {', '.join(named)}{rest}"


def _input_change(entry: Entry, root: Path) -> Change | None:
    label, _, relative = entry.name.partition("=")
    try:
        same = digest_path(root / relative) == entry.digest
    except FileNotFoundError:
        return Change(entry.kind, label, f"is gone ({relative})")
    except OSError as error:
        return Change(entry.kind, label, f"can't be read ({relative}: {error.strerror})")
    return None if same else Change(entry.kind, label, f"changed ({relative})")


def _bytes_differ(manifest: Manifest, tree: SourceTree) -> bool:
    for entry in manifest.entries:
        if entry.kind is EntryKind.SOURCE:
            try:
                if tree.bytes_digest(tree.root / entry.name) != entry.bytes_digest:
                    return True
            except OSError:
                return True
    return False


def _source_files(
    falsifier: Falsifier, checks: Sequence[Check], tree: SourceTree, observed: Iterable[Path]
) -> list[Path]:
    covered = [p for name in falsifier.covers if (p := tree.find_module(name)) is not None]
    check_files = {tree.root / check.path for check in checks}
    conftests = {c for path in check_files for c in _conftests(path, tree.root)}
    files = set(tree.closure([*covered, *check_files, *conftests])) | set(observed)
    files |= {native for folder in _folders(files) for native in tree.native_files(folder)}
    judges_harness = any(name.split(".")[0] == HARNESS_PACKAGE for name in falsifier.covers)
    return sorted(p for p in files if judges_harness or not tree.belongs_to_harness(p))


def _folders(files: Iterable[Path]) -> set[Path]:
    return {path.parent for path in files}


def _conftests(path: Path, root: Path) -> list[Path]:
    folders = [f for f in path.parents if f == root or f.is_relative_to(root)]
    return [f / "conftest.py" for f in folders if (f / "conftest.py").is_file()]


def _binding_digest(checks: Sequence[Check]) -> str:
    return digest_of(sorted(check.node_id for check in checks))


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()

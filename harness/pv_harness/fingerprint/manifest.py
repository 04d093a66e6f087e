"""The fingerprint of a verdict, as a stored list, so that STALE can say which byte changed."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.digest import digest_file, digest_of
from pv_harness.fingerprint.sources import HARNESS_PACKAGE


if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.sources import SourceFile, SourceTree

_MOST_NAMED = 3
_OUTSIDE = "lies outside the project"


class EntryKind(Enum):
    """What an entry of a manifest stands for."""

    CLAIM = "claim"
    CHECKS = "checks"
    SOURCE = "source"
    INPUT = "input"
    ABSENT = "absent"
    """What would be imported if it were there, and is not."""
    SETTING = "setting"
    """Configuration that decides how checks run: pytest's, and what makes an input."""


_AT_EVERY_START = ("sitecustomize", "usercustomize")
"""What Python imports by itself, wherever it finds it. Source: the module `site`."""
_PYTEST = "pytest"
_INPUT = "input "
_UNASKED = "never asked for"
_ABSENT_NAME = "modules"
_CLAIM_PARTS = (
    "rule, prediction, if_fails, bounds, levels, covers, inputs, seeds, requires or counted"
)
"""What `Falsifier.claim_digest` is made of; `pv explain` finds out which by git."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can change a verdict.

    Attributes:
        name: the falsifier's ID (claim, checks), a path relative to the root (source), or
            `input.part=path` (input), `pytest` or `input NAME` (setting).
        digest: what counts: for Python the syntax, otherwise the bytes; empty (absent).
        bytes_digest: of the file, so that an untouched file needs no parsing; else None.
        definitions: of a Python source, a line for each top-level definition, short digest and
            name, so that a change can be named; of what is absent, a line for each place as
            `SourceTree.absent_modules` names it; of an input, that nothing read it; of a
            setting, a line for each part. No part of the fingerprint.
    """

    kind: EntryKind
    name: str
    digest: str
    bytes_digest: str | None = None
    definitions: str = ""

    def __hash__(self) -> int:
        # Of all fields, what differs between entries; a manifest hashes some hundred of them.
        return hash((self.name, self.digest))

    @property
    def paths(self) -> tuple[str, ...]:
        """The places that are looked at to see whether it changed."""
        match self.kind:
            case EntryKind.SOURCE:
                return (self.name,)
            case EntryKind.INPUT:
                return (self.name.partition("=")[2],)
            case EntryKind.ABSENT:
                return tuple(self.definitions.splitlines())
            case EntryKind.CLAIM | EntryKind.CHECKS | EntryKind.SETTING:
                return ()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a manifest that is not as it was, and what happened to it."""

    kind: EntryKind
    name: str
    what: str

    def __str__(self) -> str:
        match self.kind:
            case EntryKind.CLAIM:
                return f"the claim {self.what} ({_CLAIM_PARTS})"
            case EntryKind.CHECKS:
                return "the set of bound checks changed"
            case EntryKind.SOURCE | EntryKind.ABSENT:
                return f"{self.name} {self.what}"
            case EntryKind.INPUT:
                return f"input {self.name} {self.what}"
            case EntryKind.SETTING if self.name == _PYTEST:
                return f"the configuration of pytest {self.what}"
            case EntryKind.SETTING:
                return f"what makes {self.name} {self.what}"


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
    files = _source_files(falsifier, checks, tree, observed)
    for path in files:
        source = tree.read(path)
        name = tree.name_of(path)
        digests = (source.syntax_digest, source.bytes_digest)
        entries.append(Entry(EntryKind.SOURCE, name, *digests, source.definitions))
    absent = "\n".join(tree.absent_modules(files, (*falsifier.covers, *_AT_EVERY_START)))
    entries.append(Entry(EntryKind.ABSENT, _ABSENT_NAME, "", None, absent))
    entries += _settings(falsifier, checks, tree)
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
    source did change, or a file has appeared that one of them may import or that stands above
    it: only then can a file have joined the closure.
    """
    inputs_root = inputs_root or tree.root
    changes = [
        change
        for entry in manifest.entries
        if (
            change := _elsewhere(entry, falsifier, tree, inputs_root)
            or _change_of(entry, falsifier, checks, tree, inputs_root)
        )
        is not None
    ]
    if any(change.what == _OUTSIDE for change in changes):
        return tuple(changes)
    known = {entry.name for entry in manifest.entries if entry.kind is EntryKind.SOURCE}
    if (
        not all(_is_untouched(e, tree) for e in manifest.entries if e.kind is EntryKind.SOURCE)
        or _has_appeared(manifest, tree)
        or _has_newcomers(known, checks, tree)
    ):
        changes.extend(_joined(known, falsifier, checks, tree))
    return tuple(changes)


def _elsewhere(
    entry: Entry, falsifier: Falsifier, tree: SourceTree, inputs_root: Path
) -> Change | None:
    """The change that is told of what no run of this claim here could rest on: it stays shut.

    Evidence may come from anywhere, and whoever wrote it chose the names in it.
    """
    if entry.kind is EntryKind.SOURCE:
        is_foreign = entry.name.startswith("/") and not tree.holds(tree.path_of(entry.name))
        return Change(entry.kind, entry.name, _OUTSIDE) if is_foreign else None
    if entry.kind is EntryKind.INPUT:
        label, _, name = entry.name.partition("=")
        if label.partition(".")[0] not in falsifier.inputs:
            return Change(entry.kind, label, "is none that the claim declares")
        if inputs_root.is_relative_to(inputs_root / name):
            return Change(entry.kind, label, f"holds the project itself ({name})")
    return None


def _joined(
    known: set[str], falsifier: Falsifier, checks: Sequence[Check], tree: SourceTree
) -> Iterator[Change]:
    # What was imported by a computed name is reached from no import statement but its own.
    still_there = [path for name in known if (path := tree.path_of(name)).is_file()]
    try:
        files = _source_files(falsifier, checks, tree, still_there)
    except OSError as error:
        name = tree.name_of(Path(error.filename or tree.root))
        yield Change(EntryKind.SOURCE, name, f"can't be read ({error.strerror})")
        return
    for path in files:
        name = tree.name_of(path)
        if name not in known:
            yield Change(EntryKind.SOURCE, name, "joined the sources")


def _has_appeared(manifest: Manifest, tree: SourceTree) -> bool:
    """True if something that was absent is there; also where nobody noted what was absent."""
    absent = [e.definitions for e in manifest.entries if e.kind is EntryKind.ABSENT]
    return not absent or any(tree.has_any(places.splitlines()) for places in absent)


def _has_newcomers(known: set[str], checks: Sequence[Check], tree: SourceTree) -> bool:
    """True if a file appeared beside or above the known ones, or a name means another file."""
    around = [tree.around(name) for name in known]
    if any(names is None or not names <= known for names in around):
        return True
    conftests = (c for check in checks for c in tree.conftests(tree.path_of(check.path).parent))
    return any(tree.name_of(path) not in known for path in conftests)


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


def input_digests(manifest: Manifest) -> dict[str, dict[str, str]]:
    """Input name -> part -> digest, as the manifest holds them."""
    found: dict[str, dict[str, str]] = {}
    for entry in manifest.entries:
        if entry.kind is EntryKind.INPUT:
            name, _, part = entry.name.partition("=")[0].partition(".")
            found.setdefault(name, {})[part] = entry.digest
    return found


def mark_unasked(manifest: Manifest, names: Container[str]) -> Manifest:
    """The manifest with a note at these inputs that nothing read them when the checks ran."""
    return Manifest(
        tuple(
            replace(entry, definitions=_UNASKED)
            if entry.kind is EntryKind.INPUT and _input_of(entry) in names
            else entry
            for entry in manifest.entries
        )
    )


def names_held(manifest: Manifest) -> frozenset[tuple[EntryKind, str]]:
    """The kind and name of each entry, as a change of it would have them."""
    return frozenset(
        (e.kind, e.name.partition("=")[0] if e.kind is EntryKind.INPUT else e.name)
        for e in manifest.entries
    )


def note_absent(manifest: Manifest, names: Iterable[str]) -> Manifest:
    """The manifest with a note of those of these sources that it does not hold."""
    held = {entry.name for entry in manifest.entries}
    missing = sorted(set(names) - held)
    notes = (Entry(EntryKind.ABSENT, name, "") for name in missing)
    return Manifest((*manifest.entries, *notes))


def _input_of(entry: Entry) -> str:
    return entry.name.partition("=")[0].partition(".")[0]


def unasked_inputs(manifest: Manifest) -> frozenset[str]:
    """The inputs that are declared and that nothing read when the checks ran."""
    return frozenset(
        _input_of(entry)
        for entry in manifest.entries
        if entry.kind is EntryKind.INPUT and entry.definitions == _UNASKED
    )


def _change_of(
    entry: Entry,
    falsifier: Falsifier,
    checks: Sequence[Check],
    tree: SourceTree,
    inputs_root: Path,
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
            return _input_change(entry, inputs_root)
        case EntryKind.SETTING:
            return _setting_change(entry, _settings(falsifier, checks, tree))
        case EntryKind.ABSENT:
            return None  # what has appeared is a change only if it is imported


def _settings(
    falsifier: Falsifier, checks: Sequence[Check], tree: SourceTree
) -> Iterator[Entry]:
    # Of thousands of manifests most have the same: their digests are reckoned once.
    folders = frozenset(tree.path_of(check.path).parent for check in checks)
    if folders not in tree.settings:
        tables = {pair for folder in folders for pair in tree.pytest_tables(folder)}
        tree.settings[folders] = _setting(_PYTEST, tables)
    yield tree.settings[folders]
    for name in sorted(set(falsifier.inputs)):
        if name not in tree.settings:
            tree.settings[name] = _setting(f"{_INPUT}{name}", tree.input_makers(name))
        yield tree.settings[name]


def _setting(name: str, parts: Iterable[tuple[str, str]]) -> Entry:
    ordered = sorted(parts)
    lines = "\n".join(f"{digest[:12]} {part}" for part, digest in ordered)
    return Entry(EntryKind.SETTING, name, digest_of(ordered), None, lines)


def _setting_change(entry: Entry, now: Iterable[Entry]) -> Change | None:
    found = next((other for other in now if other.name == entry.name), None)
    if found is None:
        return Change(entry.kind, entry.name, "is nothing that the claim rests on")
    if found.digest == entry.digest:
        return None
    return Change(entry.kind, entry.name, f"changed{_touched(entry, found)}")


def _touched(entry: Entry, found: Entry) -> str:
    """The parts of a setting that are not as they were: `: pytest.ini`."""
    lines = set(entry.definitions.splitlines()) ^ set(found.definitions.splitlines())
    names = sorted({line.partition(" ")[2] for line in lines})
    return f": {', '.join(names[:_MOST_NAMED])}" if names else ""


def _is_untouched(entry: Entry, tree: SourceTree) -> bool:
    """True if a source has the very bytes that it had."""
    now = tree.digest_now(entry.name)
    return now is not None and now == entry.bytes_digest


def _source_change(entry: Entry, tree: SourceTree) -> Change | None:
    if _is_untouched(entry, tree):
        return None
    try:
        source = tree.read(tree.path_of(entry.name))
    except FileNotFoundError:
        return Change(entry.kind, entry.name, "is gone")
    except OSError as error:
        return Change(entry.kind, entry.name, f"can't be read ({error.strerror})")
    if source.syntax_digest == entry.digest:
        return None
    return Change(entry.kind, entry.name, _what_changed(entry, source))


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


def _source_files(
    falsifier: Falsifier, checks: Sequence[Check], tree: SourceTree, observed: Iterable[Path]
) -> list[Path]:
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


def _straight(path: Path) -> Path:
    """A path without `..`, which a check leaves in sys.path: stored names never hold one."""
    return Path(os.path.normpath(path))  # noqa: TID251 - no link is followed


def _folders(files: Iterable[Path]) -> set[Path]:
    return {path.parent for path in files}


def _binding_digest(checks: Sequence[Check]) -> str:
    return digest_of(sorted(check.node_id for check in checks))


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()

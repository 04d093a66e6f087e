"""What is not as a stored manifest says, each thing named, so that STALE can say why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.fingerprint.building import (
    binding_digest,
    digest_path,
    list_settings,
    list_sources,
)
from pv_harness.fingerprint.manifest import Change, EntryKind


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.manifest import Entry, Manifest
    from pv_harness.fingerprint.sources import SourceFile, SourceTree

_MOST_NAMED = 3
_OUTSIDE = "lies outside the project"


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
        files = list_sources(falsifier, checks, tree, still_there)
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
            same = binding_digest(checks) == entry.digest
            return None if same else Change(entry.kind, entry.name, "changed")
        case EntryKind.SOURCE:
            return _source_change(entry, tree)
        case EntryKind.INPUT:
            return _input_change(entry, inputs_root)
        case EntryKind.SETTING:
            return _setting_change(entry, list_settings(falsifier, checks, tree))
        case EntryKind.ABSENT:
            return None  # what has appeared is a change only if it is imported


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

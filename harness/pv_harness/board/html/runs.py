"""The evidence of one falsifier: its runs, and what the newest of them depends on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pv_harness.board.html import moment
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.tables import listed, table
from pv_harness.board.html.whole import in_pieces
from pv_harness.evidence.records import Verdict
from pv_harness.fingerprint.manifest import EntryKind
from pv_harness.wording import counted, first_line


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.deriving.status import Assessed
    from pv_harness.evidence.records import RunRecord
    from pv_harness.fingerprint.manifest import Manifest

MAX_RUNS = 6
_MAX_NAMES = 60
_COLUMNS = ("finished", "verdict", "took", "device", "tree", "statement")
_LETTERS = tuple("ABCDEFGHIJ")
_TONES = {
    Verdict.PASSED: "good",
    Verdict.FAILED: "bad",
    Verdict.ERROR: "broken",
    Verdict.SKIPPED: "open",
    Verdict.BLOCKED: "away",
}


def parts(row: Row) -> Iterator[Child]:
    """The runs, newest first, and the manifest that the status rests on."""
    if not row.runs:
        yield tag("p", "No run has been recorded.", class_="quiet")
        return
    newest = sorted(row.runs, key=lambda a: a.record.finished_s, reverse=True)
    shown = newest[:MAX_RUNS]
    machines = list(dict.fromkeys(_environment(a.record) for a in shown))
    yield table("Runs, newest first", _COLUMNS, [_cells(a, machines) for a in shown])
    if len(newest) > MAX_RUNS:
        older = counted(len(newest) - MAX_RUNS, "older run")
        yield tag("p", f"Not shown: {older}.", class_="quiet")
    yield from _machines(machines)
    if row.changes:
        yield tag("p", "Changed since the run that the status rests on:")
        yield listed(str(change) for change in row.changes[:_MAX_NAMES])
    record = row.status.record
    if record is not None:
        yield _manifest(record.manifest)


def _cells(assessed: Assessed, machines: Sequence[str]) -> Sequence[Child]:
    record = assessed.record
    tone = _TONES[record.verdict]
    attempt = f", attempt {record.attempt}" if record.attempt > 1 else ""
    word = tag("span", record.verdict.value + attempt, class_=f"verdict {tone}")
    reason = first_line(record.reason).removeprefix(f"[{record.falsifier_id}] ")
    tree = "this one" if not assessed.changes else f"earlier: {assessed.changes[0]}"
    machine = f", {_LETTERS[machines.index(_environment(record))]}" if len(machines) > 1 else ""
    return (
        moment.show_moment(record.finished_s),
        join([word, tag("small", " ", in_pieces(reason)) if reason else None]),
        moment.show_duration(record.duration_s).replace(" ", "\N{NO-BREAK SPACE}"),
        record.lane + machine,
        tree,
        tag("code", record.statement[:12] or "not stored"),
    )


def _machines(machines: Sequence[str]) -> Iterator[Markup]:
    """On what the runs were made, once for all of them that share it."""
    for letter, machine in zip(_LETTERS, machines, strict=False):
        name = f"{letter}: " if len(machines) > 1 else "On "
        yield tag("p", f"{name}{machine}", class_="quiet")


def _environment(record: RunRecord) -> str:
    pairs = sorted((record.environment or {}).items())
    return ", ".join(f"{name} {value}" for name, value in pairs) or "an unknown machine"


def _manifest(manifest: Manifest) -> Markup:
    """What the verdict depends on: everything that would make it stale."""
    kinds = Counter(entry.kind for entry in manifest.entries)
    names = [e.name for e in manifest.entries if e.kind in {EntryKind.SOURCE, EntryKind.INPUT}]
    summary = (
        "It depends on the claim, the set of its checks, "
        f"{counted(kinds[EntryKind.SOURCE], 'source file')} and "
        f"{counted(kinds[EntryKind.INPUT], 'input')}"
    )
    more = len(names) - _MAX_NAMES
    return tag(
        "details",
        tag("summary", summary),
        tag("p", "Fingerprint ", tag("code", manifest.fingerprint)),
        *_by_folder(names[:_MAX_NAMES]),
        tag("p", f"and {more} more") if more > 0 else None,
        class_="numbers",
    )


def _by_folder(names: Iterable[str]) -> Iterator[Markup]:
    """The names of files, the folder of each said once."""
    folders: dict[str, list[str]] = {}
    for name in names:
        folder, slash, rest = name.rpartition("/")
        folders.setdefault(folder + slash, []).append(rest)
    for folder, found in folders.items():
        yield tag("p", tag("code", f"{folder} ", tag("b", ", ".join(found))))

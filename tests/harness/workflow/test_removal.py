from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch
from pv_harness.errors import InfrastructureError
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.evidence.retention import Keep
from pv_harness.evidence.statement import Removed, RunStatement
from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.evidence.verification import verify_store
from pv_harness.fingerprint.manifest import Change, Entry, EntryKind, Manifest
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.project import load_project
from pv_harness.workflow.contradiction import contradicting
from pv_harness.workflow.declared import Declared, read_declared
from pv_harness.workflow.removal import alone_in, carry_out, plan_removal


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.harness.conftest import Toy

    from pv_harness.evidence.records import PatchRecord, RunRecord

NOW_S = 1e9
PASSED, FAILED, ERROR = Verdict.PASSED, Verdict.FAILED, Verdict.ERROR


@dataclass(frozen=True)
class Bench:
    """A project, and records of it that are fresh."""

    declared: Declared
    run: RunRecord
    patches: tuple[PatchRecord, ...]

    def measured(
        self, at_s: float, verdict: Verdict = PASSED, *, stale: bool = False, cuda: bool = False
    ) -> RunStatement:
        manifest = self.run.manifest
        if stale:
            manifest = aged(manifest)
        record = replace(
            self.run,
            verdict=verdict,
            manifest=manifest,
            broken=("sum",) if verdict is FAILED else (),
            cuda_peak_bytes=int(cuda),
            finished_s=at_s + 1,
        )
        return RunStatement((record.falsifier_id,), {}, (record,), (), at_s, "0")

    def planted(
        self, at_s: float, outcome: PatchOutcome | None = None, *, stale: bool = False
    ) -> RunStatement:
        records = tuple(
            replace(
                patch,
                outcome=outcome or patch.outcome,
                manifest=aged(patch.manifest) if stale else patch.manifest,
                finished_s=at_s + 1,
            )
            for patch in self.patches
        )
        return RunStatement((self.run.falsifier_id,), {}, (), records, at_s, "0")

    def statuses(self, statements: Sequence[RunStatement]) -> list[str]:
        project = self.declared.project
        board = derive_scoreboard(
            self.declared.contracts,
            self.declared.checks,
            [r for s in statements for r in s.runs],
            [p for s in statements for p in s.patches],
            SourceTree(project.root, project.import_roots),
        )
        return [f"{r.status} {r.status.why} {r.status.potency}" for r in board.rows]

    def kept(self, statements: Sequence[RunStatement], count: int = 0) -> set[str]:
        removal = plan_removal(self.declared, statements, Keep(count=count), NOW_S)
        return {s.digest for s in statements} - {s.digest for s in removal.going}


def aged(manifest: Manifest) -> Manifest:
    """The manifest as it was before some source changed."""
    return Manifest(
        tuple(
            replace(e, digest="0", bytes_digest="0") if e.kind is EntryKind.SOURCE else e
            for e in manifest.entries
        )
    )


def numbered(statements: Sequence[RunStatement]) -> list[RunStatement]:
    """The statements as a store would return them: every one and its records know it."""
    found = []
    for number, statement in enumerate(statements):
        digest = f"{number:064x}"
        found.append(
            replace(
                statement,
                digest=digest,
                runs=tuple(replace(r, statement=digest) for r in statement.runs),
                patches=tuple(replace(p, statement=digest) for p in statement.patches),
            )
        )
    return found


@pytest.fixture(scope="session")
def bench(proven_template: Toy) -> Bench:
    declared = read_declared(load_project(proven_template.root))
    stored = read_statements(declared.project.evidence)
    run = next(r for s in stored for r in s.runs)
    return Bench(declared, run, tuple(p for s in stored for p in s.patches))


def test_only_what_the_status_rests_on_is_kept(bench: Bench) -> None:
    store = numbered([bench.measured(1.0), bench.planted(2.0), bench.measured(3.0)])
    assert bench.kept(store) == {store[1].digest, store[2].digest}
    assert bench.kept(store, count=3) == {s.digest for s in store}


def test_every_red_record_at_the_present_fingerprint_is_kept(bench: Bench) -> None:
    reds = [bench.measured(float(n), FAILED) for n in range(3)]
    wrong = bench.measured(4.0)
    wrong = replace(
        wrong,
        runs=(
            replace(wrong.runs[0], measurements=(replace(bench.run.measurements[0], value=4),)),
        ),
    )
    survived = bench.planted(5.0, PatchOutcome.SURVIVED)
    store = numbered([*reds, wrong, survived, bench.planted(6.0), bench.measured(7.0)])
    assert bench.kept(store) == {s.digest for s in store}


def test_red_records_of_an_earlier_tree_may_go(bench: Bench) -> None:
    store = numbered([bench.measured(1.0, FAILED, stale=True), bench.measured(2.0)])
    assert bench.kept(store) == {store[1].digest}


def test_what_a_stale_status_had_is_kept_with_its_proof(bench: Bench) -> None:
    store = numbered(
        [
            bench.measured(1.0, stale=True),
            bench.planted(2.0, stale=True),
            bench.measured(3.0, stale=True),
        ]
    )
    assert "STALE(was INTEGRATION" in bench.statuses(store)[0]
    assert bench.kept(store) == {store[1].digest, store[2].digest}


def test_what_a_gate_can_tell_apart_is_kept(bench: Bench) -> None:
    other = bench.measured(2.0)
    other = replace(other, runs=(replace(other.runs[0], environment={"python": "9"}),))
    signed = replace(bench.measured(3.0), signed_by=frozenset({"ci"}))
    store = numbered([bench.measured(1.0, cuda=True), other, signed, bench.measured(4.0)])
    assert bench.kept(store) == {s.digest for s in store}


def test_evidence_of_a_claim_that_is_gone_may_go(bench: Bench) -> None:
    gone = bench.measured(1.0)
    gone = replace(gone, runs=(replace(gone.runs[0], falsifier_id="FALSIFY-GONE-001"),))
    store = numbered([gone])
    assert bench.kept(store) == set()


def test_what_is_noted_already_goes_if_it_is_old_and_nothing_rests_on_it(bench: Bench) -> None:
    store = numbered([bench.measured(1.0), bench.measured(2.0), bench.planted(3.0)])
    removed = tuple(Removed(s.digest, "old", 1, 0) for s in store[:2])
    note = replace(RunStatement((), {}, (), (), 4.0, "0", removed=removed), digest="f" * 64)
    kept = plan_removal(bench.declared, [*store, note], Keep(count=99), NOW_S)
    assert kept.going == (), "a note that came with a merge removes nothing"
    removal = plan_removal(bench.declared, [*store, note], Keep(count=1), NOW_S)
    assert [s.digest for s in removal.going] == [store[0].digest]
    assert removal.noted == {store[0].digest}
    assert [s.digest for s in removal.needed] == [store[1].digest]


EVENTS = st.tuples(
    st.sampled_from(["run", "plant"]),
    st.sampled_from([PASSED, PASSED, FAILED, ERROR, Verdict.SKIPPED, Verdict.BLOCKED]),
    st.sampled_from([None, None, PatchOutcome.SURVIVED, PatchOutcome.KILLED]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 5),
)


@settings(max_examples=60)
@given(st.lists(EVENTS, max_size=8), st.integers(0, 3))
def test_no_removal_changes_a_status(
    bench: Bench,
    events: list[tuple[str, Verdict, PatchOutcome | None, bool, bool, int]],
    count: int,
) -> None:
    made = [
        bench.measured(float(at), verdict, stale=stale, cuda=cuda)
        if what == "run"
        else bench.planted(float(at), outcome, stale=stale)
        for what, verdict, outcome, stale, cuda, at in events
    ]
    store = numbered(made)
    kept = bench.kept(store, count)
    left = [s for s in store if s.digest in kept]
    assert bench.statuses(left) == bench.statuses(store)
    assert bench.kept(left, count) == kept, "a second removal finds nothing more"


def widened(statement: RunStatement, digest: str) -> RunStatement:
    """The statement, its runs resting on one module more that had this digest."""
    runs = tuple(
        replace(
            run,
            manifest=Manifest(
                (*run.manifest.entries, Entry(EntryKind.SOURCE, "src/gone.py", digest, "0"))
            ),
        )
        for run in statement.runs
    )
    return replace(statement, runs=runs)


def test_a_red_record_that_an_edit_has_hidden_stays_with_what_passed(bench: Bench) -> None:
    """Its module is gone; were it back, the claim would be FLAKY."""
    reds = [widened(bench.measured(at, FAILED), "0") for at in (1.0, 2.0)]
    overcome = widened(bench.measured(4.0), "1")
    store = numbered([*reds, bench.planted(3.0), overcome, bench.measured(5.0)])
    kept = bench.kept(store)
    assert {s.digest for s in store[:2]} <= kept
    # What passed on another `gone.py` does not agree with them; what knows of none does.
    assert contradicting(store[:4], [store[3]], {}) == {store[3].digest}


def test_a_red_record_of_an_earlier_tree_stays_with_what_passed_there(bench: Bench) -> None:
    red, green = bench.measured(1.0, FAILED, stale=True), bench.measured(2.0, stale=True)
    store = numbered([red, green, bench.measured(3.0), bench.planted(4.0)])
    assert store[0].digest in bench.kept(store, count=3)
    assert store[0].digest not in bench.kept(store, count=2), "there is no green one for it"


def test_a_survivor_of_an_earlier_tree_stays_with_what_passed_there(bench: Bench) -> None:
    survived = bench.planted(1.0, PatchOutcome.SURVIVED, stale=True)
    late = bench.planted(1.0, PatchOutcome.TIMEOUT, stale=True)
    green = bench.measured(2.0, stale=True)
    store = numbered([survived, late, green, bench.measured(3.0), bench.planted(4.0)])
    kept = bench.kept(store, count=3)
    assert store[0].digest in kept
    assert store[1].digest not in kept, "it settles nothing"


def test_an_error_stays_with_what_passed_before_it_on_its_tree(bench: Bench) -> None:
    green = bench.measured(2.0, stale=True)
    before, after = (bench.measured(at, ERROR, stale=True) for at in (1.0, 2.5))
    store = numbered([before, green, after, bench.measured(3.0), bench.planted(4.0)])
    removal = contradicting(store, [store[1], *store[3:]], {})
    assert removal & {store[0].digest, store[2].digest} == {store[2].digest}


def test_what_was_measured_last_stays_whatever_it_says(bench: Bench) -> None:
    """What is stale is judged by it: without it the last one would be a green one."""
    skipped = bench.measured(9.0, Verdict.SKIPPED, stale=True)
    store = numbered([bench.measured(1.0), bench.planted(2.0), skipped])
    assert store[2].digest in bench.kept(store)


TREES = ("now", "then", "elsewhere")


@settings(max_examples=60)
@given(st.lists(EVENTS, max_size=8), st.integers(0, 3), st.sampled_from(TREES))
def test_no_removal_raises_a_level_on_any_tree(
    bench: Bench,
    events: list[tuple[str, Verdict, PatchOutcome | None, bool, bool, int]],
    count: int,
    tree: str,
) -> None:
    """The tree as it was when the stale records were made, and one of which there are none."""
    made = [
        bench.measured(float(at), verdict, stale=stale, cuda=cuda)
        if what == "run"
        else bench.planted(float(at), outcome, stale=stale)
        for what, verdict, outcome, stale, cuda, at in events
    ]
    store = numbered(made)
    kept = bench.kept(store, count)
    falsifier = bench.declared.contracts[0].falsifiers[0]
    change = (Change(EntryKind.SOURCE, "src/toy/math.py", "changed"),)

    def level_of(statements: Sequence[RunStatement]) -> int:
        def changes(manifest: Manifest) -> tuple[Change, ...]:
            there = "then" if manifest == aged(manifest) else "now"
            return () if there == tree else change

        status = derive_status(
            falsifier,
            bound=True,
            runs=[Assessed(r, changes(r.manifest)) for s in statements for r in s.runs],
            patches=[
                AssessedPatch(p, changes(p.manifest)) for s in statements for p in s.patches
            ],
        )
        return -1 if status.level is None else status.level.rank

    assert level_of([s for s in store if s.digest in kept]) <= level_of(store)


def test_what_was_overlooked_is_kept_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board decides, whatever is believed to be needed for it."""
    store = numbered([bench.measured(1.0), bench.planted(2.0), bench.measured(3.0, ERROR)])
    monkeypatch.setattr("pv_harness.workflow.removal.resting_on", lambda *_: frozenset())
    left = [s for s in store if s.digest in bench.kept(store)]
    assert bench.statuses(left) == bench.statuses(store)


def in_folder(bench: Bench, folder: Path) -> Declared:
    project = replace(bench.declared.project, evidence=folder)
    return replace(bench.declared, project=project)


def remove(declared: Declared, keep: int = 0) -> int:
    store = read_statements(declared.project.evidence)
    removal = plan_removal(declared, store, Keep(count=keep), NOW_S)
    carry_out(declared, removal, str(keep), NOW_S, None)
    return len(removal.going)


def findings(folder: Path) -> list[str]:
    found = verify_store(folder, keys={}, require_signed=False, now_s=NOW_S)
    return [str(finding) for finding in found]


def fill(bench: Bench, folder: Path) -> list[str]:
    made = [bench.measured(float(n)) for n in range(4)]
    return [append_statement(folder, s) for s in (*made, bench.planted(9.0))]


def test_a_removal_is_noted_and_leaves_a_sound_store(bench: Bench, tmp_path: Path) -> None:
    digests = fill(bench, tmp_path)
    assert remove(in_folder(bench, tmp_path)) == 3
    left = read_statements(tmp_path)
    assert {s.digest for s in left if not s.removed} == set(digests[3:])
    (note,) = [s for s in left if s.removed]
    assert [r.digest for r in note.removed] == digests[:3]
    assert {(r.runs, r.patches) for r in note.removed} == {(1, 0)}
    assert note.removed[0].reason == "pv evidence gc --keep 0: no status rests on it"
    assert findings(tmp_path) == []
    assert remove(in_folder(bench, tmp_path)) == 0
    assert len(read_statements(tmp_path)) == 3, "nothing removed, nothing noted"


def test_what_is_left_is_still_missed_when_deleted(bench: Bench, tmp_path: Path) -> None:
    fill(bench, tmp_path)
    remove(in_folder(bench, tmp_path))
    for statement in read_statements(tmp_path):
        if not statement.removed:
            file = tmp_path / f"{statement.digest}.intoto.jsonl"
            data = file.read_bytes()
            file.unlink()
            assert [": missing: " in line for line in findings(tmp_path)] == [True]
            file.write_bytes(data)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_killed_removal_is_finished_by_the_next(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    digests = fill(bench, tmp_path)
    declared = in_folder(bench, tmp_path)
    real, done = os.unlink, [0]

    def deadly(path: str, **more: int) -> None:
        done[0] += 1
        if done[0] > left:
            raise KeyboardInterrupt
        real(path, **more)

    with monkeypatch.context() as patch:
        patch.setattr("os.unlink", deadly)
        with pytest.raises(KeyboardInterrupt):
            remove(declared)
    assert len(read_statements(tmp_path)) == 5 - left + 1
    assert findings(tmp_path) == []
    # A run in between refers to nothing that is about to go.
    append_statement(tmp_path, bench.measured(NOW_S, ERROR, stale=True))
    assert remove(declared, keep=1) == 3 - left
    assert {s.digest for s in read_statements(tmp_path)}.isdisjoint(digests[:3])
    assert findings(tmp_path) == []
    assert sum(bool(s.removed) for s in read_statements(tmp_path)) == 1, "one note is enough"


def test_a_folder_that_can_not_be_written_is_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("os.unlink", refuse)
    with pytest.raises(
        InfrastructureError, match=r"read-only.*; the next `pv evidence gc` tries"
    ):
        remove(in_folder(bench, tmp_path))


def test_one_removal_at_a_time(tmp_path: Path) -> None:
    with (
        alone_in(tmp_path),
        pytest.raises(InfrastructureError, match="another `pv evidence gc`"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):
        descriptor = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    absent = pytest.raises(InfrastructureError, match=r"none: can't be opened \(no such file")
    with absent, alone_in(tmp_path / "none"):
        pass

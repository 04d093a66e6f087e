"""The board from the index is the board from the whole store, whatever happens to either."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.harness.evidence.conftest import statement_of

from pv_harness import user_cache
from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.digest import digest_bytes
from pv_harness.errors import EvidenceError
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Series, Verdict
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement, read_statement, read_statements
from pv_harness.evidence.summary import summarize
from pv_harness.evidence.verification import verify_store, verify_summaries
from pv_harness.evidence_index import index
from pv_harness.evidence_index.extract import Extract, extract_records
from pv_harness.evidence_index.index import read_extract, recall_summaries
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.manifest import Manifest
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.judging.measurement import Measurement
from pv_harness.policy.conditions import Facts, find_failures
from pv_harness.policy.policy import Policy, Requirement


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.evidence.signing import Signer

CHECKS = {
    name: (Check(name, f"test_{name}.py", 1, "test_it", f"test_{name}.py::test_it"),)
    for name in ("A", "B")
}
_NUMBER = itertools.count()


def claim(name: str, limit: float) -> Falsifier:
    """A claim with three levels; another limit makes it another claim."""
    patch = Patch("minus", PurePosixPath("m.py"), "a", "b")
    return Falsifier(
        name,
        "r",
        "p",
        "f",
        ("m",),
        (Bound("gap", Comparator.LE, limit),),
        (
            LevelRule(Level.PARTIAL),
            LevelRule(Level.INTEGRATION, reached=("m:main",)),
            LevelRule(Level.DISCHARGED, measurements=(Bound("steps", Comparator.GE, 500),)),
        ),
        (Defect(patch, "gap"),),
        (Control(replace(patch, id="same", replace="a ")),),
    )


CLAIMS = {limit: {name: claim(name, limit) for name in "AB"} for limit in (1.0, 2.0)}
TREE_FILES = {"m.py": "x = 1\n", "test_A.py": "", "test_B.py": ""}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name, text in TREE_FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def manifests(root: Path) -> dict[tuple[str, float, bool], Manifest]:
    """By name, limit, and whether the source has not changed since."""
    found = {}
    for limit, claims in CLAIMS.items():
        for name, falsifier in claims.items():
            made = build_manifest(falsifier, CHECKS[name], SourceTree(root, [root]))
            old = [replace(e, digest="0", bytes_digest="0") for e in made.entries[2:3]]
            found[name, limit, True] = made
            found[name, limit, False] = Manifest((*made.entries[:2], *old, *made.entries[3:]))
    return found


SIDES = st.tuples(st.sampled_from("AB"), st.sampled_from([1.0, 2.0]), st.booleans())
TIMES = st.integers(1, 4).map(float)
FACTS = st.sampled_from([{}, {"python": "3.11"}, {"python": "3.12"}])
RUNS = st.fixed_dictionaries(
    {
        "side": SIDES,
        "verdict": st.sampled_from([Verdict.PASSED, Verdict.PASSED, *Verdict]),
        "measurements": st.builds(
            lambda gap, steps: (Measurement("gap", gap), Measurement("steps", steps)),
            st.sampled_from([0.5, 1.5, 2.5, float("nan"), True, "x"]),
            st.sampled_from([1, 500]),
        ),
        "series": st.sampled_from([(), (Series("loss", (0.0,), (1.0,)),)]),
        "reached": st.sampled_from([(), ("m:main",)]),
        "cuda_peak_bytes": st.sampled_from([0, 0, 8]),
        "attempt": st.integers(1, 2),
        "finished_s": TIMES,
        "environment": FACTS,
        "reason": st.sampled_from(["", "x", "y\nz"]),
    }
)
PATCHES = st.fixed_dictionaries(
    {
        "side": SIDES,
        "plant": st.integers(0, 1),
        "outcome": st.sampled_from([*[PatchOutcome.KILLED] * 6, *PatchOutcome]),
        "lane": st.sampled_from(["cpu", "cpu", "cuda"]),
        "finished_s": TIMES,
        "environment": FACTS,
        "reason": st.sampled_from(["", "x", "y"]),
    }
)
APPEND = st.tuples(
    st.just("append"),
    st.lists(RUNS, max_size=4),
    st.lists(PATCHES, max_size=4),
    st.sampled_from([None, "ci", "mallory"]),
)
STEPS = st.lists(
    st.one_of(
        APPEND,
        APPEND,
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.just("copy anew"), st.integers(0, 5)),
        st.tuples(st.just("truncate"), st.integers(0, 5)),
        st.tuples(st.just("cut the index"), st.integers(0, 10_000)),
        st.tuples(st.just("flip the index"), st.integers(0, 100_000)),
        st.tuples(st.just("declare"), st.sampled_from([1.0, 2.0])),
    ),
    max_size=7,
)
POLICIES = [
    Policy(None, (Requirement("*", level),), **facts)
    for level in (None, Level.PARTIAL)
    for facts in (
        {},
        {"stale_allowed": True, "max_age_s": 7.0},
        {"lanes": ("cpu", "cuda"), "potency": 0.5},
        {"signers": ("ci",)},
        {"environment": {"python": "3.12"}},
    )
]


class World:
    """A store, a cache, and what is declared."""

    def __init__(self, folder: Path, root: Path, manifests: dict[Any, Manifest]) -> None:
        self.store, self.cache = folder / "store", folder / "cache"
        self.root, self.manifests = root, manifests
        self.keys: dict[str, Path] = {}
        self.claims = CLAIMS[1.0]

    def append(self, runs: Sequence[Any], patches: Sequence[Any], signer: Signer | None) -> str:
        made = [self._run(**run) for run in runs]
        planted = [self._patch(**patch) for patch in patches]
        ids = [run.falsifier_id for run in made] + [patch.falsifier_id for patch in planted]
        names = tuple(dict.fromkeys(ids))
        statement = RunStatement(names, {}, tuple(made), tuple(planted), 1.0, "0")
        known = recall_summaries(self.store, self.cache)
        return append_statement(self.store, statement, signer, known)

    def _run(self, side: Any, **facts: Any) -> RunRecord:
        return RunRecord(side[0], manifest=self.manifests[side], **facts)

    def _patch(self, side: Any, plant: int, **facts: Any) -> PatchRecord:
        chosen = CLAIMS[1.0][side[0]].plants[plant]
        return PatchRecord(
            side[0], chosen.id, chosen.digest, manifest=self.manifests[side], **facts
        )

    def files(self) -> list[Path]:
        return sorted(self.store.glob("*.jsonl"))

    def index(self) -> Path | None:
        return next(iter(self.cache.glob("evidence-*.json")), None)

    def extract(self, *, cached: bool = True) -> Extract:
        return read_extract(
            self.store,
            self.claims,
            declared=str(self.claims["A"].bounds[0].threshold),
            keys=self.keys,
            cache=self.cache if cached else None,
            now_s=time.time() + 10,
        )

    def board(self, runs: Sequence[RunRecord], patches: Sequence[PatchRecord]) -> Scoreboard:
        path = PurePosixPath("c.yaml")
        contract = Contract("c", "1.0.0", "t", path, tuple(self.claims.values()))
        tree = SourceTree(self.root, [self.root])
        return derive_scoreboard([contract], CHECKS, runs, patches, tree)

    def check(self) -> None:
        """The index, no index and the whole store say the same, or refuse alike."""
        refusal = refused(lambda: read_statements(self.store, self.keys))
        if refusal:
            assert refused(self.extract) == refusal
            assert refused(lambda: self.extract(cached=False)) == refusal
            return
        whole = read_statements(self.store, self.keys)
        runs = [run for statement in whole for run in statement.runs]
        patches = [patch for statement in whole for patch in statement.patches]
        signers = {s.digest: s.signed_by for s in whole}
        expected = seen(self.board(runs, patches), signers)
        for extract in (self.extract(), self.extract(), self.extract(cached=False)):
            assert extract.summaries == tuple(map(summarize, whole))
            assert extract.signers == signers
            assert seen(self.board(extract.runs, extract.patches), signers) == expected


def refused(call: Callable[[], object]) -> str:
    """Why the store can't be read; empty if it can."""
    try:
        call()
    except EvidenceError as error:
        return str(error)
    return ""


def seen(board: Scoreboard, signers: dict[str, frozenset[str]]) -> list[object]:
    """All that the board and gates over it show, curves left out."""
    facts = Facts(10.0, signers)
    return [
        (_row(row), [find_failures(row, p, row.falsifier.ceiling, facts) for p in POLICIES])
        for row in board.rows
    ]


def _row(row: Row) -> tuple[object, ...]:
    record = row.status.record
    plain = None if record is None else repr(replace(record, series=()))
    answers = [row.answer(plant) for plant in row.falsifier.plants]
    return (
        replace(row.status, record=None),
        plain,
        repr(row.judgements),
        row.lanes,
        [row.killed_in(lane) for lane in row.lanes],
        [answer and (answer.outcome, answer.reason) for answer in answers],
        {run.verdict for run in row.fresh_runs},
        {run.attempt for run in row.fresh_runs},
        max((run.record.finished_s for run in row.runs), default=None),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(steps=STEPS, is_trusting=st.booleans())
def test_the_board_is_that_of_the_whole_store_after_every_step(  # noqa: PLR0913, PLR0917
    tmp_path: Path,
    root: Path,
    manifests: dict[Any, Manifest],
    signer: Callable[[str], Signer],
    trusted: dict[str, Path],
    steps: list[Any],
    is_trusting: bool,  # noqa: FBT001
) -> None:
    world = World(tmp_path / str(next(_NUMBER)), root, manifests)
    world.keys = trusted if is_trusting else {}
    for step in steps:
        take(world, step, signer)
        world.check()


def take(world: World, step: Any, signer: Callable[[str], Signer]) -> None:
    word, *rest = step
    files, held = world.files(), world.index()
    match word:
        case "append":
            runs, patches, name = rest
            world.append(runs, patches, signer(name) if name else None)
        case "declare":
            world.claims = CLAIMS[rest[0]]
        case "delete" if files:
            files[rest[0] % len(files)].unlink()
        case "copy anew" if files:
            file = files[rest[0] % len(files)]
            data = file.read_bytes()
            file.unlink()
            file.write_bytes(data)
        case "truncate" if files:
            file = files[rest[0] % len(files)]
            whole = file.read_bytes()
            change(file, whole[:-5])
            world.check()
            change(file, whole)
        case "cut the index" if held:
            held.write_bytes(held.read_bytes()[: rest[0]])
        case "flip the index" if held:
            data_of = bytearray(held.read_bytes())
            data_of[rest[0] % len(data_of)] ^= 1
            held.write_bytes(data_of)
        case _:
            pass


def change(file: Path, data: bytes) -> None:
    """Write in place, until the clock of the file system has moved on since its last change."""
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        file.write_bytes(data)


@pytest.fixture
def world(tmp_path: Path, root: Path, manifests: dict[Any, Manifest]) -> World:
    """A store of three runs that passed, and no index yet."""
    made = World(tmp_path, root, manifests)
    for at_s in (1.0, 2.0, 3.0):
        made.append([a_run(finished_s=at_s)], [], None)
    return made


def a_run(**facts: Any) -> dict[str, Any]:
    measured = (Measurement("gap", 0.5), Measurement("steps", 1))
    run = {"side": ("A", 1.0, True), "verdict": Verdict.PASSED, "measurements": measured}
    return {**run, **facts}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from the store, in order."""
    found: list[str] = []
    real = read_statement

    def reading(file: Path, *rest: Any) -> RunStatement:
        found.append(file.name)
        return real(file, *rest)

    monkeypatch.setattr(index, "read_statement", reading)
    return found


def test_what_was_read_once_is_not_read_again(world: World, read: list[str]) -> None:
    world.extract()
    assert sorted(read) == [file.name for file in world.files()]
    read.clear()
    world.extract()
    assert read == []
    added = world.append([a_run(finished_s=4.0)], [], None)
    world.extract()
    assert read == [f"{added}.intoto.jsonl"]


def test_of_runs_that_say_the_same_the_newest_is_kept(world: World) -> None:
    (kept,) = world.extract().runs
    assert kept.finished_s == 3.0


@pytest.mark.parametrize(
    "older",
    [
        {"verdict": Verdict.SKIPPED},
        {"measurements": (Measurement("gap", 1.5), Measurement("steps", 1))},
        {"measurements": (Measurement("gap", 0.5), Measurement("steps", 500))},
        {"reached": ("m:main",)},
        {"cuda_peak_bytes": 8},
        {"attempt": 2},
        {"environment": {"python": "3.12"}},
        {"side": ("A", 1.0, False)},
        {"side": ("B", 1.0, True)},
    ],
)
def test_an_older_run_is_kept_if_a_question_can_tell_it_apart(
    world: World, older: dict[str, Any]
) -> None:
    # `steps` counts only where `m:main` was reached, so that no level but PARTIAL is shown.
    is_told_apart = older.get("measurements", ("", Measurement("", 1)))[1].value == 1
    world.append([a_run(finished_s=0.5, **older)], [], None)
    kept = [run.finished_s for run in world.extract().runs]
    assert sorted(kept) == ([0.5, 3.0] if is_told_apart else [3.0])


@pytest.mark.parametrize(
    "older",
    [
        {"outcome": PatchOutcome.SURVIVED},
        {"plant": 1},
        {"lane": "cuda"},
        {"environment": {"python": "3.12"}},
        {"side": ("A", 1.0, False)},
        {"reason": "another"},
    ],
)
def test_an_older_outcome_is_kept_if_a_question_can_tell_it_apart(
    world: World, older: dict[str, Any]
) -> None:
    patch = {"side": ("A", 1.0, True), "plant": 0, "outcome": PatchOutcome.KILLED}
    world.append([], [{**patch, "finished_s": 2.0}, {**patch, "finished_s": 1.0}], None)
    world.append([], [{**patch, "finished_s": 0.5, **older}], None)
    kept = [record.finished_s for record in world.extract().patches]
    assert sorted(kept) == ([2.0] if "reason" in older else [0.5, 2.0])


@pytest.mark.parametrize("name", ["ci", "mallory"])
def test_an_older_run_is_kept_if_somebody_trusted_signed_it(
    world: World, signer: Callable[[str], Signer], trusted: dict[str, Path], name: str
) -> None:
    world.keys = trusted
    world.append([a_run(finished_s=0.5)], [], signer(name))
    kept = [run.finished_s for run in world.extract().runs]
    assert sorted(kept) == ([0.5, 3.0] if name == "ci" else [3.0])


def test_what_a_moment_ago_was_written_is_read_every_time(
    world: World, read: list[str]
) -> None:
    newest_s = max(file.stat().st_ctime for file in world.files())
    for now_s in (newest_s, newest_s + 1.9, newest_s - 100):
        read.clear()
        read_extract(
            world.store, world.claims, declared="", keys={}, cache=world.cache, now_s=now_s
        )
        assert len(read) == 3
    assert len(world.extract().summaries) == 3


@pytest.mark.parametrize(
    "alter",
    [
        lambda file: change(file, file.read_bytes().replace(b"A", b"B", 1)),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
    ],
    ids=["same size", "shorter"],
)
def test_a_change_is_seen_whose_time_was_set_back(
    world: World, alter: Callable[[Path], object]
) -> None:
    world.extract()
    file = world.files()[0]
    facts = file.stat()
    alter(file)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(EvidenceError, match=f"{file.name}: altered"):
        world.extract()


def test_a_file_put_in_its_place_is_seen(world: World, tmp_path: Path) -> None:
    world.extract()
    file = world.files()[0]
    other = tmp_path / "other"
    shutil.copy2(file, other)
    other.write_bytes(other.read_bytes().replace(b"A", b"B", 1))
    other.replace(file)
    with pytest.raises(EvidenceError, match=f"{file.name}: altered"):
        world.extract()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_regular_file_is_refused_with_and_without_an_index(
    world: World, tmp_path: Path, kind: str
) -> None:
    world.extract()
    file = world.files()[0]
    file.rename(tmp_path / "moved")
    if kind == "link":
        file.symlink_to(tmp_path / "moved")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(EvidenceError, match=f"{file.name}: unreadable"):
        world.extract()


def test_the_index_of_another_store_is_none(
    world: World, tmp_path: Path, read: list[str]
) -> None:
    world.extract()
    mine = world.index()
    assert mine is not None
    other = World(tmp_path / "other", world.root, world.manifests)
    other.cache = world.cache
    other.append([a_run(verdict=Verdict.FAILED)], [], None)
    other.extract()
    (theirs,) = (file for file in world.cache.glob("evidence-*") if file != mine)
    shutil.copy(theirs, mine)
    read.clear()
    assert {run.verdict for run in world.extract().runs} == {Verdict.PASSED}
    assert len(read) == 3


@pytest.mark.parametrize(
    "edit",
    [
        lambda entry: entry.update(key="0"),
        lambda entry: entry.pop("stamps"),
        lambda entry: entry.update(stamps=[[1]]),
        lambda entry: entry["extract"].pop("groups"),
        lambda entry: entry["extract"].update(groups=[[]]),
        lambda entry: entry["extract"]["groups"][0].__setitem__(1, [99]),
        lambda entry: entry["extract"].update(entries=[["moon"]]),
        lambda entry: entry["extract"].update(summaries=[["0"]]),
    ],
)
def test_an_index_of_another_form_is_none(
    world: World, read: list[str], edit: Callable[[dict[str, Any]], object]
) -> None:
    before = world.extract()
    file = world.index()
    assert file is not None
    entry = user_cache.recall(file)
    edit(entry)
    body = json.dumps(entry).encode()
    file.write_bytes(digest_bytes(body).encode() + b"\n" + body)
    read.clear()
    after = world.extract()
    assert len(read) == 3
    assert (after.runs, after.summaries) == (before.runs, before.summaries)


def test_another_pv_reads_everything(
    world: World, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.extract()
    monkeypatch.setattr(user_cache, "__version__", "99.0")
    assert recall_summaries(world.store, world.cache) == {}
    read.clear()
    world.extract()
    assert len(read) == 3


def test_other_keys_are_another_question(
    world: World, signer: Callable[[str], Signer], trusted: dict[str, Path], tmp_path: Path
) -> None:
    signed = world.append([a_run(finished_s=4.0)], [], signer("ci"))
    assert world.extract().signers[signed] == frozenset()
    world.keys = trusted
    assert world.extract().signers[signed] == {"ci"}
    other = tmp_path / "other.pem"
    shutil.copy(trusted["ci"].with_name("mallory.pub.pem"), other)
    world.keys = {"ci": other}
    assert world.extract().signers[signed] == frozenset()


def test_claims_that_come_back_are_judged_once(world: World, read: list[str]) -> None:
    for gap, at_s in ((1.5, 5.0), (0.5, 6.0)):
        measured = (Measurement("gap", gap), Measurement("steps", 1))
        side = ("A", 2.0, True)
        run = a_run(side=side, measurements=measured, finished_s=at_s)
        world.append([run], [], None)
    world.extract()
    counts = []
    for limit in (2.0, 1.0, 2.0, 1.0):
        world.claims = CLAIMS[limit]
        read.clear()
        world.check()
        counts.append(len(read))
    # `check` reads all five once without the index.
    assert counts == [5 + 5, 5, 5, 5]


def test_what_one_claim_tells_apart_is_kept_when_another_is_declared(world: World) -> None:
    measured = (Measurement("gap", 1.5), Measurement("steps", 1))
    world.append([a_run(measurements=measured, finished_s=4.0)], [], None)
    for limit in (1.0, 2.0, 1.0):
        world.claims = CLAIMS[limit]
        world.check()
    assert sorted(run.finished_s for run in world.extract().runs) == [3.0, 4.0]


def test_a_store_that_is_too_large_for_one_go_is_kept_in_parts(
    world: World, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_BATCH_BYTES", 1)
    last = world.files()[-1]
    whole = last.read_bytes()
    change(last, b"damaged")
    with pytest.raises(EvidenceError, match="altered"):
        world.extract()
    change(last, whole)
    read.clear()
    world.check()
    assert read[: len(read) - 3] == [last.name], (
        "the others were kept when the last was refused"
    )


def test_without_a_cache_nothing_is_remembered(world: World, read: list[str]) -> None:
    for _ in range(2):
        world.extract(cached=False)
    assert len(read) == 6
    assert recall_summaries(world.store, None) == {}
    assert not world.cache.exists()


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    found = read_extract(
        tmp_path / "no", {}, declared="", keys={}, cache=tmp_path / "cache", now_s=0.0
    )
    assert found == Extract()


def test_a_file_where_the_store_should_be_is_named(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.write_text("")
    with pytest.raises(EvidenceError, match=r"store: can't be listed \(not a directory\)"):
        read_extract(file, {}, declared="", keys={}, cache=tmp_path / "cache", now_s=0.0)


def test_a_run_names_the_heads_without_reading_what_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.extract()
    known = recall_summaries(world.store, world.cache)
    assert sorted(known) == [file.name.partition(".")[0] for file in world.files()]
    named = {digest for summary in known.values() for digest in summary.previous}
    (head,) = set(known) - named

    def refuse(*_: object) -> None:
        raise AssertionError("a statement was read")

    with monkeypatch.context() as patch:
        patch.setattr("pv_harness.evidence.store.read_bytes", refuse)
        added = append_statement(world.store, statement_of("A"), None, known)
    (made,) = (s for s in read_statements(world.store) if s.digest == added)
    assert made.previous == (head,)


def test_what_has_changed_since_is_not_known(world: World) -> None:
    world.extract()
    file = world.files()[0]
    change(file, b"damaged")
    known = recall_summaries(world.store, world.cache)
    assert file.name.partition(".")[0] not in known
    assert len(known) == 2


def test_verification_of_summaries_finds_what_that_of_the_store_finds(world: World) -> None:
    lost = world.files()[0]
    late = replace(statement_of("A", at_s=2_000_000_000.0), planned=("A", "B"))
    append_statement(world.store, late)
    early = statement_of("A", at_s=9_000.0)
    record = replace(early.runs[0], finished_s=1.0)
    append_statement(world.store, replace(early, runs=(record,)))
    lost.unlink()
    found = verify_summaries(world.store, world.extract().summaries, 10_000.0)
    whole = verify_store(world.store, keys={}, require_signed=False, now_s=10_000.0)
    assert found == whole
    assert {f.kind.value for f in found} >= {"incomplete", "clock"}


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_order_and_repetition_of_statements_make_no_difference(
    manifests: dict[Any, Manifest], data: st.DataObject
) -> None:
    world = World(Path("none"), Path("none"), manifests)
    statements = [
        RunStatement(
            (),
            {},
            tuple(replace(world._run(**run), statement=str(n)) for run in runs),
            tuple(replace(world._patch(**patch), statement=str(n)) for patch in patches),
            float(n),
            "0",
            digest=str(n),
        )
        for n, (runs, patches) in enumerate(
            data.draw(
                st.lists(st.tuples(st.lists(RUNS, max_size=3), st.lists(PATCHES, max_size=3)))
            )
        )
    ]
    one = extract_records(statements, world.claims)
    cut = data.draw(st.integers(0, len(statements)))
    mixed = data.draw(st.permutations(statements))
    first = extract_records(mixed[cut:], world.claims)
    other = extract_records([*mixed[:cut], *mixed], world.claims, first)
    assert as_sets(one) == as_sets(other)
    assert one.summaries == other.summaries


def as_sets(extract: Extract) -> tuple[set[str], set[str]]:
    return set(map(repr, extract.runs)), set(map(repr, extract.patches))

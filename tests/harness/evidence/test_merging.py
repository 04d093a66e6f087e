from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st
from tests.harness.evidence.conftest import NOW_S, statement_of

from pv_harness.errors import EvidenceError, InfrastructureError, UsageError
from pv_harness.evidence.finding import FindingKind
from pv_harness.evidence.merging import MergePlan, carry_out, plan_merge
from pv_harness.evidence.store import append_statement, store_bytes
from pv_harness.evidence.verification import verify_store


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pv_harness.evidence.signing import Signer


def plan(
    target: Path, *sources: Path, keys: Mapping[str, Path] | None = None, signed: bool = False
) -> MergePlan:
    return plan_merge(target, sources, keys=keys or {}, require_signed=signed, now_s=NOW_S)


def merge(target: Path, *sources: Path) -> None:
    carry_out(plan(target, *sources))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*")}


def make_store(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        append_statement(folder, statement_of(name, at_s=float(number)))
    return folder


def test_the_statements_of_a_shard_arrive_whole(tmp_path: Path) -> None:
    here, shard = make_store(tmp_path / "here", "A"), make_store(tmp_path / "shard", "B", "C")
    made = plan(here, shard)
    assert [len(source.new) for source in made.sources] == [2]
    carry_out(made)
    assert contents(here).items() >= contents(shard).items()
    assert len(contents(here)) == 3
    assert verify_store(here, keys={}, require_signed=False, now_s=NOW_S) == ()


def test_a_shard_that_began_as_a_copy_adds_what_is_new(tmp_path: Path) -> None:
    here = make_store(tmp_path / "here", "A")
    shard = tmp_path / "shard"
    shutil.copytree(here, shard)
    append_statement(shard, statement_of("B", at_s=5.0))
    made = plan(here, shard)
    assert [[s.planned for s in source.new] for source in made.sources] == [[("B",)]]


def test_an_absent_target_is_made(tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", "A")
    merge(tmp_path / "a" / "b", shard)
    assert contents(tmp_path / "a" / "b") == contents(shard)


@settings(max_examples=15)
@given(st.lists(st.lists(st.sampled_from("ABC"), max_size=3), min_size=1, max_size=3))
def test_order_and_repetition_make_no_difference(stores: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sources = [make_store(root / str(n), "common", *ids) for n, ids in enumerate(stores)]
        results = []
        for number, order in enumerate(itertools.permutations(sources)):
            target = root / f"merged-{number}"
            merge(target, *order)
            once = contents(target)
            merge(target, *order)
            assert contents(target) == once
            step = root / f"one-by-one-{number}"
            for source in order:
                merge(step, source)
            assert contents(step) == once
            results.append(once)
        assert all(result == results[0] for result in results)


def test_nothing_is_written_if_anything_is_wrong(tmp_path: Path) -> None:
    here = make_store(tmp_path / "here", "A")
    good, bad = make_store(tmp_path / "good", "B"), make_store(tmp_path / "bad", "C", "D")
    before = contents(here)
    file = next(bad.iterdir())
    file.write_bytes(file.read_bytes() + b" ")
    made = plan(here, good, bad)
    assert [finding.file for finding in made.findings] == [file]
    with pytest.raises(EvidenceError, match=r"nothing was merged: .*altered"):
        carry_out(made)
    assert contents(here) == before


def test_a_gap_in_one_store_may_be_filled_by_another(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    first = append_statement(whole, statement_of("A", at_s=1.0))
    append_statement(whole, statement_of("B", at_s=2.0))
    shutil.copytree(whole, part)
    (part / f"{first}.intoto.jsonl").unlink()
    (found,) = plan(tmp_path / "target", part).findings
    assert found.kind is FindingKind.MISSING
    assert first in found.file.name
    assert plan(tmp_path / "target", part, whole).findings == ()
    assert plan(whole, part).findings == ()
    merge(part, whole)
    assert contents(part) == contents(whole)


def test_a_merge_restores_what_was_altered_here(tmp_path: Path) -> None:
    whole = make_store(tmp_path / "whole", "A")
    here = tmp_path / "here"
    shutil.copytree(whole, here)
    next(here.iterdir()).write_bytes(b"altered")
    merge(here, whole)
    assert contents(here) == contents(whole)


def test_a_merge_that_is_killed_leaves_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = tmp_path / "shard"
    # Times say nothing about who refers to whom: each is older than the one it refers to.
    for number in range(4):
        append_statement(shard, statement_of("A", at_s=NOW_S - number))
    made = plan(tmp_path / "here", shard)
    left = [3]

    def store(folder: Path, digest: str, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise InfrastructureError("killed")
        store_bytes(folder, digest, data)

    monkeypatch.setattr("pv_harness.evidence.merging.store_bytes", store)
    with pytest.raises(InfrastructureError, match="killed"):
        carry_out(made)
    assert len(contents(tmp_path / "here")) == 3
    found = verify_store(tmp_path / "here", keys={}, require_signed=False, now_s=NOW_S)
    assert found == ()


def test_a_file_that_changes_in_the_midst_is_not_merged(tmp_path: Path) -> None:
    shard = make_store(tmp_path / "shard", "A")
    made = plan(tmp_path / "here", shard)
    file = next(shard.iterdir())
    file.write_bytes(b"x")
    with pytest.raises(EvidenceError, match="changed while it was merged; merge again"):
        carry_out(made)
    file.unlink()
    with pytest.raises(EvidenceError, match="no such file or directory; merge again"):
        carry_out(made)


def test_an_unsigned_shard_is_refused_where_signatures_are_asked_for(
    tmp_path: Path, signer: Callable[[str], Signer], trusted: dict[str, Path]
) -> None:
    append_statement(tmp_path / "signed", statement_of("A"), signer("ci"))
    append_statement(tmp_path / "forged", statement_of("A"), signer("mallory"))
    here = tmp_path / "here"
    assert plan(here, tmp_path / "signed", keys=trusted, signed=True).findings == ()
    (found,) = plan(here, tmp_path / "forged", keys=trusted, signed=True).findings
    assert found.kind is FindingKind.UNSIGNED


def test_a_source_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: no such folder"):
        plan(tmp_path / "here", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: holds no statement"):
        plan(tmp_path / "here", tmp_path / "empty")

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.harness.evidence.conftest import FULL, NOW_S, statement_of

from pv_harness.evidence.finding import Finding, FindingKind
from pv_harness.evidence.store import append_statement
from pv_harness.evidence.summary import CLOCK_TOLERANCE_S
from pv_harness.evidence.verification import survey_store, verify_store


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_harness.evidence.signing import Signer
    from pv_harness.evidence.statement import RunStatement


def findings(folder: Path, now_s: float = NOW_S) -> tuple[Finding, ...]:
    return verify_store(folder, keys={}, require_signed=False, now_s=now_s)


def test_an_absent_store_has_nothing_wrong(tmp_path: Path) -> None:
    assert findings(tmp_path / "none") == ()


def test_a_sound_store_has_nothing_wrong_and_is_counted(tmp_path: Path) -> None:
    append_statement(tmp_path, statement_of("A", "B", at_s=1.0))
    last = append_statement(tmp_path, statement_of("A", "B", at_s=2.0))
    survey = survey_store(tmp_path, keys={}, require_signed=False, now_s=NOW_S)
    assert (survey.findings, survey.files, survey.heads) == ((), 2, (last,))


def test_each_file_that_is_wrong_is_named_on_one_line(tmp_path: Path) -> None:
    names = [append_statement(tmp_path, statement_of("A", at_s=float(n))) for n in range(3)]
    for name in names[:2]:
        (tmp_path / f"{name}.intoto.jsonl").write_bytes(b"x")
    (tmp_path / "a\nb.intoto.jsonl").mkdir()
    found = findings(tmp_path)
    assert [f.kind.value for f in found].count("altered") == 2
    lines = [str(f) for f in found]
    assert len(lines) == 3
    assert not any("\n" in line for line in lines)
    assert sum("a\\nb" in line for line in lines) == 1


def test_a_deleted_statement_is_missed(tmp_path: Path) -> None:
    first, second = (append_statement(tmp_path, statement_of("A", at_s=t)) for t in (1.0, 2.0))
    (tmp_path / f"{first}.intoto.jsonl").unlink()
    (found,) = findings(tmp_path)
    assert found.kind is FindingKind.MISSING
    assert str(found).startswith(
        f"{tmp_path}/{first}.intoto.jsonl: missing: {second[:12]}… refers to it, it is gone "
        "and no note says why; restore it"
    )


def test_a_deleted_head_is_missed_by_whoever_knew_it(tmp_path: Path) -> None:
    first, second = (append_statement(tmp_path, statement_of("A", at_s=t)) for t in (1.0, 2.0))

    def survey(*heads: str) -> tuple[Finding, ...]:
        return survey_store(
            tmp_path, keys={}, require_signed=False, now_s=NOW_S, expected_heads=heads
        ).findings

    assert survey(first, second[:8]) == ()
    (tmp_path / f"{second}.intoto.jsonl").unlink()
    assert survey() == ()
    (found,) = survey(second)
    assert found.kind is FindingKind.MISSING
    assert "named with --head" in found.what


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (
            replace(statement_of("A", "B"), planned=("A", "B", "C", "D")),
            "no record of 'C' and 1 more, which was planned",
        ),
        (replace(statement_of("A", "B"), planned=("A",)), "a record of 'B', which was not pl"),
        (replace(FULL, previous=(), planned=(), runs=()), "a record of 'A', which was not"),
    ],
)
def test_a_plan_and_records_that_differ_are_found(
    tmp_path: Path, run: RunStatement, what: str
) -> None:
    append_statement(tmp_path, run)
    (found,) = findings(tmp_path)
    assert found.kind is FindingKind.INCOMPLETE
    assert what in str(found)


def finished(at_s: float, run: RunStatement) -> RunStatement:
    return replace(run, runs=tuple(replace(r, finished_s=at_s) for r in run.runs))


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (
            statement_of("A", at_s=NOW_S + 301),
            "it began 301 s in the future, at most 300 s are",
        ),
        (finished(NOW_S + 301, statement_of("A")), "a record was finished 301 s in the future"),
        (
            finished(NOW_S - 301, statement_of("A")),
            "records were finished before the run began: 'A'",
        ),
        (statement_of("A", at_s=NOW_S + 290), None),
        (finished(NOW_S - 299, statement_of("A")), None),
    ],
)
def test_times_that_can_not_be_are_found(
    tmp_path: Path, run: RunStatement, what: str | None
) -> None:
    append_statement(tmp_path, run)
    found = findings(tmp_path)
    assert [f.kind for f in found] == ([FindingKind.CLOCK] if what else [])
    assert what is None or what in str(found[0])


def test_a_statement_that_ended_before_one_it_refers_to_is_found(tmp_path: Path) -> None:
    later = append_statement(tmp_path, statement_of("A", at_s=NOW_S))
    backdated = append_statement(
        tmp_path, statement_of("B", at_s=NOW_S - CLOCK_TOLERANCE_S - 12)
    )
    (found,) = findings(tmp_path)
    assert found.kind is FindingKind.CLOCK
    assert backdated in found.file.name
    assert f"it ended 302 s before {later[:12]}…, which it refers to" in found.what


def test_an_unsigned_statement_is_found_where_signatures_are_asked_for(
    tmp_path: Path, signer: Callable[[str], Signer], trusted: dict[str, Path]
) -> None:
    signed = append_statement(tmp_path, statement_of("A"), signer("ci"))
    plain = append_statement(tmp_path, statement_of("B"))
    strange = append_statement(tmp_path, statement_of("C"), signer("mallory"))
    assert verify_store(tmp_path, keys=trusted, require_signed=False, now_s=NOW_S) == ()
    found = verify_store(tmp_path, keys=trusted, require_signed=True, now_s=NOW_S)
    said = {f.file.name.partition(".")[0]: f.what for f in found}
    assert signed not in said
    assert said[plain] == "signed by nobody, a trusted key is asked for"
    keyid = signer("mallory").keyid[:12]
    assert said[strange].startswith(f"signed by keys that are not trusted: {keyid}…")
    assert {f.kind for f in found} == {FindingKind.UNSIGNED}

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.harness.conftest import ROOT
from tests.harness.evidence.conftest import NOW_S, statement_of

from pv_harness.errors import EvidenceError, InfrastructureError
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.evidence.verification import verify_store


if TYPE_CHECKING:
    from pathlib import Path

    from pv_harness.evidence.finding import Finding


SMALL = statement_of("A")


def findings(folder: Path) -> tuple[Finding, ...]:
    return verify_store(folder, keys={}, require_signed=False, now_s=NOW_S)


def test_a_statement_is_read_back_with_its_digest(tmp_path: Path) -> None:
    digest = append_statement(tmp_path, SMALL)
    (back,) = read_statements(tmp_path)
    assert (back.digest, back.planned, back.runs[0].statement) == (digest, ("A",), digest)
    assert (tmp_path / f"{digest}.intoto.jsonl").stat().st_mode & 0o777 == 0o644


def test_statements_are_read_oldest_first(tmp_path: Path) -> None:
    for at_s in (3.0, 1.0, 2.0):
        append_statement(tmp_path, statement_of("A", at_s=at_s))
    assert [s.started_s for s in read_statements(tmp_path)] == [1.0, 2.0, 3.0]


def test_a_folder_that_is_not_there_is_made_with_those_above_it(tmp_path: Path) -> None:
    append_statement(tmp_path / "a" / "b", SMALL)
    assert len(read_statements(tmp_path / "a" / "b")) == 1


def test_a_folder_that_is_not_there_is_an_empty_store(tmp_path: Path) -> None:
    assert read_statements(tmp_path / "none") == ()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    file = tmp_path / "evidence"
    file.write_text("")
    with pytest.raises(EvidenceError, match=r"evidence: can't be listed \(not a directory\)"):
        read_statements(file)


def test_each_statement_refers_to_the_heads_that_were_there(tmp_path: Path) -> None:
    first = append_statement(tmp_path, statement_of("A", at_s=1.0))
    second = append_statement(tmp_path, statement_of("A", at_s=2.0))
    third = append_statement(tmp_path, statement_of("A", at_s=3.0))
    links = {s.digest: s.previous for s in read_statements(tmp_path)}
    assert links == {first: (), second: (first,), third: (second,)}


def test_two_runs_at_once_make_two_heads_and_the_next_run_joins_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither sees the other, as if both had looked before either wrote.
    with monkeypatch.context() as patch:
        patch.setattr("pv_harness.evidence.store._heads_to_name", lambda *_: ())
        heads = {append_statement(tmp_path, statement_of(name)) for name in "AB"}
    append_statement(tmp_path, statement_of("C"))
    assert {frozenset(s.previous) for s in read_statements(tmp_path)} == {
        frozenset(),
        frozenset(heads),
    }
    assert findings(tmp_path) == ()


def test_a_damaged_statement_is_referred_to_by_its_name(tmp_path: Path) -> None:
    first = append_statement(tmp_path, statement_of("A", at_s=1.0))
    file = tmp_path / f"{first}.intoto.jsonl"
    file.write_bytes(b"damaged")
    second = append_statement(tmp_path, statement_of("A", at_s=2.0))
    file.unlink()
    (found,) = findings(tmp_path)
    assert found.kind.value == "missing"
    assert found.file == file
    assert second[:12] in found.what


@pytest.mark.parametrize("kind", ["altered", "truncated", "emptied"])
def test_an_altered_file_is_found_and_named(tmp_path: Path, kind: str) -> None:
    digest = append_statement(tmp_path, SMALL)
    file = tmp_path / f"{digest}.intoto.jsonl"
    data = file.read_bytes()
    changed = {"altered": data.replace(b"payload", b"Payload", 1), "truncated": data[:-5]}
    file.write_bytes(changed.get(kind, b""))
    with pytest.raises(EvidenceError, match=rf"{digest}.*altered: its bytes have the digest"):
        read_statements(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_flipped_byte_is_found(tmp_path: Path, position: int, flip: int) -> None:
    digest = append_statement(tmp_path, SMALL)
    file = tmp_path / f"{digest}.intoto.jsonl"
    data = bytearray(file.read_bytes())
    data[position % len(data)] ^= flip
    file.write_bytes(bytes(data))
    with pytest.raises(EvidenceError, match="altered"):
        read_statements(tmp_path)
    file.unlink()


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    digest = append_statement(folder, SMALL)
    file = folder / f"{digest}.intoto.jsonl"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match=r"unreadable: is a link, it should be a regular f"):
        read_statements(folder)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(EvidenceError, match=r"unreadable: is a named pipe, it should be a reg"):
        read_statements(folder)
    file.unlink()
    file.mkdir()
    with pytest.raises(EvidenceError, match=r"unreadable: is a directory, it should be a reg"):
        read_statements(folder)


def test_a_huge_file_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "x.intoto.jsonl").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(EvidenceError, match="is larger than 67,108,864 bytes"):
        read_statements(tmp_path)


def test_a_file_whose_name_is_no_digest_is_refused(tmp_path: Path) -> None:
    digest = append_statement(tmp_path, SMALL)
    (tmp_path / f"{digest}.intoto.jsonl").rename(tmp_path / "notes.intoto.jsonl")
    with pytest.raises(EvidenceError, match="its name promises no digest at all"):
        read_statements(tmp_path)


def test_what_reading_would_refuse_is_not_appended(tmp_path: Path) -> None:
    huge = RunStatement((), {"x": "0" * (49 << 20)}, (), (), 1.0, "0")
    with pytest.raises(InfrastructureError, match="at most 67,108,864 are read; measure fewer"):
        append_statement(tmp_path, huge)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(
        InfrastructureError, match=r"\(no space left on device\); this run is n"
    ):
        append_statement(tmp_path, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    large = RunStatement((), {"x": "0" * 100_000}, (), (), 1.0, "0")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(
            InfrastructureError, match=r"file too large.*this run is not stored"
        ):
            append_statement(tmp_path, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_writers_are_ignored_and_removed_later(tmp_path: Path) -> None:
    old, young = (tmp_path / f".{'0' * 64}.intoto.jsonl.{name}" for name in ("old", "young"))
    other = tmp_path / ".gitignore"
    for file in (old, young, other):
        file.write_text("half a state")
    long_ago = time.time() - 7200
    for file in (old, other):
        os.utime(file, (long_ago, long_ago))
    assert read_statements(tmp_path) == ()
    append_statement(tmp_path, SMALL)
    assert not old.exists()
    assert young.exists(), "its writer may be at work"
    assert other.exists()
    assert findings(tmp_path) == ()


WRITER = f"""
import os, signal, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "harness")!r}]
from pathlib import Path
from pv_harness.evidence.store import append_statement
from tests.harness.evidence.conftest import statement_of
folder, name, count, victim, nth, when = sys.argv[1:]
left = int(nth)
if victim:
    real = getattr(os, victim)
    def deadly(*args, **kwargs):
        global left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(os, victim, deadly)
for n in range(int(count)):
    print(append_statement(Path(folder), statement_of(name, at_s=float(n))), flush=True)
"""


def start_writer(
    folder: Path, name: str, count: int, victim: str = "", nth: int = 0, when: str = ""
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(count), victim, str(nth), when],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("victim", "nth", "when", "stored"),
    [
        ("fdopen", 2, "before", 1),  # an empty file of a temporary name
        ("fchmod", 2, "before", 1),  # all is written, nothing flushed to disk
        ("replace", 2, "before", 1),  # between the write and the renaming
        ("replace", 2, "after", 2),  # renamed, the folder not flushed
    ],
)
def test_a_writer_that_is_killed_leaves_a_whole_statement_or_none(
    tmp_path: Path, victim: str, nth: int, when: str, stored: int
) -> None:
    writer = start_writer(tmp_path, "A", 5, victim, nth, when)
    said, _ = writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL
    there = {s.digest for s in read_statements(tmp_path)}
    assert set(said.split()) <= there
    assert len(there) == stored
    assert findings(tmp_path) == ()
    append_statement(tmp_path, statement_of("B"))
    assert findings(tmp_path) == ()


def test_a_writer_that_is_killed_anywhere_loses_nothing_that_it_reported(
    tmp_path: Path,
) -> None:
    moments = random.Random(7)
    for round_ in range(4):
        writer = start_writer(tmp_path / str(round_), "A", 100_000)
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(moments.randint(1, 12))]
        deadline = time.perf_counter() + moments.random() * 0.004
        while time.perf_counter() < deadline:
            pass
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        reported = {line.strip() for line in said if line.endswith("\n")}
        there = {s.digest for s in read_statements(tmp_path / str(round_))}
        assert reported <= there
        assert len(there - reported) <= 1
        assert findings(tmp_path / str(round_)) == ()


def test_writers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, name, 8) for name in "ABC"]
    said = {line for w in writers for line in w.communicate(timeout=60)[0].split()}
    assert [w.returncode for w in writers] == [0, 0, 0]
    append_statement(tmp_path, statement_of("D", at_s=100.0))
    statements = read_statements(tmp_path)
    assert len(said) == 24
    assert said <= {s.digest for s in statements}
    assert len(statements) == 25
    assert findings(tmp_path) == ()
    # Every one of the 24 is referred to: none of them could be deleted unseen.
    assert said <= {digest for s in statements for digest in s.previous}

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer import commit
from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import inherited_metadata
from pv_trainer.errors import CheckpointFailed, InitInvalid, UsageError
from pv_trainer.formats import apr_reader
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.release import stamping
from pv_trainer.release.stamping import stamp_checkpoint
from pv_trainer.training.checkpoint_folder import newest_whole


if TYPE_CHECKING:
    from pathlib import Path

    from tests.trainer.release.conftest import Finished


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensor_bytes(path: Path) -> dict[str, bytes]:
    file = apr_reader.verify(path)
    found = dict.fromkeys(file.entries, b"")
    for name, _, portion in apr_reader.stream(file):
        found[name] += bytes(portion)
    return found


def change_json(path: Path, **changes: Any) -> None:
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in found.items() if v != "absent"}))


def test_a_stamp_says_what_the_records_say(finished: Finished, init_path: Path) -> None:
    unstamped = digest(finished.checkpoint)
    record = json.loads((finished.run_dir / "run.json").read_text())
    stamp = stamp_checkpoint(finished.checkpoint)
    found = apr_reader.verify(finished.checkpoint).metadata["provenance"]
    assert found == stamp.provenance
    assert (found["run_id"], found["status"], found["seed"]) == ("run-7", "BUDGET_END", 42)
    assert found["run_json_sha256"] == digest(finished.run_dir / "run.json")
    assert found["commit"] == record["commit"]
    assert found["tokenizer_sha256"] == record["tokenizer_sha256"]
    assert found["data"]["train"]["manifest_sha256"] == record["dataset"]["manifest_sha256"]
    assert found["data"]["val"]["corpus_sha256"] == record["val"]["corpus_sha256"]
    assert found["parent"] == {"kind": "apr", "sha256": [digest(init_path)]}
    assert found["unstamped_sha256"] == unstamped
    assert found["measurements"]["val_loss"] == record["final"]["val_loss"]
    assert found["measurements"]["step"] == 2
    assert found["step0_val_loss"] == record["step0"]["val_loss"]


def test_a_stamp_changes_no_tensor_and_no_other_key(finished: Finished) -> None:
    before, metadata = tensor_bytes(finished.checkpoint), metadata_of(finished.checkpoint)
    stamp = stamp_checkpoint(finished.checkpoint)
    assert tensor_bytes(finished.checkpoint) == before
    after = metadata_of(finished.checkpoint)
    after.pop("provenance")
    assert after == metadata
    assert stamp.sha256 == digest(finished.checkpoint)
    assert load_model(finished.checkpoint)


def metadata_of(path: Path) -> dict[str, Any]:
    return dict(apr_reader.verify(path).metadata)


def test_a_stamp_speaks_of_its_own_epoch_and_not_of_the_last(finished: Finished) -> None:
    first = finished.checkpoint.with_name("epoch-000.apr")
    found = stamp_checkpoint(first).provenance["measurements"]
    told = json.loads(first.with_name("epoch-000.metadata.json").read_text())
    assert (found["epoch"], found["val_loss"]) == (0, told["val_loss"])


def test_stamping_twice_gives_the_same_file(finished: Finished) -> None:
    first = stamp_checkpoint(finished.checkpoint)
    assert stamp_checkpoint(finished.checkpoint) == first


def test_a_stamped_checkpoint_is_still_the_one_to_resume_from(finished: Finished) -> None:
    stamp_checkpoint(finished.checkpoint)
    newest = newest_whole(finished.run_dir / "ckpt")
    assert newest is not None
    assert newest.weights == finished.checkpoint


def test_a_stamp_that_was_killed_between_its_two_files_is_completed(
    finished: Finished,
) -> None:
    beside = finished.checkpoint.with_name("epoch-001.metadata.json")
    before = beside.read_bytes()
    stamp = stamp_checkpoint(finished.checkpoint)
    beside.write_bytes(before)
    assert stamp_checkpoint(finished.checkpoint) == stamp
    assert json.loads(beside.read_text())["checkpoint_sha256"] == stamp.sha256


def test_a_run_from_random_weights_has_no_parent(finished: Finished) -> None:
    change_json(finished.run_dir / "run.json", init=None)
    assert stamp_checkpoint(finished.checkpoint).provenance["parent"] is None


def test_what_is_trained_from_a_stamped_checkpoint_does_not_inherit_its_stamp(
    finished: Finished,
) -> None:
    stamp_checkpoint(finished.checkpoint)
    assert "provenance" not in inherited_metadata(open_checkpoint(finished.checkpoint))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("run.json", {"status": "RUNNING"}, "the run has not ended; wait for it"),
        ("run.json", {"tokenizer_sha256": "absent"}, "tokenizer_sha256 is missing"),
        ("run.json", {"dataset": {}}, "dataset.manifest_sha256 is missing"),
        ("run.json", {"dataset": 3}, "dataset.manifest_sha256 is missing"),
        ("run.json", {"init": {"files": {}}}, "init.files names no file"),
        ("ckpt/epoch-001.metadata.json", {"val_loss": "absent"}, "lacks val_loss"),
        ("ckpt/epoch-001.metadata.json", {"checkpoint_sha256": "0"}, "metadata.json is of 0"),
    ],
)
def test_a_record_that_says_too_little_or_of_another_file_is_refused(
    finished: Finished, file: str, changes: dict[str, Any], message: str
) -> None:
    change_json(finished.run_dir / file, **changes)
    before = finished.checkpoint.read_bytes()
    with pytest.raises(CheckpointFailed, match=rf"APR-STAMP-001.*{message}"):
        stamp_checkpoint(finished.checkpoint)
    assert finished.checkpoint.read_bytes() == before


@pytest.mark.parametrize("file", ["run.json", "ckpt/epoch-001.metadata.json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"[]", "not a JSON object"), (b"{", "line 1")],
)
def test_a_record_that_is_none_is_refused(
    finished: Finished, file: str, content: bytes | None, message: str
) -> None:
    place = finished.run_dir / file
    place.unlink()
    if content is not None:
        place.write_bytes(content)
    with pytest.raises(CheckpointFailed, match=rf"APR-STAMP-001.*{message}"):
        stamp_checkpoint(finished.checkpoint)


def test_a_damaged_checkpoint_is_not_stamped(finished: Finished) -> None:
    data = bytearray(finished.checkpoint.read_bytes())
    data[-100] ^= 1
    finished.checkpoint.write_bytes(data)
    with pytest.raises(InitInvalid, match="INIT-011"):
        stamp_checkpoint(finished.checkpoint)


def test_a_run_that_is_being_written_is_left_alone(finished: Finished) -> None:
    import fcntl

    descriptor = os.open(finished.run_dir, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process is writing this run"):
            stamp_checkpoint(finished.checkpoint)
    finally:
        os.close(descriptor)


def test_a_file_that_reads_back_otherwise_does_not_take_the_old_ones_place(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted((p.name, digest(p)) for p in finished.checkpoint.parent.iterdir())
    monkeypatch.setattr(stamping, "_data", lambda file, name: bytes(file.entries[name].size))
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*reads back otherwise"):
        stamp_checkpoint(finished.checkpoint)
    after = sorted((p.name, digest(p)) for p in finished.checkpoint.parent.iterdir())
    assert after == before


# --- which revision ran


def test_the_commit_is_that_of_the_repository_that_tracks_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(commit, "__file__", str(package / "commit.py"))
    assert commit.code_commit() is None

    def git(*words: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        line = ["git", *who, "-C", str(tmp_path), *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    assert commit.code_commit() is None, "a repository that does not track the package"
    git("add", ".")
    git("commit", "-q", "-m", "m")
    assert commit.code_commit() == {"revision": git("rev-parse", "HEAD"), "modified": False}
    (package / "__init__.py").write_text("x = 1\n")
    found = commit.code_commit()
    assert found is not None
    assert found["modified"] is True


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit.code_commit() is None


def test_a_run_whose_name_is_no_text_is_stamped_with_its_name_escaped(
    finished: Finished,
) -> None:
    run_dir = finished.run_dir.with_name(os.fsdecode(b"run-\xff"))
    finished.run_dir.rename(run_dir)
    stamp = stamp_checkpoint(run_dir / "ckpt" / "epoch-001.apr")
    assert stamp.provenance["run_id"] == "run-\\udcff"


def test_a_folder_in_place_of_a_checkpoint_is_told_what_to_name(finished: Finished) -> None:
    with pytest.raises(CheckpointFailed, match=r"APR-STAMP-001.*a folder; name RUN/ckpt/NAME"):
        stamp_checkpoint(finished.run_dir)


def test_what_killed_stampings_left_is_removed(finished: Finished) -> None:
    folder = finished.checkpoint.parent
    before = sorted(folder.iterdir())
    for name in (".epoch-001.apr.1-ab.tmp", "..epoch-001.apr.1-ab.tmp.1-cd.tmp"):
        (folder / name).touch()
    stamp_checkpoint(finished.checkpoint)
    assert sorted(folder.iterdir()) == before

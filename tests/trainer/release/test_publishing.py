from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pv_trainer import cli
from pv_trainer.checkpoints import saving
from pv_trainer.checkpoints.init import load_model
from pv_trainer.data.tokenizer import read_tokenizer
from pv_trainer.errors import CheckpointFailed, UsageError
from pv_trainer.release import gate, publishing
from pv_trainer.release.stamping import stamp_checkpoint


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.trainer.release.conftest import Finished

    MakePv = Callable[..., Path]


@pytest.fixture
def stamped(finished: Finished) -> Finished:
    stamp_checkpoint(finished.checkpoint)
    return finished


def call(
    capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    code = cli.main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def publish(stamped: Finished, folder: Path, project: Path, pv: Path, **given: Any) -> Any:
    return publishing.publish(stamped.checkpoint, folder, project=project, pv=pv, **given)


def test_a_release_holds_everything_and_the_digests_of_everything(
    stamped: Finished,
    project: Path,
    make_pv: MakePv,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, pv = tmp_path / "out" / "release", make_pv()
    code, report, err = call(
        capsys,
        *("publish", stamped.checkpoint, folder, "--project", project, "--pv", pv),
    )
    assert (code, err) == (0, "")
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert (
        files
        == report["files"].keys()
        == {
            *("model.apr", "model.safetensors", "config.json", "README.md"),
            *("tokenizer.json", "tokenizer_config.json"),
            *("scoreboard.md", "scoreboard.json", "gate.json", "release.json"),
            *("evidence/2027/one.json", "SHA256SUMS"),
        }
    )
    line = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(line, cwd=folder, check=False).returncode == 0
    summed = (folder / "SHA256SUMS").read_text().splitlines()
    assert len(summed) == len(files) - 1
    assert (tmp_path / "pv.log").read_text().splitlines() == [
        "gate --policy release --format json",
        "release --format json",
        "scoreboard --format markdown",
        "scoreboard --format json",
    ]
    assert [p.name for p in folder.parent.iterdir()] == ["release"]


def test_both_forms_of_the_weights_are_the_checkpoint(
    stamped: Finished, project: Path, make_pv: MakePv, tmp_path: Path
) -> None:
    import transformers

    folder = tmp_path / "release"
    publish(stamped, folder, project, make_pv())
    assert (folder / "model.apr").read_bytes() == stamped.checkpoint.read_bytes()
    loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True
    )
    theirs, info = loaded
    assert not any(info.values()), info
    ours, _, _ = load_model(stamped.checkpoint)
    expected = ours.state_dict()
    found = {name: values for name, values in theirs.state_dict().items() if name in expected}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_card_has_the_measured_losses_and_the_scoreboard(
    stamped: Finished, project: Path, make_pv: MakePv, tmp_path: Path
) -> None:
    publish(stamped, tmp_path / "release", project, make_pv())
    card = (tmp_path / "release" / "README.md").read_text()
    record = json.loads((stamped.run_dir / "run.json").read_text())
    assert card.startswith('---\nlibrary_name: "transformers"\n')
    assert str(record["final"]["val_loss"]) in card
    assert str(record["step0"]["val_loss"]) in card
    assert record["dataset"]["manifest_sha256"] in card
    assert "| A-001 | DISCHARGED |" in card
    assert "BUDGET\\_END" in card


@pytest.mark.parametrize("code", [1, 2, 3, 4, 127])
@pytest.mark.parametrize("which", ["gate", "release"])
def test_whatever_else_a_gate_ends_with_nothing_is_published(
    stamped: Finished,
    project: Path,
    make_pv: MakePv,
    capsys: pytest.CaptureFixture[str],
    code: int,
    which: str,
) -> None:
    pv = make_pv(**{which: code}, words="denied: A-001 is PARTIAL")
    folder = project.parent / "release"
    found, report, err = call(
        capsys,
        *("publish", stamped.checkpoint, folder, "--project", project, "--pv", pv),
    )
    assert (found, report["status"]) == (23, "CHECKPOINT_FAILED")
    assert report["error"]["id"] == "APR-PUBLISH-001"
    asked = {"gate": "pv gate --policy release", "release": "pv release"}[which]
    assert f"`{asked}` ended with {code}, not 0; nothing is published" in err
    assert ("denied: A-001 is PARTIAL" in err) == (which == "gate")
    assert not folder.exists()


def test_a_pv_that_cannot_be_run_publishes_nothing(
    stamped: Finished, project: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointFailed, match=r"APR-PUBLISH-001.*pv gate: cannot be run"):
        publish(stamped, tmp_path / "release", project, tmp_path / "none" / "pv")


def test_a_pv_that_never_ends_publishes_nothing(
    stamped: Finished, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pv = tmp_path / "pv"
    pv.write_text("#!/bin/sh\nexec sleep 60\n")
    pv.chmod(0o755)
    monkeypatch.setattr(gate, "TIMEOUT_S", 0.2)
    with pytest.raises(CheckpointFailed, match=r"APR-PUBLISH-001.*cannot be run: .*timed out"):
        publish(stamped, tmp_path / "release", project, pv)


def test_what_pv_prints_cannot_write_to_the_terminal(
    stamped: Finished, project: Path, tmp_path: Path
) -> None:
    pv = tmp_path / "pv"
    pv.write_text("#!/bin/sh\nprintf '\\033[2Jdenied\\n' >&2\nexit 1\n")
    pv.chmod(0o755)
    with pytest.raises(CheckpointFailed, match=r"\\x1b\[2Jdenied"):
        publish(stamped, tmp_path / "release", project, pv)


def test_a_checkpoint_without_a_stamp_is_not_published(
    finished: Finished, project: Path, make_pv: MakePv, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointFailed, match=r"APR-PUBLISH-001.*not stamped; run `apr stamp"):
        publish(finished, tmp_path / "release", project, make_pv())


def test_another_tokenizer_is_not_published(
    stamped: Finished,
    project: Path,
    make_pv: MakePv,
    tokenizer_path: Path,
    tmp_path: Path,
) -> None:
    other = tmp_path / "tokenizer.json"
    other.write_text(tokenizer_path.read_text() + "\n")
    with pytest.raises(CheckpointFailed, match=r"its digest is .*; the checkpoint was trained"):
        publish(stamped, tmp_path / "release", project, make_pv(), tokenizer=other)
    publish(stamped, tmp_path / "release", project, make_pv(), tokenizer=tokenizer_path)


@pytest.fixture
def pair(tokenizer_path: Path, tmp_path: Path) -> Path:
    """A tokenizer of two files and its special tokens."""
    folder = tmp_path / "pair"
    folder.mkdir()
    model = json.loads(tokenizer_path.read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "".join(" ".join(merge) + "\n" for merge in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}")
    (folder / "added_tokens.json").write_text('{"<|endoftext|>": 0}')
    return folder


@pytest.fixture
def texts_file(texts: list[str], tmp_path: Path) -> Path:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


def test_a_tokenizer_of_two_files_is_exported_and_published_as_it_is(
    pair: Path,
    texts_file: Path,
    init_path: Path,
    project: Path,
    make_pv: MakePv,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tmp_path = pair.parent
    data, run = tmp_path / "data", tmp_path / "run"
    encode = ("tokenize", "encode", "--input", texts_file, "--hold-out", "0.25")
    assert call(capsys, *encode, "--tokenizer", pair, "--output", data)[0] == 0
    short = ("--num-steps", "1", "--batch-size", "2", "--seq-length", "32", "--device", "cpu")
    train = ("pretrain", "--init", init_path, "--dataset", data, "--run-dir", run, *short)
    assert call(capsys, *train)[0] == 0
    checkpoint = run / "ckpt" / "epoch-000.apr"
    assert call(capsys, "stamp", checkpoint)[0] == 0
    assert call(capsys, "export", checkpoint, tmp_path / "hf")[0] == 0
    publishing.publish(checkpoint, tmp_path / "release", project=project, pv=make_pv())
    digest = read_tokenizer(pair).digest
    for folder in (tmp_path / "hf", tmp_path / "release"):
        found = read_tokenizer(folder)
        assert (found.digest, found.eos_id) == (digest, 0)
        assert json.loads((folder / "config.json").read_text())["eos_token_id"] == 0


def test_a_record_that_is_gone_asks_for_the_tokenizer(
    stamped: Finished, project: Path, make_pv: MakePv, tmp_path: Path
) -> None:
    (stamped.run_dir / "run.json").unlink()
    with pytest.raises(CheckpointFailed, match=r"name the tokenizer with --tokenizer"):
        publish(stamped, tmp_path / "release", project, make_pv())


def test_a_folder_that_is_no_project_is_told_so(
    stamped: Finished, make_pv: MakePv, tmp_path: Path
) -> None:
    told = f"{tmp_path}: no pyproject.toml there; name the project with --project"
    with pytest.raises(CheckpointFailed, match=re.escape(told)):
        publish(stamped, tmp_path / "release", tmp_path, make_pv())


@pytest.mark.parametrize("change", ["settings", "store", "empty"])
def test_without_evidence_nothing_is_published(
    stamped: Finished, project: Path, make_pv: MakePv, tmp_path: Path, change: str
) -> None:
    match change:
        case "settings":
            (project / "pyproject.toml").write_text("[tool")
        case "store":
            shutil.rmtree(project / "facts")
        case _:
            shutil.rmtree(project / "facts" / "2027")
    with pytest.raises(CheckpointFailed, match="APR-PUBLISH-001"):
        publish(stamped, tmp_path / "release", project, make_pv())
    assert not (tmp_path / "release").exists()
    assert not (tmp_path / "pv.log").exists(), "the cheap looks come first"


def test_a_folder_with_content_is_left_alone(
    stamped: Finished, project: Path, make_pv: MakePv, tmp_path: Path
) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "mine").write_text("precious")
    with pytest.raises(UsageError, match="is not empty"):
        publish(stamped, tmp_path / "release", project, make_pv())


def test_weights_that_read_back_otherwise_are_not_published(
    stamped: Finished,
    project: Path,
    make_pv: MakePv,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = saving.write_huggingface

    def write_other(folder: Path, weights: Any, *rest: Any) -> None:
        write(folder, weights, *rest)
        path = folder / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    monkeypatch.setattr(publishing, "write_huggingface", write_other)
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*read back"):
        publish(stamped, tmp_path / "release", project, make_pv())
    assert not (tmp_path / "release").exists()


def test_the_default_pv_is_the_one_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="there is no pv to ask; name one with --pv"):
        gate.find_pv()
    (tmp_path / "pv").write_text("")
    assert gate.find_pv() == tmp_path / "pv"


def test_the_trainer_does_not_import_the_harness() -> None:
    code = (
        "import sys, pv_trainer.release.publishing\n"
        "sys.exit(any(name.startswith('pv_harness') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

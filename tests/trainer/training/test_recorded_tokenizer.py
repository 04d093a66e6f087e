from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer import cli
from pv_trainer.data.tokenizer import read_tokenizer
from pv_trainer.errors import DataInvalid
from pv_trainer.training.loop import run_training
from pv_trainer.training.preflight import preflight
from pv_trainer.training.recorded_tokenizer import recorded_tokenizer


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.training.options import PretrainOptions


@pytest.fixture
def tokenizer(tokenizer_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tokenizer_path, tmp_path / "mine.json"))


@pytest.fixture
def checkpoint(short_options: PretrainOptions, tokenizer: Path, tmp_path: Path) -> Path:
    options = replace(short_options, tokenizer=tokenizer, num_steps=1)
    run_training(preflight(options), tmp_path / "run")
    return tmp_path / "run" / "ckpt" / "epoch-000.apr"


@pytest.fixture
def export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(checkpoint: Path, *more: object) -> tuple[int, str, str]:
        code = cli.main(["export", str(checkpoint), str(tmp_path / "hf"), *map(str, more)])
        return code, *capsys.readouterr()

    return run


def edit(checkpoint: Path, **changes: Any) -> None:
    file = checkpoint.parent.parent / "run.json"
    record = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(record))


def test_the_tokenizer_of_the_run_is_found_from_anywhere(
    checkpoint: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    found = recorded_tokenizer(Path(checkpoint.name))
    assert found == read_tokenizer(tokenizer)


def test_a_checkpoint_outside_of_a_run_has_none(checkpoint: Path, tmp_path: Path) -> None:
    assert recorded_tokenizer(Path(shutil.copy(checkpoint, tmp_path / "a.apr"))) is None
    (tmp_path / "other" / "ckpt").mkdir(parents=True)
    alone = Path(shutil.copy(checkpoint, tmp_path / "other" / "ckpt" / "a.apr"))
    assert recorded_tokenizer(alone) is None


def test_an_export_says_which_tokenizer_it_took(
    checkpoint: Path, tokenizer: Path, tmp_path: Path, export: Callable[..., Any]
) -> None:
    code, out, err = export(checkpoint)
    assert (code, err) == (0, "")
    digest = read_tokenizer(tokenizer).digest
    assert out.splitlines()[1] == f"its tokenizer is {tokenizer}, {digest[:16]}"
    assert (tmp_path / "hf" / "tokenizer.json").read_bytes() == tokenizer.read_bytes()
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["eos_token_id"] == 0


def test_a_tokenizer_that_is_named_wins(
    checkpoint: Path, tokenizer: Path, tokenizer_path: Path, export: Callable[..., Any]
) -> None:
    tokenizer.unlink()
    code, out, _ = export(checkpoint, "--tokenizer", tokenizer_path, "--json")
    found = json.loads(out)
    assert (code, found["tokenizer"]) == (0, [str(tokenizer_path)])
    assert found["tokenizer_sha256"] == read_tokenizer(tokenizer_path).digest


def test_an_export_of_a_checkpoint_of_no_run_says_that_it_has_no_tokenizer(
    init_path: Path, export: Callable[..., Any]
) -> None:
    code, out, _ = export(init_path)
    assert code == 0
    assert out.splitlines()[1] == (
        "no tokenizer: the checkpoint is in the folder of no run; --tokenizer names one"
    )


@pytest.mark.parametrize("change", ["gone", "other", "damaged", "old", "undigested"])
def test_a_tokenizer_that_is_not_the_runs_is_refused_and_nothing_is_written(
    checkpoint: Path, tokenizer: Path, tmp_path: Path, export: Callable[..., Any], change: str
) -> None:
    match change:
        case "gone":
            tokenizer.unlink()
            problem = "run.json: its tokenizer .*mine.json: it cannot be read"
        case "other":
            tokenizer.write_text(tokenizer.read_text() + "\n")
            problem = "mine.json: its digest is .{16}; the run's was "
        case "damaged":
            (checkpoint.parent.parent / "run.json").write_text("{")
            problem = "run.json: Expecting"
        case "old":
            edit(checkpoint, tokenizer_files=None)
            problem = "run.json: it does not say which tokenizer the run had"
        case _:
            edit(checkpoint, tokenizer_sha256=3)
            problem = "run.json: it does not say which tokenizer the run had"
    with pytest.raises(DataInvalid, match=rf"CORPUS-008.*{problem}.*; name .* --tokenizer$"):
        recorded_tokenizer(checkpoint)
    assert export(checkpoint)[0] == 11
    assert not (tmp_path / "hf").exists()

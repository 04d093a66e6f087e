from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer import cli
from pv_trainer.checkpoints.inspection import inspect_checkpoint
from pv_trainer.commands.inspect import _origin_lines
from pv_trainer.commands.parser import make_parser


if TYPE_CHECKING:
    from pathlib import Path


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, err = call(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize("line", ["--version", "--help", "pretrain --help", "inspect x"])
def test_what_reads_no_tensor_imports_no_torch(line: str) -> None:
    code = (
        f"import sys; from pv_trainer.cli import main; main({line.split()!r});"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    "line",
    [
        "embedded",
        "pretrain --init x --dataset y",
        "inspect model.safetensors",
        "tokenize train --input . --output out.json --vocab-size 300",
    ],
)
def test_without_its_extra_it_names_the_extra(line: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "text.txt").write_text("some text\n")
    code = (
        "import sys; from pv_trainer.cli import main;"
        "sys.modules.update(dict.fromkeys(['torch', 'numpy', 'safetensors', 'tokenizers']));"
        f"sys.exit(main({line.split()!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    found = re.fullmatch(
        r"apr: \[APR-CLI-001\] apr needs the extra trainer: there is no (\w+) here; "
        r'pip install "pv-harness\[trainer\]"\n',
        done.stderr,
    )
    assert found, done.stderr


def test_version_and_help_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--version")
    assert code == 0
    assert out.startswith("apr ")
    code, out, _ = call(capsys, "pretrain", "--help")
    assert code == 0
    assert "Exit codes: 0 target met" in out


def test_an_error_is_one_line_with_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "inspect", "none.apr")
    assert (code, out) == (10, "")
    assert (
        err == "apr: [FALSIFY-APR-PRETRAIN-INIT-003] none.apr: no such file; check the path\n"
    )


def test_an_error_is_in_the_report_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "pretrain", "--device", "tpu", "--json", "--dataset", "x")
    found = json.loads(out)
    assert (code, found["status"], found["exit_code"]) == (2, "USAGE", 2)
    assert found["error"]["id"] == "GPUTRAIN-001"


def test_only_debug_shows_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, quiet = call(capsys, "inspect", "none.apr")
    _, _, loud = call(capsys, "inspect", "none.apr", "--debug")
    assert "Traceback" not in quiet
    assert "Traceback" in loud
    assert loud.endswith(quiet)


def test_a_defect_of_the_program_is_called_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("pv_trainer.commands.inspect.inspect", broken)
    code, _, err = call(capsys, "inspect", "x")
    assert code == 1
    assert err.startswith("apr: a defect of this program: ZeroDivisionError: division by zero")
    assert "Traceback" not in err
    code, out, _ = call(capsys, "inspect", "x", "--json")
    found = json.loads(out)
    assert (code, found["status"], found["exit_code"]) == (1, "CRASHED", 1)


def test_a_tokenizer_is_trained_and_a_corpus_encoded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, texts: list[str]
) -> None:
    source = tmp_path / "texts.jsonl"
    source.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    tokenizer = tmp_path / "tok" / "tokenizer.json"
    made = report(
        capsys,
        "tokenize",
        "train",
        "--input",
        source,
        "--vocab-size",
        300,
        "--output",
        tokenizer,
    )
    assert (made["vocab_size"], made["eos_token_id"]) == (300, 0)
    encoded = report(
        capsys,
        *("tokenize", "encode", "--input", source, "--tokenizer", tokenizer),
        *("--output", tmp_path / "data", "--hold-out", 0.3, "--eos-policy", "between"),
    )
    train, val = (split["manifest"] for split in encoded["splits"])
    assert train["documents"] + val["documents"] == len(texts)
    assert val["split"] == "val"
    code, _, err = call(
        capsys,
        "tokenize",
        "train",
        "--input",
        source,
        "--vocab-size",
        300,
        "--output",
        tokenizer,
    )
    assert code == 2
    assert "tokenizer.json exists; name a new file" in err


def test_inspect_tells_fields_and_sources(
    capsys: pytest.CaptureFixture[str], init_path: Path
) -> None:
    code, out, _ = call(capsys, "inspect", init_path)
    assert code == 0
    assert "vocab_size" in out
    assert "metadata.rope_theta" in out
    assert report(capsys, "inspect", init_path)["trainable"] is True


def test_inspect_shows_the_training_and_the_stamp_as_far_as_they_say_so() -> None:
    stamp = {
        "run_id": "runs/\x1b[31m" + "x" * 100,
        "seed": 42,
        "measurements": {"val_loss": 2.123456789, "val_tokens": [1] * 100},
    }
    lines = _origin_lines({"training": {"epoch": 3, "step": 40}, "provenance": stamp})
    assert [line.split()[0] for line in lines] == ["trained", "stamped", "measured"]
    assert lines[0].endswith("epoch 3, step 40")
    assert "seed 42" in lines[1]
    assert "val_loss 2.12346" in lines[2]
    assert "\x1b" not in "".join(lines)
    assert max(map(len, lines)) < 200
    assert _origin_lines({"training": [], "provenance": "me"}) == []


@pytest.mark.parametrize(
    "line", ["inspect RUN", "import RUN o.apr", "pretrain --init RUN/ckpt"]
)
def test_a_run_in_place_of_a_checkpoint_is_told_which_one_to_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str
) -> None:
    (tmp_path / "ckpt").mkdir()
    (tmp_path / "run.json").write_text("{}")
    words = [word.replace("RUN", str(tmp_path)) for word in line.split()]
    told = "the folder of a run, which is no checkpoint itself"
    code, _, err = call(capsys, *words)
    assert code == 10
    assert f"[FALSIFY-APR-PRETRAIN-INIT-004] {tmp_path}" in err
    assert err.endswith(f"{told}; it has none yet\n")
    for number, name in enumerate(("epoch-001.apr", "epoch-000.apr")):
        (tmp_path / "ckpt" / name).touch()
        os.utime(tmp_path / "ckpt" / name, (100 - number, 100 - number))
    _, _, err = call(capsys, *words)
    assert err.endswith(
        f"{told}; name one in it; the newest is {tmp_path}/ckpt/epoch-001.apr\n"
    )


def test_what_a_terminal_would_obey_is_spelled_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = call(capsys, "inspect", tmp_path / "red\x1b[31m")
    assert code == 10
    assert "/red\\x1b[31m: no such file" in err


def test_ctrl_c_while_modules_are_imported_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("import os; os.kill(os.getpid(), 2)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pv_trainer", "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_command_ends_it_with_130_and_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(cli, "make_parser", lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    code, _, err = call(capsys, "--version")
    assert (code, err) == (130, "apr: [APR-CLI-130] a signal ended the command\n")
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_who_asked_for_ctrl_c_to_be_ignored_is_obeyed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = make_parser()

    def interrupted() -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return parser

    monkeypatch.setattr(cli, "make_parser", interrupted)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code, _, err = call(capsys, "--version")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, err) == (0, "")


def test_export_writes_a_directory_that_can_be_trained_from(
    capsys: pytest.CaptureFixture[str], init_path: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    output = tmp_path / "hf"
    found = report(capsys, "export", init_path, output, "--tokenizer", tokenizer_path)
    assert set(found["files"]) == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    }
    assert report(capsys, "inspect", output)["trainable"] is True
    assert json.loads((output / "config.json").read_text())["eos_token_id"] == 0
    code, _, err = call(capsys, "export", init_path, output)
    assert code == 2
    assert "is not empty" in err
    assert "--output" not in err


def test_an_import_is_read_back_and_can_be_trained_from(
    capsys: pytest.CaptureFixture[str], init_path: Path, tmp_path: Path
) -> None:
    report(capsys, "export", init_path, tmp_path / "hf")
    output = tmp_path / "again.apr"
    found = report(capsys, "import", tmp_path / "hf", output)
    assert found["verified"] is True
    assert found["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert found["metadata"]["source"] == str(tmp_path / "hf")
    shown = report(capsys, "inspect", output, "--verify")
    assert (shown["trainable"], shown["verified"]) == (True, True)
    assert shown["flags"] == ["row-major"]
    code, _, err = call(capsys, "import", tmp_path / "hf", output)
    assert code == 2
    assert "again.apr exists; name a new file" in err
    output.unlink()
    code, out, _ = call(capsys, "import", tmp_path / "hf", output)
    assert code == 0
    assert out == f"{output}: 26 tensors, read back and equal, {found['sha256']}\n"


def test_an_import_of_nothing_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = call(capsys, "import", tmp_path / "none", tmp_path / "out.apr")
    assert code == 10
    assert "INIT-003" in err
    assert list(tmp_path.iterdir()) == []


def test_inspect_lists_every_tensor_with_its_place(
    capsys: pytest.CaptureFixture[str], init_path: Path
) -> None:
    code, out, _ = call(capsys, "inspect", init_path, "--tensors")
    assert code == 0
    (line,) = [x for x in out.splitlines() if "layers.0.self_attn.k_proj.bias" in x]
    name, dtype, shape, offset, size = line.split()
    assert (dtype, shape, size) == ("F32", "16", "64")
    told = report(capsys, "inspect", init_path)["tensors"][name]
    assert told == {
        "dtype": "F32",
        "quantized": False,
        "shape": [16],
        "offset": int(offset),
        "size_bytes": 64,
    }
    assert "k_proj.bias" not in call(capsys, "inspect", init_path)[1]


def test_inspect_says_what_is_broken(
    capsys: pytest.CaptureFixture[str], init_path: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.apr"
    data = bytearray(init_path.read_bytes())
    data[-100] ^= 1
    broken.write_bytes(data)
    assert call(capsys, "inspect", broken)[0] == 0
    code, _, err = call(capsys, "inspect", broken, "--verify")
    assert code == 10
    assert "the footer says checksum" in err
    broken.write_bytes(data[:3000])
    code, _, err = call(capsys, "inspect", broken)
    assert code == 10
    assert "3000 bytes end before the tensor data; it is truncated" in err or "describe" in err


def test_a_stamp_outside_a_run_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], apr_path: Path
) -> None:
    code, out, err = call(capsys, "stamp", apr_path, "--json")
    found = json.loads(out)
    assert (code, found["status"]) == (23, "CHECKPOINT_FAILED")
    assert found["error"]["id"] == "APR-STAMP-001"
    assert "run.json: No such file or directory; stamp a checkpoint in the folder of" in err


def test_an_export_copies_both_files_of_a_tokenizer_that_has_two(
    capsys: pytest.CaptureFixture[str], init_path: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    model = json.loads(tokenizer_path.read_text())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    output = tmp_path / "hf"
    found = report(capsys, "export", init_path, output, "--tokenizer", tmp_path / "vocab.json")
    assert set(found["files"]) == {
        *("config.json", "model.safetensors"),
        *("vocab.json", "merges.txt", "tokenizer_config.json"),
    }
    assert (output / "vocab.json").read_bytes() == (tmp_path / "vocab.json").read_bytes()


def test_a_warning_about_the_metadata_is_in_the_text_too(
    capsys: pytest.CaptureFixture[str], init_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = inspect_checkpoint(init_path) | {"warnings": ["twice"]}
    module = "pv_trainer.checkpoints.inspection"
    monkeypatch.setattr(f"{module}.inspect_checkpoint", lambda _, **__: found)
    assert "  warning: twice\n" in call(capsys, "inspect", init_path)[1]


def test_an_output_that_can_not_be_made_is_named_without_a_number(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("some text")
    code, _, err = call(
        capsys,
        *("tokenize", "train", "--input", tmp_path / "a.txt", "--vocab-size", 257),
        *("--output", tmp_path / "a.txt" / "tokenizer.json"),
    )
    assert code == 2
    assert err.startswith(f"apr: [APR-CLI-001] {tmp_path / 'a.txt'}: ")
    assert "Errno" not in err

"""`apr tokenize encode` as a user runs it: its processes, signals, full disks, a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer.commands.parser import make_parser
from pv_trainer.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = (sys.executable, "-m", "pv_trainer", "tokenize", "encode")


@pytest.fixture
def corpus(tmp_path: Path, texts: list[str]) -> Path:
    """Some 3 MB in .jsonl, .txt and folders: more than one process would start for."""
    folder = tmp_path / "input"
    (folder / "deep").mkdir(parents=True)
    with (folder / "lines.jsonl").open("w") as file:
        for n in range(40):
            file.writelines(json.dumps({"text": f"{n} {text}"}) + "\n" for text in texts)
    (folder / "deep" / "long.txt").write_text("".join(texts) * 6)
    (folder / "deep" / "short.txt").write_text("short")
    (folder / "deep" / "empty.txt").write_text("")
    return folder


def encode(
    corpus: Path, tokenizer: Path, output: Path, *flags: object, **options: Any
) -> subprocess.CompletedProcess[str]:
    paths = ("--input", corpus, "--tokenizer", tokenizer, "--output", output)
    line = [*COMMAND, *map(str, (*paths, *flags))]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


def tree(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_no_byte_depends_on_the_number_of_processes(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    flags = ("--hold-out", 0.2, "--shard-tokens", 200_000, "--eos-policy", "between")
    found = []
    for workers in (1, 3):
        output = tmp_path / f"out-{workers}"
        done = encode(corpus, tokenizer_path, output, *flags, "--workers", workers)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(tree(output))
    assert found[0] == found[1]
    assert len(found[0]) > 10
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("input", "out-1", "out-3"),
    ]


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        ("--workers 0", "'0' is not a whole number from 1"),
        ("--workers 257", "257 is above 256"),
        ("--split-seed -1", "'-1' is not a whole number from 0"),
        ("--shard-tokens 0", "'0' is not a whole number from 1"),
        ("--eos-policy some", "invalid choice: 'some'"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_usage_error(flag: str, problem: str) -> None:
    line = f"tokenize encode --input a --tokenizer b --output c {flag}"
    with pytest.raises(UsageError, match=problem):
        make_parser().parse_args(line.split())


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def start(
    corpus: Path, tokenizer: Path, output: Path, *, group: bool = True
) -> subprocess.Popen[str]:
    line = [*COMMAND, "--input", corpus, "--tokenizer", tokenizer, "--output", output]
    return subprocess.Popen(
        [*map(str, line), "--workers", "2", "--shard-tokens", "20000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=group,
    )


def members(group: int) -> list[int]:
    """The processes of a process group that still run."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(file.parent.name))
    return found


@pytest.mark.parametrize("to", ["the group, as Ctrl-C", "the parent"])
@pytest.mark.parametrize("after", ["a process", "a shard"])
def test_an_interrupt_leaves_nothing(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, to: str, after: str
) -> None:
    process = start(corpus, tokenizer_path, tmp_path / "out")
    if after == "a process":
        wait_for(lambda: len(members(process.pid)) > 2)
    else:
        wait_for(lambda: list(tmp_path.glob(".out.*/shard-00001.bin")))
    (os.kill if to == "the parent" else os.killpg)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "apr: [APR-CLI-130] a signal ended the command\n"
    assert [file.name for file in tmp_path.iterdir()] == ["input"]
    wait_for(lambda: not members(process.pid))


def test_what_a_killed_try_left_is_cleared_away_and_its_processes_end(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    process = start(corpus, tokenizer_path, tmp_path / "out")
    wait_for(lambda: list(tmp_path.glob(".out.*/shard-00001.bin")))
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not members(process.pid))
    assert list(tmp_path.glob(".out.*.tmp"))
    assert not (tmp_path / "out").exists()
    done = encode(corpus / "deep", tokenizer_path, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["input", "out"]


def test_what_another_process_is_writing_is_left_alone(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    process = start(corpus, tokenizer_path, tmp_path / "out")
    wait_for(lambda: list(tmp_path.glob(".out.*/shard-00001.bin")))
    process.send_signal(signal.SIGSTOP)
    done = encode(corpus / "deep", tokenizer_path, tmp_path / "out")
    assert done.returncode == 0
    first = tree(tmp_path / "out")
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "Directory not empty" in err
    assert tree(tmp_path / "out") == first
    assert sorted(file.name for file in tmp_path.iterdir()) == ["input", "out"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_leaves_nothing(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, workers: int
) -> None:
    """A limit on the size of files stands for it: the error comes from the same write."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = encode(
        corpus, tokenizer_path, tmp_path / "out", "--workers", workers, preexec_fn=limit
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"apr: \[APR-CLI-001\] .*File too large; check the path, the rights and the space\n",
        done.stderr,
    )
    assert [file.name for file in tmp_path.iterdir()] == ["input"]


def test_a_place_that_can_not_be_written_is_told(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = encode(corpus, tokenizer_path, tmp_path / "file" / "out")
    assert done.returncode == 2
    assert "/file: File exists" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_worker_is_an_error_with_a_remedy(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    process = start(corpus, tokenizer_path, tmp_path / "out")

    def workers() -> list[int]:
        others = [pid for pid in members(process.pid) if pid != process.pid]
        return [pid for pid in others if b"spawn_main" in command_line(pid)]

    wait_for(workers)
    os.kill(workers()[0], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert re.fullmatch(
        r"apr: \[APR-CLI-001\] one of 2 encoding processes was killed, perhaps for its memory; "
        r"give fewer --workers, or smaller documents\n",
        err,
    )
    assert [file.name for file in tmp_path.iterdir()] == ["input"]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_an_output_inside_the_input_is_refused(corpus: Path, tokenizer_path: Path) -> None:
    done = encode(corpus, tokenizer_path, corpus / "out")
    assert done.returncode == 2
    assert re.search(r"--output .*/out is inside --input .*/input, which would be", done.stderr)
    assert not (corpus / "out").exists()


def test_another_member_can_be_the_text(
    tokenizer_path: Path, tmp_path: Path, texts: list[str]
) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text("".join(json.dumps({"body": text}) + "\n" for text in texts))
    done = encode(file, tokenizer_path, tmp_path / "out")
    assert done.returncode == 11
    assert "[CORPUS-008]" in done.stderr
    assert 'line 1 is not {"text": "..."}; name the member' in done.stderr
    done = encode(file, tokenizer_path, tmp_path / "out", "--text-field", "body", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["splits"][0]["manifest"]["documents"] == len(texts)
    assert [gate["id"] for gate in report["splits"][0]["gates"]] == [
        *("CORPUS-001", "CORPUS-002", "CORPUS-003", "CORPUS-004", "CORPUS-007", "CORPUS-009"),
    ]


def test_parquet_gives_the_tokens_of_the_same_texts(
    tokenizer_path: Path, tmp_path: Path, texts: list[str]
) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    parquet.write_table(pa.table({"content": texts}), tmp_path / "x.parquet")
    lines = "".join(json.dumps({"content": text}) + "\n" for text in texts)
    (tmp_path / "x.jsonl").write_text(lines)
    for name in ("parquet", "jsonl"):
        place = (tmp_path / f"x.{name}", tokenizer_path, tmp_path / f"out-{name}")
        assert encode(*place, "--text-field", "content").returncode == 0
    assert tree(tmp_path / "out-parquet") == tree(tmp_path / "out-jsonl")


def test_another_split_seed_holds_out_other_documents(
    tokenizer_path: Path, tmp_path: Path, texts: list[str]
) -> None:
    file = tmp_path / "x.jsonl"
    lines = (f"{n} {texts[n % len(texts)][:300]}" for n in range(400))
    file.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    held_out = []
    for seed in (0, 7):
        output = tmp_path / str(seed)
        done = encode(file, tokenizer_path, output, "--hold-out", 0.2, "--split-seed", seed)
        assert done.returncode == 0
        held_out.append(set((output / "val" / "documents.sha256").read_text().split()))
        assert json.loads((output / "manifest.json").read_text())["seed"] == seed
    assert all(50 < len(found) < 110 for found in held_out)
    assert len(held_out[0] & held_out[1]) < 35


def test_progress_is_on_a_terminal_alone_and_gone_at_the_end(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from pv_trainer.commands import encode_progress as p, parser;"
        "from pv_trainer.cli import main;"
        "p._QUIET_S = 0.0; p._PAUSE_S = 0.02;"
        "sys.exit(main(sys.argv[1:]))"
    )
    paths = ("--input", corpus, "--tokenizer", tokenizer_path, "--output", tmp_path / "out")
    line = [sys.executable, "-c", code, *COMMAND[3:], *map(str, paths), "--workers", "1"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=theirs, env=environment) as done:
        os.close(theirs)
        shown = read_all(ours)
        assert done.stdout is not None
        assert done.stdout.read().endswith(b"\n")
    assert done.returncode == 0
    percents = [int(found) for found in re.findall(rb"(\d+) %", shown)]
    assert len(percents) > 5
    assert percents == sorted(percents)
    assert max(percents) >= 99
    assert re.search(rb"documents 1,\d\d\d, tokens [\d,]+", shown)
    assert shown.rstrip(b"\r\n").endswith((b"\x1b[K", b"\x1b[2K", b"\x1b[?25h"))


def read_all(terminal: int) -> bytes:
    shown = b""
    with contextlib.suppress(OSError):  # EIO once the other end is closed
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    return shown

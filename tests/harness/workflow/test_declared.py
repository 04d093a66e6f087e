"""What reading the evidence costs, and what it notices, through the command line."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.harness.evidence.conftest import payload_of, with_payload

from pv_harness.cli import main
from pv_harness.digest import digest_bytes
from pv_harness.evidence.signing import read_signer, write_key_pair
from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.project import load_project
from pv_harness.workflow import declared
from pv_harness.workflow.declared import read_board, read_declared


if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.conftest import Toy


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("PV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence is read ten seconds later, when its files have settled."""
    clock = SimpleNamespace(time=lambda: time.time() + 10)
    monkeypatch.setattr(declared, "time", clock)


@pytest.fixture
def signed(proven: Toy) -> Toy:
    """A proven repository that trusts one key, which has signed the newest statement."""
    write_key_pair(proven.root, "ci")
    text = (proven.root / "pyproject.toml").read_text()
    (proven.root / "pyproject.toml").write_text(text + '[tool.pv.keys]\nci = "ci.pub.pem"\n')
    store = proven.root / "reports" / "evidence"
    newest = read_statements(store)[-1]
    append_statement(store, newest, read_signer(proven.root / "ci.key.pem"))
    return proven


def forge(toy: Toy) -> Path:
    """Put other numbers under the signature of the signed statement; its name fits them."""
    (file,) = (f for f in toy.evidence() if b"keyid" in f.read_bytes())
    data = file.read_bytes()
    payload = payload_of(data)
    payload["predicate"]["pv"]["version"] = "other"
    data = with_payload(data, payload)
    file.unlink()
    forged = file.with_name(f"{digest_bytes(data)}.intoto.jsonl")
    forged.write_bytes(data)
    return forged


@pytest.mark.parametrize(
    "words",
    [["scoreboard"], ["gate"], ["explain", "FALSIFY-TOY-001"], ["health"], ["list"]],
    ids=lambda words: words[0],
)
def test_a_signature_that_does_not_verify_is_noticed_by_every_verb(
    signed: Toy, words: list[str]
) -> None:
    assert signed.pv(*words).returncode == 0
    forged = forge(signed)
    done = signed.pv(*words)
    assert done.returncode == 4
    assert f"{forged.name}: signature: its signature claims the key 'ci'" in done.stderr


@pytest.mark.usefixtures("later")
def test_an_edited_number_is_noticed_behind_an_index(
    proven: Toy, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(proven.root)]
    assert main(["gate", *root]) == 0
    assert list(cache.glob("evidence-*.json")), "there is an index"
    file = proven.evidence()[0]
    facts = file.stat()
    data = file.read_bytes()
    file.write_bytes(data.replace(b"A", b"B", 1))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    capsys.readouterr()
    for verb in ("scoreboard", "gate"):
        assert main([verb, *root]) == 4
        assert f"{file.name}: altered" in capsys.readouterr().err
    file.write_bytes(data)
    assert main(["gate", *root]) == 0


@pytest.mark.usefixtures("later")
def test_with_and_without_an_index_the_board_reads_alike(
    proven: Toy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = set()
    for cached in (True, True, False):
        if not cached:
            monkeypatch.setenv("PV_CACHE_DIR", "")
        assert main(["scoreboard", "--format", "json", "--root", str(proven.root)]) == 0
        lines = capsys.readouterr().out.splitlines()
        texts.add("\n".join(line for line in lines if '"derived"' not in line))
    assert len(texts) == 1


IMPORTED = """\
import sys, time, types
from pv_harness.cli import main
from pv_harness.workflow import declared
declared.time = types.SimpleNamespace(time=lambda: time.time() + 10)
code = main(["scoreboard"])
print(code, "securesystemslib" in sys.modules)
"""


def test_keys_cost_nothing_where_nothing_is_signed(proven: Toy) -> None:
    text = (proven.root / "pyproject.toml").read_text()
    proven.write("pyproject.toml", text + '[tool.pv.keys]\nci = "none.pem"\n')
    done = proven.python("-c", IMPORTED)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_what_the_index_knows_to_be_signed_is_not_verified_again(signed: Toy) -> None:
    for imported in ("True", "False"):
        done = signed.python("-c", IMPORTED)
        assert done.stdout.splitlines()[-1] == f"0 {imported}"


def test_a_key_that_can_not_be_read_is_a_usage_error(signed: Toy) -> None:
    (signed.root / "ci.pub.pem").unlink()
    done = signed.pv("scoreboard")
    assert done.returncode == 2
    assert "ci.pub.pem: the key can't be read" in done.stderr


def test_rows_hold_all_records_where_a_history_is_asked_for(
    proven: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = proven.root / "reports" / "evidence"
    for statement in read_statements(store):
        append_statement(store, statement)
    found = read_declared(load_project(proven.root))
    (row,) = read_board(found).rows
    (whole,) = read_board(found, history=True).rows
    assert len(whole.runs) == 2 * len(row.runs)
    assert str(row.status) == str(whole.status) == "INTEGRATION/INTEGRATION"
    monkeypatch.setattr(declared, "read_statements", None)
    assert read_board(found).rows

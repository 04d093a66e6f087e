from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.harness.conftest import ROOT, Toy
from tests.harness.evidence.conftest import statement_of

from pv_harness.evidence.records import Verdict
from pv_harness.evidence.signing import write_key_pair
from pv_harness.evidence.store import append_statement, read_statements


if TYPE_CHECKING:
    from pathlib import Path


def evidence(toy: Toy, *args: str) -> subprocess.CompletedProcess[str]:
    return toy.pv("evidence", *args)


def trust(toy: Toy, *names: str) -> None:
    lines = "".join(f'{name} = "keys/{name}.pub.pem"\n' for name in names)
    (toy.root / "keys").mkdir()
    for name in names:
        write_key_pair(toy.root / "keys", name)
    toy.edit("pyproject.toml", "[tool.pytest", f"[tool.pv.keys]\n{lines}[tool.pytest")


def store(toy: Toy) -> Path:
    return toy.root / "reports" / "evidence"


def digests(toy: Toy) -> list[str]:
    return [s.digest for s in read_statements(store(toy))]


def assert_refused(done: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.startswith("pv: ")
    assert "Traceback" not in done.stderr


def test_verify_prints_the_denominators_and_the_heads(proven: Toy) -> None:
    done = evidence(proven, "verify")
    assert done.returncode == 0
    assert done.stdout == (
        "2 statements with 1 measured record and 3 planted changes, 0 of 2 signed by a trusted "
        f"key\nhead {digests(proven)[-1]}\nno finding in 2 files\n"
    )


def test_verify_with_a_finding_ends_with_4_and_counts_it(proven: Toy) -> None:
    file = store(proven) / f"{digests(proven)[0]}.intoto.jsonl"
    file.unlink()
    done = evidence(proven, "verify")
    assert done.returncode == 4
    first, *_, last = done.stdout.splitlines()
    assert first.startswith(f"reports/evidence/{file.name}: missing: ")
    assert last == "1 finding in 1 file"


@pytest.mark.parametrize("action", [("verify",), ("list",), ("gc", "--keep", "1")])
def test_with_nothing_stored_there_is_nothing_to_judge(
    toy: Toy, action: tuple[str, ...]
) -> None:
    assert_refused(evidence(toy, *action), 2, "holds no statement; `pv run` adds one")


def test_verify_asks_for_the_heads_that_it_is_given(proven: Toy) -> None:
    first, last = digests(proven)
    assert evidence(proven, "verify", "--head", last, "--head", first[:8]).returncode == 0
    done = evidence(proven, "verify", "--head", "0" * 64)
    assert done.returncode == 4
    assert "missing: it was named with --head, it is gone" in done.stdout
    assert_refused(
        evidence(proven, "verify", "--head", "xyz"), 2, "'xyz' is no digest, nor the"
    )


def test_signed_evidence_verifies_with_keys_of_the_project_and_of_the_command_line(
    proven: Toy,
) -> None:
    trust(proven, "ci")
    key = "keys/ci.key.pem"
    assert proven.pv("run", "--again", "--sign", key).returncode == 0
    done = evidence(proven, "verify", "--require-signed")
    assert done.returncode == 4
    assert done.stdout.count(": unsigned: signed by nobody") == 2
    assert "1 of 3 signed by a trusted key" in done.stdout
    for digest in digests(proven)[:2]:
        (store(proven) / f"{digest}.intoto.jsonl").unlink()
    listed = evidence(proven, "list").stdout
    assert "signed by ci" in listed
    proven.edit("pyproject.toml", '[tool.pv.keys]\nci = "keys/ci.pub.pem"\n', "")
    assert "not trusted" in evidence(proven, "list").stdout
    assert_refused(evidence(proven, "verify", "--require-signed"), 2, "no key is trusted; name")
    done = evidence(proven, "verify", "--require-signed", "--key", "robot=keys/ci.pub.pem")
    assert "1 of 1 signed by a trusted key" in done.stdout
    assert "unsigned" not in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("verify", "--key", "ci"), "'ci' is not NAME=FILE"),
        (("verify", "--key", "=x"), "'=x' is not NAME=FILE"),
        ((), "the following arguments are required: ACTION"),
        (("burn",), "invalid choice: 'burn'"),
        (("gc",), "the following arguments are required: --keep"),
        (("merge",), "the following arguments are required: DIR"),
        (("show",), "the following arguments are required: DIGEST"),
        (("keygen",), "the following arguments are required: NAME"),
    ],
)
def test_a_command_line_that_is_none_is_refused(
    toy: Toy, args: tuple[str, ...], message: str
) -> None:
    done = evidence(toy, *args)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_key_that_can_not_be_read_is_told_before_anything_is_measured(toy: Toy) -> None:
    for verb in (("run",), ("prove",)):
        done = toy.pv(*verb, "--sign", "none.pem")
        assert_refused(done, 2, r"none\.pem: the key can't be read \(no such file")
    assert not store(toy).exists()


def test_without_the_extra_a_signature_is_not_asked_of_anybody(proven: Toy) -> None:
    """`pv` works without securesystemslib until a key is named."""
    trust(proven, "ci")
    blocked = "import sys; sys.modules['securesystemslib'] = None; import pv_harness.cli as c; "
    run = f"{blocked}sys.exit(c.main(sys.argv[1:]))"
    assert proven.python("-c", run, "evidence", "verify").returncode == 0
    done = proven.python("-c", run, "run", "--again", "--sign", "keys/ci.key.pem")
    assert_refused(done, 2, r"pip install 'pv-harness\[sign\]'")


def test_list_shows_each_statement_on_a_line(proven: Toy) -> None:
    at_s = 1_700_000_000.0
    append_statement(store(proven), statement_of("A", "B", at_s=at_s, verdict=Verdict.FAILED))
    done = evidence(proven, "list")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    first, run, plants = digests(proven)
    assert lines[0] == (
        f"2023-11-14 22:13  {first[:12]}  {'measured 2: 2 FAILED':28}  unsigned"
    )
    assert f"{run[:12]}  {'measured 1: 1 PASSED':28}  unsigned" in lines[1]
    assert f"{plants[:12]}  planted 3: 1 GREEN, 2 KILLED  unsigned" in lines[2]
    assert lines[3].startswith("3 statements with 3 measured records and 3 planted changes, 0 ")
    assert lines[3].endswith("; times are UTC")
    assert all(len(line) <= 80 for line in lines[:3])


def test_list_stops_at_altered_evidence(proven: Toy) -> None:
    proven.evidence()[0].write_bytes(b"x")
    assert_refused(evidence(proven, "list"), 4, "altered: its bytes have the digest")


def test_show_prints_the_payload_with_nothing_a_terminal_would_act_on(proven: Toy) -> None:
    digest = append_statement(store(proven), statement_of("\x1b[31mA\u202e", at_s=1.0))
    done = evidence(proven, "show", digest[:8])
    assert done.returncode == 0
    assert json.loads(done.stdout)["subject"][0]["name"] == "\x1b[31mA\u202e"
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith('{\n  "_type": "https://in-toto.io/Statement/v1",\n')
    assert evidence(proven, "show", f"{digest}.intoto.jsonl").stdout == done.stdout


def test_show_refuses_what_it_can_not_find(proven: Toy) -> None:
    assert_refused(evidence(proven, "show", "abc"), 2, "'abc' is no digest, nor the beginning")
    assert_refused(evidence(proven, "show", "../x"), 2, "'../x' is no digest")
    assert_refused(evidence(proven, "show", "0" * 64), 2, "no statement begins with 0000")
    file = proven.evidence()[0]
    twin = f"{file.name[:10]}{'0' * 54}.intoto.jsonl"
    shutil.copy(file, store(proven) / twin)
    ambiguous = evidence(proven, "show", file.name[:10])
    assert_refused(ambiguous, 2, f"2 statements begin with {file.name[:10]}: ")
    assert_refused(evidence(proven, "show", twin[:20]), 4, "altered: its bytes have the digest")


def test_merge_says_what_was_new(proven: Toy, tmp_path: Path) -> None:
    shards = [tmp_path / "shard-1", tmp_path / "shard-2"]
    for shard in shards:
        shutil.copytree(store(proven), shard)
        append_statement(shard, statement_of(shard.name, at_s=time.time()))
    done = evidence(proven, "merge", *map(str, shards))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{shards[0]}: 3 statements, 1 new",
        f"{shards[1]}: 3 statements, 1 new",
        "merged 2 statements with 2 measured records and 0 planted changes",
    ]
    again = evidence(proven, "merge", *map(str, reversed(shards)))
    assert again.stdout.endswith(
        "merged 0 statements with 0 measured records and 0 planted changes\n"
    )
    assert len(proven.evidence()) == 4
    assert evidence(proven, "verify").returncode == 0


def test_merge_of_something_wrong_changes_nothing(proven: Toy, tmp_path: Path) -> None:
    shard = tmp_path / "shard"
    append_statement(shard, statement_of("A", at_s=1.0))
    append_statement(shard, statement_of("B", at_s=2.0))
    file = next(iter(shard.iterdir()))
    file.write_bytes(file.read_bytes()[:-1])
    done = evidence(proven, "merge", str(shard))
    assert done.returncode == 4
    assert f"{file}: altered: " in done.stdout
    assert done.stdout.endswith("1 finding; nothing was merged\n")
    assert len(proven.evidence()) == 2
    assert_refused(evidence(proven, "merge", "none"), 2, "none: no such folder")


def test_merge_takes_only_signed_shards_where_that_is_asked(
    proven: Toy, tmp_path: Path
) -> None:
    trust(proven, "ci")
    append_statement(tmp_path / "shard", statement_of("A", at_s=1.0))
    done = evidence(proven, "merge", "--require-signed", str(tmp_path / "shard"))
    assert done.returncode == 4
    assert ": unsigned: signed by nobody" in done.stdout
    assert evidence(proven, "merge", str(tmp_path / "shard")).returncode == 0


def add_old_runs(toy: Toy, count: int) -> None:
    """Runs of long ago, of a claim that is no longer made, as a merge would bring them."""
    aside = toy.root / "aside"
    for number in range(count):
        append_statement(aside, statement_of("FALSIFY-GONE-001", at_s=float(number)))
    shutil.copytree(aside, store(toy), dirs_exist_ok=True)


def test_gc_removes_what_no_status_rests_on_and_says_so(proven: Toy) -> None:
    add_old_runs(proven, 3)
    before = proven.pv("scoreboard", "--format", "json").stdout
    old = digests(proven)[:3]
    planned = evidence(proven, "gc", "--keep", "0", "--dry-run")
    assert planned.returncode == 0
    assert len(proven.evidence()) == 5
    done = evidence(proven, "gc", "--keep", "0")
    assert done.returncode == 0
    assert planned.stdout.replace("would remove", "removed") == done.stdout
    assert done.stdout.splitlines() == [
        *(f"{digest[:12]}  measured 1: 1 PASSED" for digest in old),
        "removed 3 statements with 3 measured records and 0 planted changes",
        "kept 2 statements, 2 of them old, for the statuses that rest on them",
    ]
    assert len(proven.evidence()) == 3
    verified = evidence(proven, "verify")
    assert verified.returncode == 0
    assert "3 statements noted as removed" in verified.stdout
    assert "removed 3 statements" in evidence(proven, "list").stdout
    after = proven.pv("scoreboard", "--format", "json").stdout
    assert statuses(after) == statuses(before)


def statuses(board: str) -> list[tuple[str, str]]:
    return [(row["id"], row["status"]) for row in json.loads(board)["falsifiers"]]


def test_gc_keeps_what_is_young_enough(proven: Toy) -> None:
    add_old_runs(proven, 2)
    assert "removed 0 statements" in evidence(proven, "gc", "--keep", "4").stdout
    assert "removed 2 statements" in evidence(proven, "gc", "--keep", "90d").stdout
    assert len(proven.evidence()) == 3


def test_gc_signs_its_note(proven: Toy) -> None:
    trust(proven, "ci")
    add_old_runs(proven, 1)
    assert evidence(proven, "gc", "--keep", "0", "--sign", "keys/ci.key.pem").returncode == 0
    done = evidence(proven, "verify", "--require-signed")
    assert "1 of 3 signed by a trusted key" in done.stdout
    assert "removed 1 statement" in next(
        line for line in evidence(proven, "list").stdout.splitlines() if "signed by ci" in line
    )


def test_gc_refuses_a_store_in_which_something_is_wrong(proven: Toy) -> None:
    add_old_runs(proven, 2)
    (store(proven) / f"{digests(proven)[0]}.intoto.jsonl").unlink()
    done = evidence(proven, "gc", "--keep", "0")
    assert done.returncode == 4
    assert done.stdout.endswith("1 finding; nothing was removed\n")
    assert len(proven.evidence()) == 3
    assert_refused(evidence(proven, "gc", "--keep", "some"), 2, "--keep 'some': neither a numb")


def test_gc_takes_out_what_newer_evidence_makes_up_for(proven: Toy) -> None:
    run = replace(statement_of("FALSIFY-GONE-001", at_s=1.0), planned=("A",))
    aside = proven.root / "aside"
    append_statement(aside, run)
    shutil.copytree(aside, store(proven), dirs_exist_ok=True)
    done = evidence(proven, "verify")
    assert done.returncode == 4
    assert done.stdout.count(": incomplete: ") == 2
    assert evidence(proven, "gc", "--keep", "0").returncode == 0
    assert evidence(proven, "verify").returncode == 0


def test_gc_refuses_contracts_that_can_not_be_judged(proven: Toy) -> None:
    proven.edit("contracts/toy-v1.yaml", "  rule: add adds\n", "")
    done = evidence(proven, "gc", "--keep", "0")
    assert done.returncode == 2
    assert len(proven.evidence()) == 2


def test_keygen_makes_a_pair_and_says_how_to_use_it(toy: Toy) -> None:
    done = evidence(toy, "keygen", "ci")
    assert done.returncode == 0
    private = toy.root / "ci.key.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    assert "pv run --sign ci.key.pem" in done.stdout
    assert '[tool.pv.keys]\nci = "ci.pub.pem"\n' in done.stdout
    before = private.read_bytes()
    assert_refused(evidence(toy, "keygen", "ci"), 2, "is there already; a key is never overwr")
    assert private.read_bytes() == before
    assert_refused(evidence(toy, "keygen", "ci", "--dir", "keys"), 2, "keys: no such folder")
    (toy.root / "keys").mkdir()
    assert evidence(toy, "keygen", "ci", "--dir", "keys").returncode == 0


def test_keygen_in_a_repository_asks_for_a_place_that_git_ignores(toy: Toy) -> None:
    subprocess.run(["git", "init", "-q"], cwd=toy.root, check=True)
    refused = evidence(toy, "keygen", "ci")
    assert_refused(refused, 2, "ci.key.pem: `git add` would take the private key up; put")
    assert "put *.key.pem into .gitignore first" in refused.stderr
    assert not list(toy.root.glob("ci.*"))
    (toy.root / "keys").mkdir()
    named = evidence(toy, "keygen", "ci", "--dir", "keys")
    assert named.returncode == 0
    assert "keys/ci.key.pem: git does not ignore it" in named.stderr
    toy.write(".gitignore", "*.key.pem\n")
    done = evidence(toy, "keygen", "ci")
    assert (done.returncode, done.stderr) == (0, "")


def test_keygen_names_the_public_key_as_the_configuration_reads_it(toy: Toy) -> None:
    folder = toy.root / "src"
    done = subprocess.run(
        [sys.executable, "-m", "pv_harness", "evidence", "keygen", "ci"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert '[tool.pv.keys]\nci = "src/ci.pub.pem"\n' in done.stdout
    assert "pip install 'pv-harness[sign]'" in done.stdout


def test_the_root_may_be_named_before_or_behind_the_action(proven: Toy, tmp_path: Path) -> None:
    def started(*args: str) -> int:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "harness")}
        done = subprocess.run(
            [sys.executable, "-m", "pv_harness", *args],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        return done.returncode

    root = str(proven.root)
    assert started("evidence", "--root", root, "verify") == 0
    assert started("evidence", "verify", "--root", root) == 0
    assert started("evidence", "verify") == 2

"""What somebody could do to the evidence of a real project, and that it is found and named.

Bytes that do not match their name, or do not say one thing only, stop every command. The rest
is for `pv evidence verify`, which a gate does too: what is gone, what was forged whole.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.harness.conftest import Toy, make_toy
from tests.harness.evidence.conftest import payload_of, statement_of, with_payload

from pv_harness.digest import digest_bytes, digest_of
from pv_harness.evidence.envelope import Envelope, encode_envelope
from pv_harness.evidence.records import Verdict
from pv_harness.evidence.signing import read_signer, write_key_pair
from pv_harness.evidence.statement import Removed, RunStatement
from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.project import load_project
from pv_harness.workflow.validate import find_ground_around


if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def signed_template(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A proven project that trusts one key, all of its evidence signed with it."""
    toy = make_toy(tmp_path_factory.mktemp("signed") / "toy")
    for name in ("ci", "mallory"):
        write_key_pair(toy.root, name)
    toy.edit(
        "pyproject.toml", "[tool.pytest", '[tool.pv.keys]\nci = "ci.pub.pem"\n[tool.pytest'
    )
    done = toy.pv("run", "--prove", "--jobs", "2", "--sign", "ci.key.pem")
    assert done.returncode == 0, done.stdout + done.stderr
    return toy


@pytest.fixture
def signed(signed_template: Toy, tmp_path: Path) -> Toy:
    """A copy of that project."""
    shutil.copytree(signed_template.root, tmp_path / "signed")
    return Toy(tmp_path / "signed")


def verify(toy: Toy, *args: str) -> subprocess.CompletedProcess[str]:
    return toy.pv("evidence", "verify", *args)


def history(toy: Toy) -> list[Path]:
    """The files of the store, oldest first: the run, then the planted changes."""
    folder = toy.root / "reports" / "evidence"
    return [folder / f"{s.digest}.intoto.jsonl" for s in read_statements(folder)]


def store_again(file: Path, data: bytes) -> Path:
    """Put other bytes in the place of a statement, under the name that is right for them."""
    file.unlink()
    forged = file.with_name(f"{digest_bytes(data)}.intoto.jsonl")
    forged.write_bytes(data)
    return forged


def forge(file: Path, change: Change, signatures: list[Any] | None = None) -> Path:
    """Change what a statement says and recompute its digest, as one who knows how would."""
    data = file.read_bytes()
    payload = payload_of(data)
    change(payload)
    forged = with_payload(data, payload)
    if signatures is not None:
        envelope = {**json.loads(forged), "signatures": signatures}
        forged = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return store_again(file, forged)


def own(payload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = payload["predicate"]["pv"]
    return found


def make_green(payload: dict[str, Any]) -> None:
    """The number and the verdict that somebody would like better, everywhere they stand."""
    record = own(payload)["runs"][0]
    record |= {"verdict": "PASSED", "broken": [], "reason": ""}
    for measurement in record["measurements"]:
        measurement["value"] = 5
    name = record["id"]
    lists = {"passedTests": [name], "failedTests": [], "warnedTests": []}
    payload["predicate"] |= {"result": "PASSED", **lists}


def assert_named(
    done: subprocess.CompletedProcess[str], file: Path, kind: str, *words: str
) -> None:
    """One finding, on one line that begins with the file; exit code 4."""
    lines = [line for line in done.stdout.splitlines() if f": {kind}: " in line]
    assert done.returncode == 4, done.stdout + done.stderr
    assert len(lines) == 1, done.stdout
    assert lines[0].startswith(f"reports/evidence/{file.name}: {kind}: ")
    assert "; " in lines[0], "a remedy"
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in done.stderr


def assert_stops_everything(toy: Toy, file: Path, kind: str, *words: str) -> None:
    """Also a command that only reads evidence says it, and ends with 4."""
    assert_named(verify(toy), file, kind, *words)
    done = toy.pv("scoreboard")
    assert done.returncode == 4, done.stdout
    assert f"{file.name}: {kind}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_evidence_that_nobody_touched_is_sound(proven: Toy, signed: Toy) -> None:
    for toy, args in ((proven, ()), (signed, ("--require-signed",))):
        done = verify(toy, *args)
        assert done.returncode == 0, done.stdout
        assert "no finding in 2 files" in done.stdout


# Bytes that are not those that were written.


def test_an_edited_number_is_found(proven: Toy) -> None:
    file = history(proven)[0]
    data = file.read_bytes()
    payload = payload_of(data)
    own(payload)["runs"][0]["measurements"][0]["value"] = 4
    file.write_bytes(with_payload(data, payload))
    assert_stops_everything(proven, file, "altered", "its bytes have the digest")
    assert proven.pv("gate").returncode == 4
    assert proven.pv("run").returncode == 4


@pytest.mark.parametrize("left", [0, 1, 1000])
def test_a_truncated_file_is_found(proven: Toy, left: int) -> None:
    file = history(proven)[0]
    os.truncate(file, left)
    assert_named(verify(proven), file, "altered")


def test_two_statements_that_swapped_names_are_found(proven: Toy) -> None:
    first, second = history(proven)
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    done = verify(proven)
    assert done.returncode == 4
    assert done.stdout.count(": altered: ") == 2


def test_a_link_a_pipe_and_a_huge_file_are_found(proven: Toy) -> None:
    file = history(proven)[0]
    data = file.read_bytes()
    elsewhere = proven.write("elsewhere", "")
    elsewhere.write_bytes(data)
    file.unlink()
    file.symlink_to(elsewhere)
    assert_named(verify(proven), file, "unreadable", "is a link")
    file.unlink()
    os.mkfifo(file)
    assert_stops_everything(proven, file, "unreadable", "is a named pipe")
    file.unlink()
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    assert_named(verify(proven), file, "unreadable", "larger than 67,108,864 bytes")


# Statements that could say different things to different readers.


def respell(file: Path, old: bytes, new: bytes) -> Path:
    """Replace something in the payload's text, whatever becomes of it as JSON."""
    payload = base64.b64decode(json.loads(file.read_bytes())["payload"])
    assert payload.count(old) >= 1
    return store_again(file, encode_envelope(Envelope(payload.replace(old, new, 1))))


def test_a_key_that_stands_twice_is_found(proven: Toy) -> None:
    twice = b'"result":"FAILED","result":"PASSED"'
    file = respell(history(proven)[1], b'"result":"PASSED"', twice)
    assert_stops_everything(proven, file, "malformed", "an object gives 'result' twice")


def test_text_behind_the_payload_is_found(proven: Toy) -> None:
    file = history(proven)[1]
    payload = base64.b64decode(json.loads(file.read_bytes())["payload"])
    forged = store_again(file, encode_envelope(Envelope(payload + b"{}")))
    assert_stops_everything(proven, forged, "malformed", "Extra data")


def test_another_spelling_of_the_base64_is_found(proven: Toy) -> None:
    file = history(proven)[1]
    envelope = json.loads(file.read_bytes())
    for spelled in (f"{envelope['payload']}\n", f" {envelope['payload']}"):
        file = store_again(file, json.dumps({**envelope, "payload": spelled}).encode())
        assert_named(verify(proven), file, "malformed", "the envelope.payload is no base64")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda p: p["subject"][0].update(name="FALSIFY-OTHER-001"),
            "subject[0].name is 'FALSIFY-OTHER-001', its records say 'FALSIFY-TOY-001'",
        ),
        (lambda p: p["subject"][0]["digest"].update(sha256="0" * 64), "its records say"),
        (lambda p: p["predicate"].update(result="FAILED"), "its records say 'PASSED'"),
        (lambda p: p["predicate"].update(passedTests=[]), "passedTests is a list of 0"),
        (
            lambda p: own(p)["runs"][0].update(id="FALSIFY-OTHER-001"),
            "holds the claim of 'FALSIFY-TOY-001', the record is about 'FALSIFY-OTHER-001'",
        ),
        (lambda p: own(p)["entries"][2].__setitem__(2, "0" * 64), "its records say"),
        (lambda p: own(p).update(format=99), "format is 99, this pv reads 3"),
    ],
    ids=["subject", "fingerprint", "result", "passed", "falsifier", "source", "format"],
)
def test_a_statement_that_contradicts_itself_is_found(
    proven: Toy, change: Change, words: str
) -> None:
    file = forge(history(proven)[0], change)
    done = verify(proven)
    assert_named(done, file, "malformed", words)


# Forgeries that are sound in themselves: the chain, or a signature, shows them.


def test_an_edited_number_with_a_new_digest_is_missed_in_the_chain(proven: Toy) -> None:
    file = history(proven)[0]
    forge(file, lambda p: own(p)["runs"][0]["measurements"][0].update(samples=1000))
    assert proven.pv("scoreboard").returncode == 4
    assert_named(verify(proven), file, "missing", "no note says why")


def test_an_edited_newest_statement_is_missed_by_who_knows_the_heads(proven: Toy) -> None:
    head = next(w for w in verify(proven).stdout.split() if len(w) == 64)
    file = history(proven)[-1]
    assert file.name.startswith(head)
    forge(file, lambda p: own(p)["patches"][0].update(reason="much better"))
    assert verify(proven).returncode == 0
    assert_named(verify(proven, "--head", head), file, "missing", "named with --head")


def test_an_edited_signed_statement_does_not_verify(signed: Toy) -> None:
    file = forge(history(signed)[-1], lambda p: own(p)["patches"][0].update(reason="better"))
    words = "claims the key 'ci' and does not verify"
    assert_named(verify(signed), file, "signature", words)


def test_what_counts_the_claims_with_evidence_verifies_it_too(signed: Toy) -> None:
    assert signed.pv("validate").returncode == 0
    forge(history(signed)[-1], lambda p: own(p)["patches"][0].update(reason="better"))
    done = signed.pv("validate")
    assert (done.returncode, done.stdout) == (4, "")
    assert ": signature: " in done.stderr
    # With another key nothing claims a trusted signature; so a kept answer rests on the key.
    signed.write("ci.pub.pem", (signed.root / "mallory.pub.pem").read_text())
    assert signed.pv("validate").returncode == 0
    project = load_project(signed.root)
    ground = find_ground_around(project, signed.root, ())
    assert str(project.keys["ci"]) in ground.files


def test_a_statement_without_its_signature_is_found_where_one_is_asked_for(
    signed: Toy,
) -> None:
    change: Change = lambda p: own(p)["patches"][0].update(reason="better")  # noqa: E731
    file = forge(history(signed)[-1], change, signatures=[])
    assert verify(signed).returncode == 0
    done = verify(signed, "--require-signed")
    assert_named(done, file, "unsigned", "signed by nobody", "a trusted key is asked for")


@pytest.mark.parametrize("name", [None, "mallory"])
def test_a_forged_append_is_found_where_signatures_are_asked_for(
    signed: Toy, name: str | None
) -> None:
    folder = history(signed)[0].parent
    signer = None if name is None else read_signer(signed.root / f"{name}.key.pem")
    digest = append_statement(folder, statement_of("A", at_s=time.time() - 60), signer)
    file = folder / f"{digest}.intoto.jsonl"
    words = "signed by nobody" if name is None else "signed by keys that are not trusted"
    assert_named(verify(signed, "--require-signed"), file, "unsigned", words)


def test_a_forged_note_of_a_removal_is_found_where_signatures_are_asked_for(
    signed: Toy,
) -> None:
    first = history(signed)[0]
    removed = (Removed(first.name.partition(".")[0], "old", 1, 0),)
    note = RunStatement((), {}, (), (), time.time(), "0", removed=removed)
    first.unlink()
    digest = append_statement(first.parent, note)
    done = verify(signed, "--require-signed")
    assert_named(done, first.with_name(f"{digest}.intoto.jsonl"), "unsigned")


# Evidence that is gone, or of another time or place.


def break_and_mend(toy: Toy) -> Path:
    """Have a red run stored, mend the subject, and run again; the file of the red run."""
    known = set(toy.evidence())
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    assert toy.pv("run").returncode == 1
    (red,) = set(toy.evidence()) - known
    toy.edit("src/toy/cli.py", "print(1 + add(", "print(add(")
    assert toy.pv("run", "--again").returncode == 0
    return red


def test_a_deleted_red_run_is_missed(proven: Toy) -> None:
    red = break_and_mend(proven)
    assert verify(proven).returncode == 0
    red.unlink()
    assert_named(verify(proven), red, "missing", "refers to it, it is gone")
    for words in (["scoreboard"], ["run"], ["explain", "FALSIFY-TOY-001"], ["gate"]):
        done = proven.pv(*words)
        assert done.returncode == 4, words
        told = "".join((done.stdout + done.stderr).split())
        assert f"{red.name}:missing:" in told, words


def test_a_red_run_that_was_turned_green_is_missed(proven: Toy) -> None:
    red = break_and_mend(proven)
    forge(red, make_green)
    assert_named(verify(proven), red, "missing")


def test_a_red_record_can_not_be_cut_out_of_its_run(proven: Toy) -> None:
    def cut(payload: dict[str, Any]) -> None:
        lists: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
        payload["predicate"] |= {"result": "PASSED", **lists}
        payload["subject"] = []
        own(payload)["runs"] = []

    file = history(proven)[0]
    forged = forge(file, cut)
    done = verify(proven)
    assert_named(
        done, forged, "incomplete", "no record of 'FALSIFY-TOY-001', which was planned"
    )
    assert_named(done, file, "missing")
    forged = forge(forged, lambda p: own(p).update(planned=[]))
    assert_named(verify(proven), file, "missing")


def test_a_record_that_nobody_planned_is_found(proven: Toy) -> None:
    file = forge(history(proven)[1], lambda p: own(p).update(planned=[]))
    words = "a record of 'FALSIFY-TOY-001', which was not planned"
    assert_named(verify(proven), file, "incomplete", words)


def test_replayed_evidence_is_stale_after_a_source_change(proven: Toy, toy: Toy) -> None:
    toy.edit("src/toy/math.py", "def add", "ZERO = 0\n\n\ndef add")
    shutil.copytree(proven.root / "reports", toy.root / "reports")
    assert verify(toy).returncode == 0, "the evidence itself is sound"
    for verb in ("scoreboard", "gate"):
        done = toy.pv(verb)
        assert done.returncode == 3
        assert "STALE" in done.stdout
        assert "src/toy/math.py" in done.stdout


def test_a_clock_in_the_future_is_found(proven: Toy) -> None:
    folder = history(proven)[0].parent
    digest = append_statement(folder, statement_of("A", at_s=time.time() + 3600))
    file = folder / f"{digest}.intoto.jsonl"
    assert_named(verify(proven), file, "clock", "in the future", "300 s are allowed for")


def test_a_record_of_before_its_run_is_found(proven: Toy) -> None:
    file = forge(history(proven)[1], lambda p: own(p)["patches"][0].update(finished=1.0))
    assert_named(verify(proven), file, "clock", "finished before the run began")


def test_evidence_moved_to_an_earlier_time_is_found(proven: Toy) -> None:
    def backdate(payload: dict[str, Any]) -> None:
        own(payload)["started"] = 1000.0
        for patch in own(payload)["patches"]:
            patch["finished"] = 1000.0

    file = forge(history(proven)[1], backdate)
    assert_named(verify(proven), file, "clock", "before", "which it refers to")


# Places and numbers that whoever wrote a statement chose.


def merge_forged(toy: Toy, change: Change) -> subprocess.CompletedProcess[str]:
    """Merge a store that holds our statements, the oldest of them changed."""
    hostile = toy.root.parent / "hostile"
    shutil.copytree(toy.root / "reports" / "evidence", hostile)
    file = hostile / history(toy)[0].name
    data = file.read_bytes()
    payload = payload_of(data)
    change(payload)
    (manifest,) = {tuple(run["manifest"]) for run in own(payload)["runs"]}
    payload["subject"] = subjects_of(payload, manifest)
    forged = with_payload(data, payload)
    (hostile / f"{digest_bytes(forged)}.intoto.jsonl").write_bytes(forged)
    return toy.pv("evidence", "merge", str(hostile))


def subjects_of(payload: dict[str, Any], manifest: tuple[int, ...]) -> list[dict[str, Any]]:
    rows = [own(payload)["entries"][position][:3] for position in manifest]
    digest = digest_of(rows)
    return [{**subject, "digest": {"sha256": digest}} for subject in payload["subject"]]


def add_entry(*row: str | None) -> Change:
    def change(payload: dict[str, Any]) -> None:
        entries = own(payload)["entries"]
        entries.append(list(row))
        own(payload)["runs"][0]["manifest"].append(len(entries) - 1)

    return change


@pytest.mark.parametrize(
    ("kind", "name"),
    [("source", "/dev/zero"), ("source", "PIPE"), ("input", "x.y=/"), ("input", "x.y=PIPE")],
)
def test_a_place_elsewhere_is_never_opened(proven: Toy, kind: str, name: str) -> None:
    pipe = proven.root.parent / "pipe"
    os.mkfifo(pipe)
    entry = add_entry(kind, name.replace("PIPE", str(pipe)), "0" * 64, None, "")
    merged = merge_forged(proven, entry)
    assert merged.returncode == 0, merged.stdout + merged.stderr
    for verb in ("scoreboard", "gate", "list"):  # each ends, and with the answer of before
        done = proven.pv(verb)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_source_that_is_no_file_any_more_is_a_change(proven: Toy) -> None:
    module = proven.root / "src/toy/math.py"
    module.rename(module.with_suffix(".txt"))
    os.mkfifo(module)
    done = proven.pv("scoreboard")
    assert done.returncode in {2, 3, 4}
    assert "a defect of pv" not in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (add_entry("source", "../out.py", "0", "0", ""), "should be a path without `..`"),
        (add_entry("source", "a/" * 3000, "0", "0", ""), "of a length that a file can have"),
        (add_entry("input", "x", "0", None, ""), "is '', it should be a path"),
        (
            lambda p: own(p)["runs"][0]["measurements"][0].update(value=10**400),
            "it should be a whole number of at most 300 digits",
        ),
        (
            lambda p: own(p)["runs"][0].update(opened=["../../../etc/passwd"]),
            "should be a path without `..`",
        ),
    ],
    ids=["above", "long", "input", "number", "opened"],
)
def test_what_pv_never_writes_is_not_merged(proven: Toy, change: Change, words: str) -> None:
    done = merge_forged(proven, change)
    assert done.returncode == 4
    assert "nothing was merged" in done.stdout
    assert ": malformed: " in done.stdout
    assert words in done.stdout
    assert proven.pv("gate").returncode == 0


# Notes that statements were removed, by somebody who has no key, or of another store.


def note_of(*digests: str) -> RunStatement:
    removed = tuple(Removed(digest, "no status rests on it", 1, 0) for digest in digests)
    return RunStatement((), {}, (), (), time.time(), "0", removed=removed)


def sign_off_a_red_run(toy: Toy, name: str | None) -> Path:
    """A signed red run that a later one names, deleted, and a note that excuses that."""
    toy.write(
        "pv-policy.yaml",
        "apiVersion: pv/v1\nkind: policy\npolicies:\n  merge:\n    require:\n"
        "    - {pattern: '*', level: PARTIAL}\n    signers: [ci]\n",
    )
    folder, ci = history(toy)[0].parent, read_signer(toy.root / "ci.key.pem")
    red = append_statement(
        folder, statement_of("FALSIFY-OLD-001", verdict=Verdict.FAILED, at_s=time.time()), ci
    )
    append_statement(folder, statement_of("FALSIFY-OLD-001", at_s=time.time()), ci)
    file = folder / f"{red}.intoto.jsonl"
    assert toy.pv("gate", "--policy", "merge").returncode == 0
    signer = None if name is None else read_signer(toy.root / f"{name}.key.pem")
    append_statement(folder, note_of(red), signer)
    file.unlink()
    return file


@pytest.mark.parametrize("name", [None, "mallory"])
def test_a_note_by_nobody_excuses_nothing_where_signers_are_asked_for(
    signed: Toy, name: str | None
) -> None:
    file = sign_off_a_red_run(signed, name)
    gate = signed.pv("gate", "--policy", "merge")
    assert gate.returncode == 4, gate.stdout + gate.stderr
    told = "".join(gate.stdout.split())
    assert file.name in told
    assert "nonotethatatrustedkeysignedsayswhy" in told
    asked = verify(signed, "--require-signed")
    assert asked.returncode == 4
    assert f"{file.name}: missing: " in asked.stdout
    done = verify(signed)
    assert done.returncode == 4
    (line,) = [line for line in done.stdout.splitlines() if ": unsigned: " in line]
    assert "nothing but this note" in line
    assert "excuses 1 statement that is gone" in line


def test_a_note_that_the_signer_signed_excuses(signed: Toy) -> None:
    sign_off_a_red_run(signed, "ci")
    assert signed.pv("gate", "--policy", "merge").returncode == 0
    assert verify(signed, "--require-signed").returncode == 0
    assert verify(signed).returncode == 0


def test_a_removal_is_signed_where_keys_are_trusted(signed: Toy) -> None:
    done = signed.pv("evidence", "gc", "--keep", "0")
    assert done.returncode == 2
    assert "give --sign KEYFILE" in done.stderr
    assert signed.pv("evidence", "gc", "--keep", "0", "--dry-run").returncode == 0


def test_a_note_from_elsewhere_removes_nothing_here(proven: Toy) -> None:
    assert proven.pv("run", "--again").returncode == 0
    files = set(history(proven))
    hostile = proven.root.parent / "hostile"
    append_statement(hostile, note_of(*(file.name.partition(".")[0] for file in files)))
    assert proven.pv("evidence", "merge", str(hostile)).returncode == 0
    for keep in ("365d", "99"):
        done = proven.pv("evidence", "gc", "--keep", keep)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "removed 0 statements" in done.stdout
    assert all(file.exists() for file in files)
    assert verify(proven).returncode == 0


@pytest.mark.parametrize("name", ["check-x.json", "collected-x.json", "group-x"])
def test_junk_in_the_folder_of_records_has_a_message_of_its_own(toy: Toy, name: str) -> None:
    toy.edit(
        "checks/test_toy.py",
        "import pytest",
        "import json, os, pathlib\n\nimport pytest\n\n"
        'plan = json.loads(pathlib.Path(os.environ["PV_PLAN"]).read_text())\n'
        f'(pathlib.Path(plan["record_dir"]) / "{name}").write_text("junk")\n',
    )
    done = toy.pv("run")
    assert "a defect of pv" not in done.stderr
    if name == "group-x":
        assert done.returncode == 3, done.stdout + done.stderr
    else:
        assert done.returncode == 4
        assert f"pv: {name}: is not a " in done.stderr

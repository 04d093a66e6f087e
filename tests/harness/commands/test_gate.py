"""`pv gate` and its policies through the real command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.store import append_statement, read_statements


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

POLICY = """\
apiVersion: pv/v1
kind: policy
policies:
  merge:
    require:
    - {pattern: "*", level: ceiling}
  nightly:
    require:
    - {pattern: toy-v1, level: ceiling}
    max_age: 1h
"""


def with_policy(toy: Toy, text: str = POLICY) -> Toy:
    toy.write("pv-policy.yaml", text)
    return toy


def with_rule(toy: Toy, *lines: str) -> Toy:
    """The policy merge with more conditions."""
    more = "".join(f"    {line}\n" for line in lines)
    return with_policy(toy, POLICY.replace("  nightly:", f"{more}  nightly:"))


def day(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).date().isoformat()


def with_waiver(toy: Toy, *, created: int = -1, expires: int = 30, more: str = "") -> Toy:
    waiver = (
        "waivers:\n- id: WAIVE-001\n  falsifier: FALSIFY-TOY-001\n  reason: a\n"
        f"  owner: the owner\n  issue: '#5'\n  created: {day(created)}\n"
        f"  expires: {day(expires)}\n{more}"
    )
    return with_policy(toy, POLICY + waiver)


SECOND = """\
- id: FALSIFY-TOY-002
  rule: add is symmetric
  prediction: add of 3 and 2 is 5
  if_fails: sums depend on their order
  covers: [toy.math]
  bounds: {sum: {eq: 5}}
  levels: {PARTIAL: {}}
  defects:
  - {id: minus, file: src/toy/math.py, find: "a + b", replace: "a - b", expect: sum}
  - {id: one-more, file: src/toy/math.py, find: "a + b", replace: "a + b + 1", expect: sum}
"""


def with_second_claim(toy: Toy) -> Toy:
    """A toy with a claim more, which no check is bound to."""
    text = (toy.root / "contracts/toy-v1.yaml").read_text()
    toy.write("contracts/toy-v1.yaml", text + SECOND)
    return toy


def test_a_policy_that_is_met_passes_and_says_so(proven: Toy) -> None:
    done = with_policy(proven).pv("gate", "--policy", "merge")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "gate merge passed: 1 of 1 falsifiers\n"


def test_without_a_policy_no_policy_file_is_read(proven: Toy) -> None:
    proven.write("pv-policy.yaml", "no: [policy")
    assert proven.pv("gate").stdout == "gate passed: 1 of 1 falsifiers\n"
    assert proven.pv("gate", "--require", "INTEGRATION", "toy-v1").returncode == 0
    assert proven.pv("gate", "--require", "PARTIAL", "--allow-blocked").returncode == 0


def test_a_level_on_the_command_line_means_what_it_means_in_a_policy(proven: Toy) -> None:
    done = proven.pv("gate", "--require", "DISCHARGED")
    assert done.returncode == 1
    assert "INTEGRATION is below DISCHARGED: its ceiling is INTEGRATION" in done.stdout
    assert "give the contract a level DISCHARGED, or ask for its ceiling" in done.stdout
    with_policy(proven, POLICY.replace('"*", level: ceiling', '"*", level: DISCHARGED'))
    again = proven.pv("gate", "--policy", "merge")
    assert (again.returncode, again.stdout.replace(" merge", "")) == (1, done.stdout)
    assert proven.pv("gate", "--require", "ceiling").returncode == 0


def test_a_stale_falsifier_is_unknown_and_the_cure_is_one_command(proven: Toy) -> None:
    with_policy(proven).edit("src/toy/math.py", "def add(a, b)", "def add(a, b=0)")
    done = proven.pv("gate", "--policy", "merge")
    assert done.returncode == 3
    head, stale, cure, last = done.stdout.splitlines()
    assert head == "FALSIFY-TOY-001: STALE(was INTEGRATION), INTEGRATION is required"
    assert stale.startswith("  stale       src/toy/math.py changed")
    assert cure == "            → pv run --prove FALSIFY-TOY-001"
    assert last == "gate merge not passed: 0 of 1 falsifiers"
    with_rule(proven, "stale: allow")
    assert proven.pv("gate", "--policy", "merge").returncode == 0


@pytest.mark.parametrize(
    ("rule", "code", "text"),
    [
        ("lanes: [cpu, cuda]", 3, "lane        lane cuda: no evidence"),
        ("environment: {python: 2.7.*}", 3, "asks 2.7.*"),
        ("potency: 0.5", 0, "gate merge passed"),
        ("max_age: 90d", 0, "gate merge passed"),
        ("blocked: leave-out", 0, "gate merge passed"),
    ],
)
def test_each_condition_of_a_policy_is_asked(
    proven: Toy, rule: str, code: int, text: str
) -> None:
    done = with_rule(proven, rule).pv("gate", "--policy", "merge")
    assert (done.returncode, text in done.stdout) == (code, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("in_lane", "lacking"),
    [((), "no evidence"), (("runs",), "potency 0/2, asks all; not planted: minus")],
)
def test_the_cure_of_a_lane_cures_it(
    proven: Toy, in_lane: tuple[str, ...], lacking: str
) -> None:
    """Evidence of another lane is fresh, and so are the answers to what was planted there."""
    folder = proven.root / "reports" / "evidence"
    statements = read_statements(folder)
    for file in proven.evidence():
        file.unlink()
    for statement in statements:
        peak = 0 if "runs" in in_lane else 1
        runs = tuple(replace(r, cuda_peak_bytes=peak) for r in statement.runs)
        patches = tuple(replace(p, lane="cuda") for p in statement.patches)
        append_statement(folder, replace(statement, runs=runs, patches=patches))
    with_rule(proven, "lanes: [cpu]")
    done = proven.pv("gate", "--policy", "merge")
    assert (done.returncode, f"lane cpu: {lacking}" in done.stdout) == (3, True), done.stdout
    (cure,) = (line for line in done.stdout.splitlines() if "→" in line)
    command, _, where = cure.partition("→ ")[2].partition(", ")
    assert where == "on a machine of the lane cpu"
    assert command.startswith("pv ")
    cured = proven.pv(*command.split()[1:])
    assert cured.returncode == 0, cured.stdout + cured.stderr
    assert proven.pv("gate", "--policy", "merge").returncode == 0


def test_a_level_below_what_is_asked_is_denied(proven: Toy) -> None:
    with_policy(proven, POLICY.replace('"*", level: ceiling', '"*", level: DISCHARGED'))
    done = proven.pv("gate", "--policy", "merge")
    assert done.returncode == 1
    assert "INTEGRATION is below DISCHARGED: its ceiling is INTEGRATION" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--policy", "merg"], "there is no policy 'merg'; did you mean merge?"),
        (["--policy", "x"], "there is no policy 'x'; there are merge, nightly"),
        (["--policy", "merge", "--require", "PARTIAL"], "leave out --require and --allow-blo"),
        (["--policy", "merge", "--allow-blocked"], "leave out --require and --allow-blocked"),
        (["--update-ratchet"], "--update-ratchet needs --policy NAME"),
        (["--init-ratchet"], "--init-ratchet needs --policy NAME"),
        (
            ["--policy", "merge", "--init-ratchet"],
            "the policy merge has no ratchet; name a file",
        ),
        (
            ["--policy", "merge", "--update-ratchet"],
            "the policy merge has no ratchet; name a fi",
        ),
        (["--policy", "merge", "--init-ratchet", "toy-v1"], "is about all falsifiers, no IDs"),
        (["--policy", "merge", "FALSIFY-TOY-009"], "did you mean FALSIFY-TOY-001"),
        (["--policy", "merge", "--init-ratchet", "--update-ratchet"], "not allowed with"),
        (["--format", "xml"], "invalid choice: 'xml'"),
    ],
)
def test_what_can_not_be_asked_is_refused(proven: Toy, args: list[str], message: str) -> None:
    done = with_policy(proven).pv("gate", *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_policy_file_that_is_not_there_is_named(proven: Toy) -> None:
    done = proven.pv("gate", "--policy", "merge")
    assert done.returncode == 2
    assert "pv-policy.yaml: no such file" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "max_age: 1h",
            "max-age: 1h",
            "10:5: PV011 policies.nightly.max-age is an unknown key",
        ),
        (
            "toy-v1",
            "toy-v2",
            "9:17: PV067 nightly: 'toy-v2' names no falsifier and no contract",
        ),
        ("kind: policy", "kind: contract", "2:7: PV010 kind is 'contract'"),
        ("merge:", "merge: &m", "PV006"),
    ],
)
def test_every_problem_of_the_file_is_exit_2_with_its_place(
    proven: Toy, old: str, new: str, problem: str
) -> None:
    done = with_policy(proven, POLICY.replace(old, new)).pv("gate", "--policy", "merge")
    assert done.returncode == 2
    assert done.stderr.startswith("pv-policy.yaml:")
    assert problem in done.stderr
    assert done.stdout == ""


def test_a_gate_that_asks_about_nothing_is_no_pass(proven: Toy) -> None:
    with_second_claim(proven)
    with_policy(proven, POLICY.replace('"*"', "FALSIFY-TOY-002"))
    done = proven.pv("gate", "--policy", "merge", "FALSIFY-TOY-001")
    assert done.returncode == 2
    assert "1 not asked about · nothing judged" in done.stdout


def test_a_waiver_excuses_its_falsifier_is_tallied_apart_and_shows(proven: Toy) -> None:
    with_waiver(with_second_claim(proven))
    file = proven.root / "pv-policy.yaml"
    file.write_text(file.read_text().replace("FALSIFY-TOY-001", "FALSIFY-TOY-002"))
    assert proven.pv("gate").returncode == 3
    done = proven.pv("gate", "--policy", "merge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        f"waived  FALSIFY-TOY-002 until {day(30)} by the owner (WAIVE-001, #5)" in done.stdout
    )
    assert "gate merge passed: 1 of 1 falsifiers · 1 waived" in done.stdout
    board = json.loads(proven.pv("scoreboard", "--format", "json").stdout)
    row = next(r for r in board["falsifiers"] if r["id"] == "FALSIFY-TOY-002")
    assert (row["kind"], row["status"]) == ("WAIVED", f"WAIVED(until {day(30)})")
    assert "UNBOUND" in row["why"]
    assert f"WAIVED(until {day(30)})" in proven.pv("explain", "FALSIFY-TOY-002").stdout
    assert board["counts"]["by_status"]["WAIVED"] == 1


@pytest.mark.parametrize(
    ("created", "expires", "problem"),
    [
        (-40, -1, "PV063 WAIVE-001: expired on"),
        (1, 30, "PV062 WAIVE-001: created"),
        (0, 91, "PV061 WAIVE-001: lasts 91 days"),
    ],
)
def test_a_waiver_outside_its_time_is_exit_2(
    proven: Toy, created: int, expires: int, problem: str
) -> None:
    done = with_waiver(proven, created=created, expires=expires).pv("gate", "--policy", "merge")
    assert done.returncode == 2
    assert problem in done.stderr
    assert "pv-policy.yaml:" in done.stderr


def test_an_unused_waiver_is_exit_2_with_its_line(proven: Toy) -> None:
    done = with_waiver(proven).pv("gate", "--policy", "merge")
    assert done.returncode == 2
    assert (
        "pv-policy.yaml:12:3: PV069 WAIVE-001: FALSIFY-TOY-001 passes without it; remove the"
        in done.stdout
    )
    elsewhere = with_waiver(proven, more="  policies: [nightly]\n")
    assert elsewhere.pv("gate", "--policy", "merge").returncode == 0


def test_waived_checks_still_run(proven: Toy) -> None:
    with_waiver(proven).edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    done = proven.pv("run")
    assert "measured 1 of 1" in done.stdout
    assert f"WAIVED(until {day(30)})" in done.stdout
    assert "FAILED(sum)" in done.stdout
    assert done.returncode == 2
    assert proven.pv("gate", "--policy", "merge").returncode == 2  # nothing else was judged


def test_a_waiver_does_not_cover_altered_evidence(proven: Toy) -> None:
    with_waiver(proven)
    file = proven.evidence()[0]
    file.write_bytes(file.read_bytes()[:-2] + b" \n")
    for args in (["--policy", "merge"], []):
        done = proven.pv("gate", *args)
        assert done.returncode == 4
        assert "altered" in done.stdout + done.stderr


def test_deleted_evidence_is_found_by_the_gate(proven: Toy) -> None:
    before = set(proven.evidence())
    with_policy(proven).edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    assert proven.pv("run").returncode == 1
    (red,) = set(proven.evidence()) - before
    proven.edit("src/toy/cli.py", "print(1 + add(", "print(add(")
    assert proven.pv("run", "--again").returncode == 0
    assert proven.pv("gate", "--policy", "merge").returncode == 0
    red.unlink()
    done = proven.pv("gate", "--policy", "merge")
    assert done.returncode == 4
    assert "missing" in done.stdout
    assert "1 finding in the evidence" in done.stdout


def test_a_ratchet_is_written_once_allows_and_only_shrinks(proven: Toy) -> None:
    with_rule(with_second_claim(proven), "ratchet: pv-ratchet.yaml")
    missing = proven.pv("gate", "--policy", "merge")
    assert missing.returncode == 2
    assert "`pv gate --policy merge --init-ratchet` writes it" in missing.stderr
    written = proven.pv("gate", "--policy", "merge", "--init-ratchet")
    assert written.returncode == 0, written.stdout + written.stderr
    assert "1 allowed by the ratchet" in written.stdout
    file = proven.root / "pv-ratchet.yaml"
    assert file.read_text().endswith("falsifiers:\n- FALSIFY-TOY-002\n")
    assert proven.pv("validate", "pv-ratchet.yaml").returncode == 0
    again = proven.pv("gate", "--policy", "merge", "--init-ratchet")
    assert (again.returncode, "a ratchet only shrinks" in again.stderr) == (2, True)

    file.write_text(file.read_text() + "- FALSIFY-TOY-001  # once\n- FALSIFY-TOY-009\n")
    loose = proven.pv("gate", "--policy", "merge")
    assert loose.returncode == 1
    assert "pv-ratchet.yaml:7: FALSIFY-TOY-001 is good enough now; delete" in loose.stdout
    assert "pv-ratchet.yaml:8: FALSIFY-TOY-009 is no falsifier of this" in loose.stdout
    updated = proven.pv("gate", "--policy", "merge", "--update-ratchet")
    assert updated.returncode == 0
    assert updated.stderr.splitlines() == [
        "deleted from pv-ratchet.yaml: FALSIFY-TOY-001",
        "deleted from pv-ratchet.yaml: FALSIFY-TOY-009",
    ]
    assert file.read_text().endswith("falsifiers:\n- FALSIFY-TOY-002\n")


@pytest.mark.parametrize("name", ["../out.yaml", "/outside/out.yaml", "a\\0b"])
def test_a_ratchet_outside_the_project_is_refused(proven: Toy, name: str) -> None:
    with_rule(proven, f'ratchet: "{name}"')
    done = proven.pv("gate", "--policy", "merge", "--init-ratchet")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_signed_evidence_passes_and_unsigned_evidence_is_not_trusted(toy: Toy) -> None:
    with_rule(toy, "signers: [ci]")
    unknown = toy.pv("gate", "--policy", "merge")
    assert unknown.returncode == 2
    assert "[tool.pv.keys] has no key of that name" in unknown.stderr
    assert toy.pv("evidence", "keygen", "ci").returncode == 0
    text = (toy.root / "pyproject.toml").read_text()
    toy.write(
        "pyproject.toml",
        text.replace("[tool.pytest", '[tool.pv.keys]\nci = "ci.pub.pem"\n[tool.pytest'),
    )
    assert toy.pv("run", "--prove").returncode == 0
    unsigned = toy.pv("gate", "--policy", "merge")
    assert unsigned.returncode == 4
    assert "signed by nobody, asks ci" in unsigned.stdout
    # One command cures both, the run and the planted changes, and is named once.
    assert unsigned.stdout.count("signed by nobody, asks ci") == 2
    assert unsigned.stdout.count("→ ") == 1
    assert toy.pv("run", "--prove", "--again", "--sign", "ci.key.pem").returncode == 0
    signed = toy.pv("gate", "--policy", "merge")
    assert signed.returncode == 0, signed.stdout + signed.stderr


def test_the_json_and_the_annotations_of_a_denied_gate(proven: Toy) -> None:
    with_second_claim(with_policy(proven))
    done = proven.pv("gate", "--policy", "merge", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"], document["passed"]) == (3, 3, False)
    assert [(r["id"], r["outcome"]) for r in document["falsifiers"]] == [
        ("FALSIFY-TOY-001", "passed"),
        ("FALSIFY-TOY-002", "failed"),
    ]
    shown = proven.pv("gate", "--policy", "merge", "--format", "github").stdout.splitlines()
    assert shown[0].startswith(
        "::error file=contracts/toy-v1.yaml,line=20,title=FALSIFY-TOY-002%3A UNBOUND::no check"
    )
    assert shown[-1] == "gate merge not passed: 1 of 2 falsifiers"

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, strategies as st
from jsonschema import Draft7Validator

import pv_harness
from pv_harness.documents.problem import Problem
from pv_harness.evidence.finding import Finding, FindingKind
from pv_harness.exit_code import ExitCode
from pv_harness.policy.conditions import Facts
from pv_harness.policy.gate import GateAnswer, decide_gate
from pv_harness.policy.policy import Policy, Requirement, Waiver
from pv_harness.policy.ratchet import Ratchet
from pv_harness.policy.report import render_gate_github, render_gate_json, render_gate_text


if TYPE_CHECKING:
    from tests.harness.policy.conftest import Build

    from pv_harness.board.scoreboard import Row

SCHEMA = json.loads(
    (Path(pv_harness.__file__).parent / "schema" / "gate-v1.json").read_text(encoding="utf-8")
)
MERGE = Policy("merge", (Requirement("FALSIFY-A-*"),), blocked_left_out=True)


def waiver(reason: str = "r", owner: str = "o") -> Waiver:
    days = (date(2027, 1, 1), date(2027, 3, 1))
    return Waiver("WAIVE-1", "FALSIFY-A-003", reason, owner, "#7", *days)


def everything(build: Build, held: Waiver | None = None) -> GateAnswer:
    """An answer in which every outcome occurs, and everything around a gate is wrong too."""
    names = [f"FALSIFY-A-00{n}" for n in range(1, 7)]
    rows: list[Row] = [
        build.row(build.run(), name=names[0]),
        build.row(build.run("PARTIAL"), name=names[1]),
        build.row(build.run(verdict="FAILED", value=1), name=names[2]),
        build.row(name=names[3]),
        build.row(build.run(verdict="BLOCKED"), name=names[4], requires="cuda"),
        build.row(name="FALSIFY-B-001"),
    ]
    decision = decide_gate(
        rows,
        MERGE,
        Facts(build.now_s),
        waivers=[held or waiver()],
        allowed={names[0], names[3]},
    )
    return GateAnswer(
        decision,
        (Problem("pv-policy.yaml", 9, 3, "PV069", "WAIVE-2: passes"),),
        (Finding(FindingKind.ALTERED, Path("e/x"), "its bytes", "restore it"),),
        Ratchet("pv-ratchet.yaml", {names[0]: 5, names[3]: 6}),
    )


def test_the_text_names_conditions_cures_and_all_that_is_excused(build: Build) -> None:
    assert render_gate_text(everything(build), width=88) == (
        "FALSIFY-A-002: PARTIAL/INTEGRATION, INTEGRATION is required\n"
        "  level       PARTIAL is below INTEGRATION: a.cli:main was not reached\n"
        "            → run the command in the check, with `cli`; scripts as `python -m a.cli`\n"
        "waived  FALSIFY-A-003 until 2027-03-01 by o (WAIVE-1, #7): FAILED: wrong is not 0\n"
        "allowed by the ratchet  FALSIFY-A-004: never measured\n"
        "pv-ratchet.yaml:5: FALSIFY-A-001 is good enough now; delete the line: pv gate\n"
        "    --policy merge --update-ratchet\n"
        "pv-policy.yaml:9:3: PV069 WAIVE-2: passes\n"
        "e/x: altered: its bytes; restore it\n"
        "gate merge not passed: 1 of 2 falsifiers · 1 waived · 1 allowed by the ratchet · 1\n"
        "    blocked and left out · 1 not asked about · 1 line to delete from the ratchet · 1\n"
        "    waiver that nothing needs · 1 finding in the evidence\n"
    )


def test_findings_in_the_evidence_win_over_everything(build: Build) -> None:
    answer = everything(build)
    assert answer.exit_code is ExitCode.INFRASTRUCTURE
    assert replace(answer, findings=()).exit_code is ExitCode.DENIED


def test_the_json_fits_its_schema_and_counts_what_it_lists(build: Build) -> None:
    document: dict[str, Any] = json.loads(render_gate_json(everything(build), derived="now"))
    Draft7Validator(SCHEMA).validate(document)
    counts = document["counts"]
    assert counts.pop("judged") == counts["passed"] + counts["failed"] == 2
    assert all(value == 1 for value in counts.values())
    assert sum(counts.values()) == len(document["falsifiers"])
    assert document["ratchet_lines_to_delete"] == [
        {"falsifier": "FALSIFY-A-001", "path": "pv-ratchet.yaml", "line": 5}
    ]


def test_annotations_stand_at_the_claim_the_ratchet_and_the_waiver(build: Build) -> None:
    shown = render_gate_github(everything(build), lines={"FALSIFY-A-002": 12}).splitlines()
    assert shown[0].startswith(
        "::error file=contracts/a-v1.yaml,line=12,"
        "title=FALSIFY-A-002%3A PARTIAL/INTEGRATION::PARTIAL is below INTEGRATION"
    )
    assert shown[1].startswith(
        "::notice file=contracts/a-v1.yaml,title=FALSIFY-A-003%3A FAILED"
    )
    assert shown[0].endswith(
        "::PARTIAL is below INTEGRATION: a.cli:main was not reached%0A"
        "To change that: run the command in the check, with `cli`; scripts as `python -m a.cli`"
    )
    assert shown[1].endswith(
        "::FALSIFY-A-003 until 2027-03-01 by o (WAIVE-1, #7): FAILED: wrong is not 0"
    )
    allowed = "::notice file=contracts/a-v1.yaml,title=FALSIFY-A-004%3A NOT_RUN::"
    told = "never measured%0ATo change that: pv run --prove FALSIFY-A-004"
    assert shown[2] == f"{allowed}{told}"
    assert "::error file=pv-ratchet.yaml,line=5,title=FALSIFY-A-001%3A delete" in shown[3]
    assert shown[4].startswith("::error file=pv-policy.yaml,line=9,col=3,title=PV069::WAIVE-2")
    assert shown[5].startswith("::error file=e/x,title=evidence altered::")
    assert shown[-1].startswith("gate merge not passed: 1 of 2 falsifiers")


@given(text=st.text(min_size=1))
def test_no_text_of_a_waiver_drives_a_terminal_or_forges_an_annotation(
    build: Build, text: str
) -> None:
    answer = everything(build, waiver(owner=f"\n::error::{text}\x1b[2J"))
    shown = render_gate_github(answer, lines={})
    assert not any(line.startswith("::error::") for line in shown.splitlines())
    for out in (shown, render_gate_text(answer, width=80)):
        assert all(c.isprintable() or c == "\n" for c in out)
    Draft7Validator(SCHEMA).validate(json.loads(render_gate_json(answer, derived="now")))

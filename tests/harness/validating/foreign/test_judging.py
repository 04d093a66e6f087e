"""The findings on foreign files, and the counts, held against a walk that shares no code."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from tests.harness.validating.foreign.dialects import (
    BOOK,
    CASES,
    DIALECTS,
    FILES,
    KERNEL,
    STUB,
    TRAINER,
    judge,
    messages,
)

from pv_harness.documents.problem import Severity
from pv_harness.exit_code import ExitCode
from pv_harness.validating.foreign.judging import MOST_OF_ONE_CODE, render_foreign_counts
from pv_harness.validating.report import render_counts, render_report


ALL = {f"{name}.yaml": text for name, text in DIALECTS.items()}
NATIVE = """\
apiVersion: pv/v1
id: native-v1
version: 1.0.0
metadata: {title: t}
falsifiers:
- id: FALSIFY-HV-001
  rule: r
  prediction: p
  if_fails: f
  covers: [TODO]
  bounds: {b: {eq: 0}}
  levels: {PARTIAL: {}}
  counted: false
  defects: []
"""
ENTRY = "falsification_tests:\n- {id: X-001, rule: r, prediction: x is 3}\n"


# findings, one by one


def test_a_file_without_a_falsifier_is_inert() -> None:
    (found,) = messages(judge({"stub.yaml": STUB}), "PV080")
    assert found == (
        "stub.yaml:1:1 no falsifier: nothing could refute this file "
        "(0 invariants, 0 obligations)"
    )
    assert messages(judge({"book.yaml": BOOK}), "PV080") == []


def test_falsifiers_under_other_keys_are_counted_by_key() -> None:
    found = messages(judge({"trainer.yaml": TRAINER}), "PV081")
    ignored = "tools of this dialect read 'falsification_tests' alone and ignore the rest"
    assert found == [
        f"trainer.yaml:13:1 1 falsifier under 'invariants'; {ignored}",
        f"trainer.yaml:19:1 1 falsifier under 'gates'; {ignored}",
        f"trainer.yaml:28:1 1 falsifier under 'falsification'; {ignored}",
    ]


def test_an_invariant_is_named_by_a_rule_an_id_or_its_own_words() -> None:
    text = """\
equations:
  e:
    formula: f
    invariants:
    - "y is finite (no overflow)"
    - "y = half of x"
    - "a = b (by hand)"
    - "nobody speaks of this"
invariants:
- {id: INV-A-001, description: one}
- {id: INV-A-002, description: two}
falsification_tests:
- {id: X-001, rule: No overflow, prediction: 0 are lost}
- {id: X-002, rule: r, prediction: "y = half of x for all x", test: "checks INV-A-001"}
- {id: X-003, rule: s, prediction: "then A = B and no more than that"}
"""
    assert messages(judge({"a.yaml": text}), "PV082") == [
        (
            "a.yaml:8:7 equations.e.invariants: no falsifier names the invariant "
            "'nobody speaks of this'"
        ),
        "a.yaml:11:3 invariants: no falsifier names the invariant 'INV-A-002'",
    ]


def test_several_invariants_of_one_equation_are_one_line() -> None:
    text = "equations: {e: {formula: f, invariants: [one thing, another]}}\n" + ENTRY
    (found,) = messages(judge({"a.yaml": text}), "PV082")
    assert found.endswith("no falsifier names 2 invariants, 'one thing' first")


def test_references_resolve_among_the_files_beside_them_and_above_them() -> None:
    text = (
        """\
metadata:
  depends_on: [b, C-B, contracts/deep/c.yaml, native-v1, d-v1, gone-v1]
proof_obligations:
- {id: O-1, property: p, discharged_by: "falsification_tests[0]", requires: O-9}
- {id: O-2, property: p, discharged_by: "falsification_tests[1]", requires: O-1}
kani_harnesses:
- {id: K-1, obligation: e}
- {id: K-2, obligation: p}
- {id: K-3, obligation: q}
equations: {e: {formula: f}}
"""
        + ENTRY
    )
    files = {
        "deep/a.yaml": text,
        "deep/b.yaml": "contract_id: C-B\n" + ENTRY.replace("X-001", "B-001"),
        "deep/c.yaml": ENTRY.replace("X-001", "C-001"),
        "native-v1.yaml": NATIVE,
    }
    none = "no obligation, equation or ID of this file is called that"
    nowhere = "no contract of that name is among these files or beside this one"
    assert messages(judge(files), "PV083") == [
        f"deep/a.yaml:2:58 metadata.depends_on[] names 'd-v1'; {nowhere}",
        f"deep/a.yaml:2:64 metadata.depends_on[] names 'gone-v1'; {nowhere}",
        f"deep/a.yaml:4:77 proof_obligations[].requires names 'O-9'; {none}",
        (
            f"deep/a.yaml:5:41 proof_obligations[].discharged_by names "
            "'falsification_tests[1]'; "
            f"{none}"
        ),
        f"deep/a.yaml:9:25 kani_harnesses[].obligation names 'q'; {none}",
    ]


@pytest.mark.parametrize("name", ["../b.yaml", "/b.yaml", "a\\0b", ".", "deep/../b.yaml"])
def test_a_reference_that_leads_outside_resolves_to_nothing(name: str) -> None:
    text = f'metadata: {{depends_on: ["{name}"]}}\n{ENTRY}'
    assert len(messages(judge({"deep/a.yaml": text}), "PV083")) == 1


def test_an_unreadable_file_keeps_absent_names_from_being_reported() -> None:
    text = "metadata: {depends_on: [gone-v1]}\n" + ENTRY
    assert len(messages(judge({"a.yaml": text}), "PV083")) == 1
    assert messages(judge({"a.yaml": text, "b.yaml": "["}), "PV083") == []


def test_an_id_is_declared_once_in_a_file_and_over_files_native_ones_too() -> None:
    twice = ENTRY + "- {id: X-001, rule: r, prediction: x is 4}\n"
    files = {"a.yaml": twice, "b.yaml": ENTRY, "native-v1.yaml": NATIVE, "k.yaml": KERNEL}
    assert messages(judge(files), "PV084") == [
        "a.yaml:3:8 'X-001' is declared twice; first at line 2",
        "b.yaml:2:8 'X-001' is declared twice; first at contracts/a.yaml:2",
        "k.yaml:27:9 'FALSIFY-HV-001' is declared twice; first at contracts/native-v1.yaml:6",
    ]


def test_a_stem_is_that_of_one_file() -> None:
    files = {"one/a.yaml": ENTRY, "two/a.yaml": ENTRY.replace("X-001", "Y-001")}
    assert messages(judge(files), "PV085") == [
        (
            "two/a.yaml:1:1 the stem 'a' is that of contracts/one/a.yaml too; "
            "a reference could mean both"
        )
    ]


@pytest.mark.parametrize(
    ("top", "inside", "agree"),
    [
        ("1.0.0", "1.0.1", False),
        ("1", '"1.0.0"', True),
        ("v1.2", "1.2.0", True),
        ("1.10", '"1.10"', True),
        ("1.10", "1.10.0", True),
        ("1.10", "1.1", False),
    ],
)
def test_two_versions_of_one_file_agree_as_they_are_written(
    top: str, inside: str, *, agree: bool
) -> None:
    text = f"version: {top}\nmetadata: {{version: {inside}}}\n{ENTRY}"
    assert (messages(judge({"a.yaml": text}), "PV086") == []) is agree


@pytest.mark.parametrize(
    ("version", "read"),
    [("1.10", "1.1"), ("1.20", "1.2"), ("010", "10"), ("1e3", "1000.0"), ("1.", "1.0")],
)
def test_a_version_that_yaml_reads_as_another_number_is_told_as_it_is_written(
    version: str, read: str
) -> None:
    text = f"version: {version}\nmetadata: {{version: {version}}}\n{ENTRY}"
    told = f"{version} without quotes, which YAML reads as {read}; write it with quotes"
    found = messages(judge({"a.yaml": text}), "PV094")
    assert found == [
        f"a.yaml:1:10 version is {told}: '{version}'",
        f"a.yaml:2:21 metadata.version is {told}: '{version}'",
    ]


@pytest.mark.parametrize("version", ["1", "1.0", "1.1", "1.10.0", '"1.10"', "v1.10", "draft"])
def test_a_version_that_yaml_reads_as_it_is_written_is_no_finding(version: str) -> None:
    assert messages(judge({"a.yaml": f"version: {version}\n{ENTRY}"}), "PV094") == []


@pytest.mark.parametrize(
    "text",
    ["version: [1.10]\n", "metadata: 1.10\n", "metadata: [1.10]\n", "version: {a: 1.10}\n"],
)
def test_a_number_that_is_no_version_is_left_alone(text: str) -> None:
    assert messages(judge({"a.yaml": text + ENTRY}), "PV094") == []


def test_typed_counts_are_compared_with_what_there_is() -> None:
    assert messages(judge({"kernel.yaml": KERNEL}), "PV087") == [
        (
            "kernel.yaml:46:22 verification_summary.total_obligations is 2; "
            "entries of proof_obligations: 1"
        )
    ]
    (found,) = messages(judge({"cases.yaml": CASES}), "PV087")
    assert found.endswith("verification_summary.proven is 3; entries of proof_obligations: 0")


@pytest.mark.parametrize(
    ("summary", "fault"),
    [
        ("{l4_lean_proved: 2, lean_proved_obligations: [{a: b}]}", "l4_lean_proved is 2"),
        ("{l4_lean_proved: 1, lean_proved_obligations: [{a: b}]}", None),
        ("{l4_lean_proved: 0, lean_proved_obligations: [{a: b}]}", "l4_lean_proved is 0"),
        ("{l4_lean_proved: 1, obligation_classification: [{class: was-proved}]}", None),
        ("{l4_not_applicable: 1, obligation_classification: [{class: na}]}", None),
        ("{l4_not_applicable: 1, lean_not_applicable_obligations: []}", "applicable is 1"),
        ("{l4_not_applicable: 7}", None),
        (
            "{l4_sorry_count: 1}",
            "l4_sorry_count is 1; obligations with `lean.status: sorry`: 0",
        ),
        ("{l3_kani_proved: 1}", "l3_kani_proved is 1; entries of kani_harnesses: 0"),
        ("{l2_property_tested: 2}", "l2_property_tested is 2; obligations, or falsifiers: 1"),
        ("{l2_property_tested: 1, tested: 1}", None),
    ],
)
def test_each_typed_count_has_something_to_count(summary: str, fault: str | None) -> None:
    found = messages(judge({"a.yaml": f"verification_summary: {summary}\n{ENTRY}"}), "PV087")
    assert len(found) == (fault is not None)
    assert fault is None or fault in found[0]


def test_typed_statuses_of_one_place_are_one_line() -> None:
    gates = "".join(f"- {{id: G-{n:03}, rule: x is {n}, verdict: pass}}\n" for n in range(3))
    found = messages(judge({"a.yaml": f"status: ACTIVE\ngates:\n{gates}"}), "PV088")
    assert found == [
        "a.yaml:1:9 status types 'ACTIVE'; no evidence is stored for it",
        (
            "a.yaml:3:38 gates[].verdict types 3 statuses ('pass' 3); "
            "no evidence is stored for them"
        ),
    ]


def test_a_status_rests_on_evidence_for_all_that_it_is_about() -> None:
    text = """\
status: ACTIVE
falsification_tests:
- {id: X-001, rule: x is 1, prediction: x is 1, status: PASS}
- {id: X-002, rule: x is 1, prediction: x is 1, status: PASS}
- {rule: x is 1, prediction: x is 1, status: PASS}
"""
    with_one = judge({"a.yaml": text}, recorded=frozenset({"X-001"}))
    counts = with_one.foreign_counts
    assert (counts.statuses, counts.unsupported) == (4, 3)
    short = text.rpartition("- {rule")[0]
    both = judge({"a.yaml": short}, recorded=frozenset({"X-001", "X-002"}))
    assert (both.foreign_counts.statuses, both.foreign_counts.unsupported) == (3, 0)
    assert messages(both, "PV088") == []


def test_a_prediction_without_a_bound_is_quoted_at_its_place() -> None:
    assert messages(judge({"kernel.yaml": KERNEL}), "PV089") == [
        (
            "kernel.yaml:35:17 FALSIFY-HV-002: 'prediction' holds no number and no comparison: "
            "'both agree'"
        )
    ]
    text = "falsification_tests:\n- {}\n- {rule: words}\n- {rule: x is 3}\n"
    assert messages(judge({"a.yaml": text}), "PV089") == [
        "a.yaml:2:3 falsification_tests[0]: it has no prediction",
        (
            "a.yaml:3:10 falsification_tests[1]: it has no prediction, and 'rule' holds no "
            "number and no comparison: 'words'"
        ),
    ]


def test_a_test_that_is_a_pytest_node_exists() -> None:
    (found,) = messages(judge({"kernel.yaml": KERNEL}), "PV090")
    assert found == (
        "kernel.yaml:36:11 FALSIFY-HV-002: 'test' names "
        "'tests/test_halves.py::test_both_agree'; "
        "the repository of the contract has no file 'tests/test_halves.py'"
    )
    there = {"kernel.yaml": KERNEL, "tests/test_halves.py": "def test_both_agree(): ...\n"}
    assert messages(judge(there), "PV090") == []


def test_unknown_keys_come_with_a_guess_and_very_many_on_one_line() -> None:
    text = "falsification_test: [{id: X-001, predicton: x is 3, colour: red}]\n"
    assert messages(judge({"a.yaml": text}), "PV091") == [
        (
            "a.yaml:1:34 falsification_test[].predicton is not understood; did you mean "
            "'prediction'?"
        ),
        "a.yaml:1:53 falsification_test[].colour is not understood, and not judged",
    ]
    many = "metadata:\n" + "".join(f"  k{n:03}: 1\n" for n in range(300)) + ENTRY
    assert messages(judge({"a.yaml": many}), "PV091") == [
        (
            "a.yaml:2:3 in metadata 300 keys are not understood, and not judged: "
            "'k000', 'k001', 'k002', ..."
        )
    ]


def test_all_findings_are_warnings_and_a_file_that_is_not_yaml_is_an_error() -> None:
    report = judge(ALL)
    assert {problem.severity for problem in report.problems} == {Severity.WARNING}
    assert (report.exit_code, report.judged) == (ExitCode.SATISFIED, len(ALL))
    broken = judge({**ALL, "broken.yaml": "a: ["})
    assert (broken.errors, broken.exit_code) == (1, ExitCode.CANNOT_JUDGE)


def test_a_key_given_twice_is_a_warning_in_a_foreign_file() -> None:
    report = judge({"a.yaml": ENTRY + "kind: a\nkind: b\nscope: &x 1\n"})
    assert [p.code for p in report.problems] == ["PV005", "PV006"]
    assert report.errors == 0


# counts


def count_by_hand(files: dict[str, str]) -> dict[str, int]:
    """What a person would count, from plain PyYAML data, with no code of ours."""
    values: list[dict[str, Any]] = [yaml.safe_load(text) for text in files.values()]
    counts = dict.fromkeys(
        ("files", "falsifiers", "inert", "invariants", "statuses", "references"), 0
    )
    for value in values:
        entries = [
            entry
            for key, item in value.items()
            if key.startswith("falsification")
            for entry in (item.values() if isinstance(item, dict) else item)
        ]
        entries += [e for e in value.get("invariants", []) if "falsifier" in e]
        entries += [e for e in value.get("gates", []) if "rule" in e]
        equations = value.get("equations", {})
        listed = equations.values() if isinstance(equations, dict) else equations
        counts["files"] += 1
        counts["falsifiers"] += len(entries)
        counts["inert"] += not entries
        counts["invariants"] += len(value.get("invariants", []))
        counts["invariants"] += sum(len(e.get("invariants", [])) for e in listed)
        counts["statuses"] += count_keys(value, {"status", "verdict", "discharge_status"})
        counts["references"] += count_references(value)
    return counts


def count_keys(value: object, keys: set[str]) -> int:
    if isinstance(value, dict):
        return sum((key in keys) + count_keys(item, keys) for key, item in value.items())
    return sum(count_keys(item, keys) for item in value) if isinstance(value, list) else 0


def count_references(value: dict[str, Any]) -> int:
    text = json.dumps(value.get("gates", []), default=str)
    return (
        len(value.get("metadata", {}).get("depends_on", []))
        + len(value.get("metadata", {}).get("peer_contracts", []))
        + count_keys(value, {"obligation", "requires", "falsification_id"})
        + len(value.get("enforcement", {}))
        + len(value.get("bindings", []))
        + text.count(" PASS")
    )


def test_the_counts_are_those_of_a_walk_by_hand() -> None:
    counts = judge(ALL).foreign_counts
    by_hand = count_by_hand(ALL)
    assert {name: value for name, value in by_hand.items() if name != "falsifiers"} == {
        name: getattr(counts, name) for name in by_hand if name != "falsifiers"
    }
    assert sum(counts.falsifiers.values()) == by_hand["falsifiers"]
    assert min(by_hand.values()) > 0
    assert sum(counts.tests.values()) == by_hand["falsifiers"]


def test_the_counts_are_the_last_but_one_line_of_the_report() -> None:
    report = judge(ALL)
    assert render_report(report).endswith("\n" + render_counts(report))
    first, last = render_counts(report).splitlines()
    assert first == render_foreign_counts(report.foreign_counts)
    assert first == (
        "foreign: 5 files judged · 11 falsifiers (falsification_conditions 2, "
        "falsification_tests 2, "
        "falsification_tests_v1_1 2, falsification 1, falsification_test 1, falsifications 1, "
        "gates 1, invariants 1) · 1 inert · 4 invariants, 2 without a falsifier · "
        "11 references, 8 dangling · 7 typed statuses, 7 without evidence"
    )
    assert last.startswith("5 files: 0 native, 5 foreign · 0 native falsifiers, 0 bound to ")


def test_the_problems_of_a_place_add_up_to_the_counts() -> None:
    report = judge(ALL)
    assert len(messages(report, "PV080")) == report.foreign_counts.inert
    assert len(messages(report, "PV083")) == report.foreign_counts.dangling


# hostile files


def test_findings_of_one_code_are_listed_up_to_a_limit() -> None:
    report = judge({"a.yaml": "falsification_tests:\n" + "- {}\n" * 5000})
    found = messages(report, "PV089")
    assert len(found) == MOST_OF_ONE_CODE + 1
    assert found[-1] == "a.yaml:102:3 and 4900 more like these, from here on"
    assert sum(report.foreign_counts.falsifiers.values()) == 5000


@pytest.mark.parametrize(
    "text",
    [
        "falsification_tests:\n" + "- {id: X-001, rule: a b c d e f}\n" * 10_000,
        "equations: {e: {formula: f, invariants: [" + "a b c d, " * 49_000 + "z]}}\n" + ENTRY,
        "falsification_tests: [{rule: '" + "a " * 400_000 + "'}]",
        "equations: {e: {invariants: ['" + "a b " * 200_000 + "']}}\n" + ENTRY,
        "metadata: {depends_on: [" + "a/b-v1, " * 30_000 + "z]}",
        "verification_summary: {total_obligations: " + "9" * 60 + "}",
        "falsification_tests: " + "[" * 60 + "]" * 60,
        "enforcement: {a: '" + "A-001 " * 150_000 + "'}\ngates: []",
    ],
    ids=[
        "twins",
        "invariants",
        "long-rule",
        "long-invariant",
        "links",
        "number",
        "deep",
        "ids",
    ],
)
def test_a_hostile_file_is_judged_like_any_other(text: str) -> None:
    report = judge({"a.yaml": text})
    assert report.foreign_counts.judged == 1
    assert len(report.problems) < 15 * MOST_OF_ONE_CODE


@settings(max_examples=80, deadline=None)
@given(FILES)
def test_any_data_at_all_is_judged(value: dict[str, object]) -> None:
    text = json.dumps(value)
    report = judge({"a.yaml": text.replace("NaN", "0").replace("Infinity", "0")})
    assert report.files == 1
    assert all(line.isprintable() for line in render_report(report).splitlines())
    assert report.exit_code in (ExitCode.SATISFIED, ExitCode.CANNOT_JUDGE)

"""A bad and a good example of each rule, out of files that fire it and files that do not.

Lines between those that matter are left out. Every example is part of a pair of files in
tests/harness/validating, so that it can't be wrong.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class RuleExample(NamedTuple):
    """Lines of a file that fires a rule, and of one beside it that does not."""

    bad: str
    good: str


RULE_EXAMPLES: Final = {
    "PV001": RuleExample(
        bad="contracts/sums-v1.yaml/notes.md",
        good="contracts/sums-v1.yaml",
    ),
    "PV002": RuleExample(
        bad="metadata: {title: A case, references: [[[[[[[[[[...]]]]]]]]]]}",
        good="metadata: {title: A case, references: [one]}",
    ),
    "PV003": RuleExample(
        bad="metadata: {title: A ␇ case}",
        good="metadata: {title: A case}",
    ),
    "PV004": RuleExample(
        bad="metadata: {title: 'A case}",
        good="metadata: {title: 'A case: sums'}",
    ),
    "PV005": RuleExample(
        bad=("rule: a sum is the sum of its parts\nrule: another"),
        good="rule: a sum is the sum of its parts",
    ),
    "PV006": RuleExample(
        bad="covers: &roots [subject.core]",
        good="covers: [subject.core]",
    ),
    "PV007": RuleExample(
        bad=("metadata: {title: A case}\n---\nfalsifiers:"),
        good=("metadata: {title: A case}\nfalsifiers:"),
    ),
    "PV008": RuleExample(
        bad="# and nothing else",
        good=("apiVersion: pv/v1\nid: pv008\nversion: 1.0.0"),
    ),
    "PV009": RuleExample(
        bad="- apiVersion: pv/v1",
        good="apiVersion: pv/v1",
    ),
    "PV010": RuleExample(
        bad="version: 1.0",
        good="version: 1.0.0",
    ),
    "PV011": RuleExample(
        bad="predicton: no pair of numbers has a wrong sum",
        good="prediction: no pair of numbers has a wrong sum",
    ),
    "PV012": RuleExample(
        bad=("prediction: no pair of numbers has a wrong sum\ncovers: [subject.core]"),
        good=(
            "prediction: no pair of numbers has a wrong sum\n"
            "if_fails: totals are wrong\n"
            "covers: [subject.core]"
        ),
    ),
    "PV013": RuleExample(
        bad="apiVersion: pv/v2",
        good="apiVersion: pv/v1",
    ),
    "PV014": RuleExample(
        bad=("name: a workflow\njobs:"),
        good=("name: a contract\nfalsification_tests:"),
    ),
    "PV015": RuleExample(
        bad='rule: "TODO: what must hold, in one sentence"',
        good="rule: a sum is the sum of its parts",
    ),
    "PV020": RuleExample(
        bad=("apiVersion: pv/v1\nid: another-name"),
        good=("apiVersion: pv/v1\nid: pv020"),
    ),
    "PV021": RuleExample(
        bad=("- id: CASE-001\n- id: CASE-001"),
        good=("- id: CASE-001\n- id: CASE-002"),
    ),
    "PV022": RuleExample(
        bad="id: base",
        good="id: pv022",
    ),
    "PV023": RuleExample(
        bad=("- id: CASE-001\n  status: DISCHARGED\n  rule: a sum is the sum of its parts"),
        good=("- id: CASE-001\n  rule: a sum is the sum of its parts"),
    ),
    "PV024": RuleExample(
        bad="metadata: {title: A case, depends_on: [bass]}",
        good="metadata: {title: A case, depends_on: [base]}",
    ),
    "PV030": RuleExample(
        bad="def test a_sum_is_wrong() -> None:",
        good="def test_a_sum_is_wrong() -> None:",
    ),
    "PV031": RuleExample(
        bad='@pytest.mark.falsifies("BASE-010")',
        good='@pytest.mark.falsifies("BASE-001")',
    ),
    "PV032": RuleExample(
        bad="- id: LONELY-001",
        good="- id: CASE-001",
    ),
    "PV033": RuleExample(
        bad='@pytest.mark.falsifies("BASE-" + "001")',
        good='@pytest.mark.falsifies("BASE-001")',
    ),
    "PV034": RuleExample(
        bad=('@pytest.mark.falsifies("BASE-001")\ndef a_sum_is_wrong() -> None:'),
        good=('@pytest.mark.falsifies("BASE-001")\ndef test_a_sum_is_wrong() -> None:'),
    ),
    "PV035": RuleExample(
        bad="covers: [subject.core, subject.score]",
        good="covers: [subject.core]",
    ),
    "PV036": RuleExample(
        bad="PARTIAL: {reached: ['subject.cli:mean']}",
        good="PARTIAL: {reached: ['subject.cli:main']}",
    ),
    "PV037": RuleExample(
        bad=(
            '@pytest.mark.falsifies("BASE-001")\n'
            '@pytest.mark.falsifies("CASE-001")\n'
            "def test_a_sum_is_wrong() -> None:"
        ),
        good=('@pytest.mark.falsifies("BASE-001")\ndef test_a_sum_is_wrong() -> None:'),
    ),
    "PV038": RuleExample(
        bad=("def test_a_sum_is_wrong() -> None:\ndef test_a_sum_is_wrong() -> None:"),
        good=("def test_a_sum_is_wrong() -> None:\ndef test_a_sum_is_too_large() -> None:"),
    ),
    "PV039": RuleExample(
        bad="checks/test_sums[draft].py",
        good="checks/test_sums_draft.py",
    ),
    "PV040": RuleExample(
        bad=("levels:\n  INTEGRATION: {device: cpu}\n  PARTIAL: {}"),
        good=("levels:\n  PARTIAL: {}\n  INTEGRATION: {device: cpu}"),
    ),
    "PV041": RuleExample(
        bad=("PARTIAL: {device: cpu}\nINTEGRATION: {device: cpu}"),
        good=(
            "PARTIAL: {device: cpu}\nINTEGRATION: {device: cpu, reached: ['subject.cli:main']}"
        ),
    ),
    "PV042": RuleExample(
        bad="inputs: [letters]",
        good="inputs: [numbers]",
    ),
    "PV043": RuleExample(
        bad=("levels:\n  PARTIAL: {inputs: [numbers]}"),
        good=("inputs: [numbers]\nlevels:\n  PARTIAL: {inputs: [numbers]}"),
    ),
    "PV044": RuleExample(
        bad="wrong_sums: {ge: 3, lt: 3}",
        good="wrong_sums: {ge: 0, lt: 1}",
    ),
    "PV045": RuleExample(
        bad="wrong_sums: {le: .inf}",
        good="wrong_sums: {le: 1e9}",
    ),
    "PV046": RuleExample(
        bad=("seeds: {values: [0, 1], rule: t-test}\nbounds:\n  wrong_sums: {eq: 0}"),
        good=(
            "seeds: {values: [0, 1, 2], rule: t-test, confidence: 0.95}\n"
            "bounds:\n"
            "  wrong_sums: {lt: 1}"
        ),
    ),
    "PV050": RuleExample(
        bad=("- id: minus\n- id: minus"),
        good=("- id: minus\n- id: one-more"),
    ),
    "PV051": RuleExample(
        bad="file: src/subject/gone.py",
        good="file: src/subject/core.py",
    ),
    "PV052": RuleExample(
        bad="find: left * right",
        good="find: left + right",
    ),
    "PV053": RuleExample(
        bad=("find: left + right\nreplace: left  +  right  # the sum"),
        good=("find: left + right\nreplace: left - right"),
    ),
    "PV054": RuleExample(
        bad=("find: left + right\nreplace: left -"),
        good=("find: left + right\nreplace: left - right"),
    ),
    "PV055": RuleExample(
        bad=("bounds:\n  wrong_sums: {eq: 0}\n  expect: wrong_sum"),
        good=("bounds:\n  wrong_sums: {eq: 0}\n  expect: wrong_sums"),
    ),
    "PV056": RuleExample(
        bad=("defects:\n- id: minus"),
        good=("defects:\n- id: minus\n- id: one-more"),
    ),
    "PV057": RuleExample(
        bad=("- id: minus\n  replace: left - right\n- id: one-more\n  replace: left - right"),
        good=(
            "- id: minus\n  replace: left - right\n- id: one-more\n  replace: left + right + 1"
        ),
    ),
    "PV058": RuleExample(
        bad=("covers: [subject.core]\n  file: src/subject/cli.py"),
        good=("covers: [subject.core]\n  file: src/subject/core.py"),
    ),
    "PV060": RuleExample(
        bad="created: 2026-11-31",
        good="created: 2026-11-30",
    ),
    "PV061": RuleExample(
        bad=("created: 2026-12-01\nexpires: 2027-03-02"),
        good=("created: 2026-12-01\nexpires: 2027-03-01"),
    ),
    "PV062": RuleExample(
        bad="created: 2027-01-02",
        good="created: 2027-01-01",
    ),
    "PV063": RuleExample(
        bad="expires: 2026-12-31",
        good="expires: 2027-01-01",
    ),
    "PV064": RuleExample(
        bad=("- id: WAIVE-001\n  falsifier: BASE-001\n- id: WAIVE-002\n  falsifier: BASE-001"),
        good=("- id: WAIVE-001\n  falsifier: BASE-001"),
    ),
    "PV065": RuleExample(
        bad="falsifier: BASE-002",
        good="falsifier: BASE-001",
    ),
    "PV066": RuleExample(
        bad=("policies:\n  merge:\n  policies: [mergee]"),
        good=("policies:\n  merge:\n  policies: [merge]"),
    ),
    "PV067": RuleExample(
        bad='- {pattern: "BASE-1*", level: ceiling}',
        good='- {pattern: "BASE-0*", level: ceiling}',
    ),
    "PV068": RuleExample(
        bad="signers: [ci]",
        good=('require:\n- {pattern: "*", level: ceiling}'),
    ),
    "PV069": RuleExample(
        bad=("- id: WAIVE-001\n  falsifier: BASE-001   # which passes"),
        good="waivers: []",
    ),
    "PV070": RuleExample(
        bad=(
            "- {id: add, title: sums are right, ..., needs: []}\n"
            "- {id: add, title: sums are out, ..., needs: []}"
        ),
        good=(
            "- {id: add, title: sums are right, ..., needs: []}\n"
            "- {id: publish, title: sums are out, ..., needs: [add]}"
        ),
    ),
    "PV071": RuleExample(
        bad="- {id: publish, title: sums are out, ..., needs: [ad]}",
        good="- {id: publish, title: sums are out, ..., needs: [add]}",
    ),
    "PV072": RuleExample(
        bad=(
            "- {id: add, title: sums are right, ..., needs: [publish]}\n"
            "- {id: publish, title: sums are out, ..., needs: [add]}"
        ),
        good=(
            "- {id: add, title: sums are right, ..., needs: []}\n"
            "- {id: publish, title: sums are out, ..., needs: [add]}"
        ),
    ),
    "PV080": RuleExample(
        bad="falsification_tests: []",
        good=(
            "falsification_tests:\n"
            "- id: CASE-001\n"
            "  prediction: at most 0 pairs of numbers have a wrong sum"
        ),
    ),
    "PV081": RuleExample(
        bad=("falsifications:\n- id: CASE-001"),
        good=("falsification_tests:\n- id: CASE-001"),
    ),
    "PV082": RuleExample(
        bad=("invariants:\n- a sum does not depend on the order"),
        good=("invariants:\n- for all numbers, a sum is the sum of its parts"),
    ),
    "PV083": RuleExample(
        bad="metadata: {version: 1.0.0, depends_on: [basis]}",
        good="metadata: {version: 1.0.0, depends_on: [base, contracts/base.yaml]}",
    ),
    "PV084": RuleExample(
        bad=("- id: CASE-001\n- id: CASE-001\n  rule: a difference is no sum"),
        good=("- id: CASE-001\n- id: CASE-002\n  rule: a difference is no sum"),
    ),
    "PV085": RuleExample(
        bad=("contracts/sums-v1.yaml\ncontracts/old/sums-v1.yaml"),
        good=("contracts/sums-v1.yaml\ncontracts/old/sums-v0.yaml"),
    ),
    "PV086": RuleExample(
        bad=("version: 1.1.0\nmetadata: {version: 1.0.0}"),
        good=("version: 1\nmetadata: {version: 1.0.0}"),
    ),
    "PV087": RuleExample(
        bad=(
            "proof_obligations:\n"
            "- {type: invariant, property: a sum is a number}\n"
            "verification_summary: {total_obligations: 2}"
        ),
        good=(
            "proof_obligations:\n"
            "- {type: invariant, property: a sum is a number}\n"
            "verification_summary: {total_obligations: 1}"
        ),
    ),
    "PV088": RuleExample(
        bad="metadata: {version: 1.0.0, status: ACTIVE}",
        good="metadata: {version: 1.0.0, kind: kernel}",
    ),
    "PV089": RuleExample(
        bad="prediction: sums are right",
        good="prediction: at most 0 pairs of numbers have a wrong sum",
    ),
    "PV090": RuleExample(
        bad="test: pytest checks/sums.py::test_a_sum_is_right",
        good="test: pytest checks/sums.py::test_a_sum_is_wrong",
    ),
    "PV091": RuleExample(
        bad="predicton: at most 0 pairs of numbers have a wrong sum",
        good="prediction: at most 0 pairs of numbers have a wrong sum",
    ),
    "PV092": RuleExample(
        bad="rule: [a sum, its parts]",
        good="rule: a sum is the sum of its parts",
    ),
    "PV093": RuleExample(
        bad="covers: [TODO]",
        good="covers: [subject.core]",
    ),
    "PV094": RuleExample(
        bad="version: 1.10",
        good='version: "1.10"',
    ),
}
"""By code, in order."""

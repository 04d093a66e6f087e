from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from tests.harness.validating.foreign.dialects import (
    BOOK,
    CASES,
    DIALECTS,
    FILES,
    KERNEL,
    STUB,
    TRAINER,
    at,
    data_of,
    judge,
    places,
    record_of,
)

from pv_harness.documents.loading import load
from pv_harness.documents.schema_check import check_schema
from pv_harness.exit_code import ExitCode
from pv_harness.validating.foreign.migration import Migration, Request, migrate
from pv_harness.validating.foreign.reading import read_foreign


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.validating.foreign.record import ForeignContract

STATUSES = ("status", "verdict", "discharge_status")
BY_STEM = pytest.mark.parametrize("text", list(DIALECTS.values()), ids=list(DIALECTS))


def native(contract: ForeignContract, **request: Any) -> tuple[Migration, dict[str, Any]]:
    """The migration, and the data that its text holds; it has to fit the schema."""
    migration = migrate(contract, Request("x-v1", "x.yaml", **request))
    document = load(migration.text.encode(), "x-v1.yaml", 1 << 24)
    assert document.problems == ()
    assert check_schema(document) == ((), frozenset())
    return migration, document.value


def flat(text: str) -> str:
    """A text without comment signs, escapes and layout, so that sentences can be looked for."""
    bare = re.sub(r"(?m)^\s*#? ?", "", text).replace("\\n", "\n").replace('\\"', '"')
    return " ".join(bare.replace("\\\\", "\\").split())


@BY_STEM
def test_what_is_written_validates_with_warnings_alone(text: str) -> None:
    migration, value = native(record_of(text))
    report = judge({"x-v1.yaml": migration.text})
    count = len(value["falsifiers"])
    texts = [[f[k] for k in ("rule", "prediction", "if_fails")] for f in value["falsifiers"]]
    texts.append([value["metadata"]["title"]])
    unsaid = sum(any(text.startswith("TODO") for text in several) for several in texts)
    expected = ["PV015"] * unsaid + ["PV032"] * count + ["PV093"] * count
    assert sorted(p.code for p in report.problems) == expected
    assert (report.exit_code, report.native) == (ExitCode.SATISFIED, 1)


@BY_STEM
def test_no_sentence_is_lost_but_typed_statuses(text: str) -> None:
    value = data_of(text)
    migration, _ = native(record_of(text))
    written = flat(migration.text)
    for way in places(value):
        said = at(value, way)
        if isinstance(said, str) and said and way[-1] not in STATUSES:
            assert " ".join(said.split()) in written, way


@BY_STEM
def test_typed_statuses_and_counts_are_left_out_and_listed(text: str) -> None:
    contract = record_of(text)
    migration, _ = native(contract)
    assert not re.search(r"^\W*(status|verdict|discharge_status|\w*obligations):\s*\w",
                         migration.text, re.MULTILINE)  # fmt: skip
    listed = " ".join(item.what for item in migration.left_out)
    assert all(claim.family in listed for claim in contract.statuses)
    assert ("typed count" in listed) is bool(contract.summary and contract.summary.counts)


@BY_STEM
def test_every_line_that_is_left_to_do_says_so(text: str) -> None:
    migration, value = native(record_of(text))
    lines = migration.text.splitlines()
    for item in migration.to_do:
        assert "TODO" in lines[item.line - 1] or lines[item.line - 1].startswith("- id: ")
    claims = [i for i in migration.to_do if lines[i.line - 1].startswith("- id: ")]
    assert len(claims) == len(value["falsifiers"])


def test_sentences_and_ids_of_a_kernel_contract_are_where_the_native_form_has_them() -> None:
    migration, value = native(record_of(KERNEL))
    assert value["metadata"] == {
        "title": "Halving kernel — every value becomes half of itself",
        "references": ["A paper about halves"],
    }
    assert value["equations"]["halve"]["invariants"] == [
        "y_i * 2 = x_i (round trip)",
        "sign(y_i) = sign(x_i)",
    ]
    first, second = value["falsifiers"]
    assert first == {
        "id": "FALSIFY-HV-001",
        "rule": "Round trip",
        "prediction": "|2y - x| < 1e-6 for random x",
        "if_fails": "the shift is off by one",
        "covers": ["TODO"],
        "bounds": {"counterexamples": {"eq": 0}},
        "levels": {"PARTIAL": {}},
        "counted": False,
        "defects": [],
    }
    assert second["id"] == "FALSIFY-HV-002"
    assert [item.what for item in migration.to_do] == [
        "depends_on: not native yet: 'doubling-kernel-v1'",
        "FALSIFY-HV-001: covers, bounds, a check, two planted defects (the file describes one)",
        "FALSIFY-HV-002: a number in prediction, covers, bounds, a check, two planted defects",
    ]
    assert '# TODO: a check marked @pytest.mark.falsifies("FALSIFY-HV-001")' in migration.text
    assert "  # mutation: halve twice\n" in migration.text
    assert "# simd_dispatch:\n#   halve:\n#     scalar: halve_scalar\n" in migration.text


def test_an_invariant_and_a_gate_become_claims_and_the_rest_of_them_stays() -> None:
    migration, value = native(record_of(TRAINER))
    claims = {f["id"]: f for f in value["falsifiers"]}
    assert list(claims) == ["FALSIFY-HALF-003", "INV-HALF-001", "GATE-HALF-001"]
    assert claims["INV-HALF-001"]["rule"] == "The loss halves within 100 steps."
    assert claims["INV-HALF-001"]["prediction"].startswith("Train 100 steps; a loss above")
    assert claims["FALSIFY-HALF-003"]["rule"] == "Reading by halves"
    assert "#   description: Nobody tries to refute this one." in migration.text
    assert "#   condition: INV-HALF-001 PASS AND FALSIFY-GONE-001 PASS" in migration.text
    assert value["version"] == "1.2.0"
    assert "  # version: 1.1.0" in migration.text


def test_a_condition_is_turned_round_and_an_id_is_made() -> None:
    _, value = native(record_of(BOOK))
    first, second = value["falsifiers"]
    assert (first["id"], second["id"]) == ("FALSIFY-X-V1-001", "FALSIFY-X-V1-002")
    assert first["rule"] == "this is never seen: the example exits non-zero"
    assert first["prediction"].startswith("TODO: ")
    assert (value["version"], value["metadata"]["title"]) == ("1.0.0", "TODO: halves-book")


def test_a_number_is_a_prediction_only_with_its_key() -> None:
    migration, value = native(record_of(CASES))
    second = value["falsifiers"][1]
    assert second["prediction"] == "expected_exit_code: 2"
    assert "  # Its ID in the foreign file: first\n" in migration.text
    assert value["metadata"]["description"] == "Two lines\nof text.\n"


def test_a_file_without_falsifiers_gets_a_placeholder() -> None:
    migration, value = native(record_of(STUB))
    (claim,) = value["falsifiers"]
    assert (claim["id"], claim["counted"]) == ("FALSIFY-X-V1-001", False)
    assert all(claim[key].startswith("TODO: ") for key in ("rule", "prediction", "if_fails"))
    assert "falsifiers: the file has none; this one is a placeholder" in [
        item.what for item in migration.to_do
    ]


def test_what_is_known_of_the_project_is_written() -> None:
    migration, value = native(
        record_of(KERNEL), covers=("halves.core", "halves.io"), contracts={"doubling-kernel-v1"}
    )
    assert value["metadata"]["depends_on"] == ["doubling-kernel-v1"]
    assert value["falsifiers"][0]["covers"] == ["halves.core", "halves.io"]
    assert "covers" not in " ".join(item.what for item in migration.to_do)
    assert "depends_on" not in " ".join(item.what for item in migration.to_do)


def test_a_made_up_id_is_none_of_the_projects() -> None:
    taken = {"FALSIFY-X-V1-001"}
    _, value = native(record_of(BOOK), taken=taken)
    assert [f["id"] for f in value["falsifiers"]] == ["FALSIFY-X-V1-002", "FALSIFY-X-V1-003"]


def test_an_id_that_stands_twice_is_kept_once() -> None:
    text = "falsification_tests: [{id: A-001, rule: r}, {id: A-001, rule: s}]"
    migration, value = native(record_of(text))
    assert [f["id"] for f in value["falsifiers"]] == ["A-001", "A-002"]
    assert any(item.what.startswith("A-002, was 'A-001': ") for item in migration.to_do)


@pytest.mark.parametrize(
    ("version", "written"),
    [
        ("1", "1.0.0"),
        ("v2.1", "2.1.0"),
        ("01.2.3", "1.2.3"),
        ("draft", "1.0.0"),
        ("''", "1.0.0"),
    ],
)
def test_a_version_becomes_one_of_three_numbers(version: str, written: str) -> None:
    migration, value = native(
        record_of(f"version: {version}\n{BOOK.partition('version: 1')[2]}")
    )
    assert value["version"] == written
    assert any(i.what.startswith("version: ") for i in migration.to_do) is (
        version in {"draft", "''"}
    )


@settings(max_examples=150, deadline=None)
@given(FILES)
def test_any_data_at_all_becomes_a_contract_that_fits_the_schema(
    value: Mapping[str, object],
) -> None:
    native(read_foreign(value, "x"))

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft7Validator

import pv_harness
from pv_harness.contracts.contract import Level
from pv_harness.documents.loading import load
from pv_harness.documents.problem import Severity
from pv_harness.policy.policy import MAX_WAIVER_DAYS, Policy, Requirement
from pv_harness.policy.reading import PolicyReading, read_duration, read_policies
from pv_harness.policy.rules import Surroundings


SCHEMAS = Path(pv_harness.__file__).parent / "schema"
OWN = ("policy-v1", "release-v1", "ratchet-v1", "gate-v1")
KNOWN = {"FALSIFY-A-001": "a-v1", "FALSIFY-A-002": "a-v1"}
AROUND = Surroundings(KNOWN, ("ci",), date(2027, 1, 1))

VALID = """\
apiVersion: pv/v1
kind: policy
policies:
  merge:
    require:
    - {pattern: "*", level: ceiling}
waivers:
- id: WAIVE-001
  falsifier: FALSIFY-A-001
  reason: r
  owner: o
  issue: i
  created: 2026-12-01
  expires: 2027-01-31
"""


def read(text: str, around: Surroundings = AROUND) -> PolicyReading:
    return read_policies(load(text.encode(), "p.yaml"), around)


def problems_of(text: str) -> list[str]:
    return [str(problem).removeprefix("p.yaml:") for problem in read(text).problems]


def changed(old: str, new: str) -> str:
    assert VALID.count(old) == 1
    return VALID.replace(old, new)


def test_a_valid_file_gives_its_policies_and_waivers() -> None:
    file = read(VALID).file
    assert file is not None
    assert file.policies == {"merge": Policy("merge", (Requirement("*"),))}
    (waiver,) = file.waivers
    assert (waiver.id, waiver.expires, waiver.place) == ("WAIVE-001", date(2027, 1, 31), (8, 3))


def test_every_key_of_a_policy_reaches_the_record() -> None:
    text = changed(
        '    - {pattern: "*", level: ceiling}\n',
        '    - {pattern: "FALSIFY-A-*", level: DISCHARGED}\n'
        "    description: d\n    stale: allow\n    max_age: 2w\n    potency: 0.75\n"
        "    lanes: [cpu, cuda]\n    signers: [ci]\n    blocked: leave-out\n"
        "    environment: {torch: 2.*}\n    ratchet: r.yaml\n",
    )
    file = read(text).file
    assert file is not None
    assert file.policies["merge"] == Policy(
        "merge",
        (Requirement("FALSIFY-A-*", Level.DISCHARGED),),
        stale_allowed=True,
        max_age_s=1_209_600.0,
        potency=0.75,
        lanes=("cpu", "cuda"),
        signers=("ci",),
        blocked_left_out=True,
        environment={"torch": "2.*"},
        ratchet="r.yaml",
        description="d",
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    require:",
            "    requires: []\n    require:",
            [
                (
                    "5:5: PV011 policies.merge.requires is an unknown key; known here: "
                    "blocked, "
                    "description, environment, lanes, max_age, potency, ratchet, require, "
                    "signers, "
                    "stale"
                )
            ],
        ),
        (
            "    require:",
            "    maxage: 3d\n    require:",
            ["5:5: PV011 policies.merge.maxage is an unknown key; did you mean 'max_age'?"],
        ),
        (
            "    require:",
            "    max_age: 30 days\n    require:",
            [
                (
                    "5:14: PV010 policies.merge.max_age is '30 days'; it should be a number of "
                    "minutes, hours, days or weeks such as '30d'"
                )
            ],
        ),
        (
            "    require:",
            "    potency: most\n    require:",
            [
                (
                    "5:14: PV010 policies.merge.potency is 'most'; it should be all, or a "
                    "fraction "
                    "above 0 and at most 1"
                )
            ],
        ),
        (
            "    require:",
            "    potency: 1.5\n    require:",
            [
                (
                    "5:14: PV010 policies.merge.potency is 1.5; it should be all, or a "
                    "fraction "
                    "above 0 and at most 1"
                )
            ],
        ),
        (
            "    require:",
            "    stale: no\n    require:",
            ["5:12: PV010 policies.merge.stale is 'no'; it should be 'deny' or 'allow'"],
        ),
        (
            "level: ceiling",
            "level: HIGH",
            [
                (
                    "6:29: PV010 policies.merge.require[0].level is 'HIGH'; it should be "
                    "'PARTIAL' or 'INTEGRATION' or 'DISCHARGED' or 'ceiling'"
                )
            ],
        ),
        (
            "  merge:",
            "  Merge Gate:",
            [
                (
                    "4:3: PV010 policies has the name 'Merge Gate'; it should be "
                    "lower-case words "
                    "such as 'merge'"
                )
            ],
        ),
        ("  owner: o\n", "", ["8:3: PV012 waivers[0].owner is missing"]),
        (
            "falsifier: FALSIFY-A-001",
            "falsifier: FALSIFY-A-*",
            [
                (
                    "9:14: PV010 waivers[0].falsifier is 'FALSIFY-A-*'; it should be the "
                    "ID of one "
                    "falsifier, without a pattern"
                )
            ],
        ),
        (
            "created: 2026-12-01",
            "created: 1 December",
            [
                (
                    "13:12: PV010 waivers[0].created is '1 December'; it should be a day "
                    "such as "
                    "'2026-12-31'"
                )
            ],
        ),
        (
            "created: 2026-12-01",
            "created: 2026-02-30",
            ["13:12: PV060 WAIVE-001: created is '2026-02-30', which is no day"],
        ),
        (
            "expires: 2027-01-31",
            "expires: 2027-03-02",
            [
                (
                    "14:12: PV061 WAIVE-001: lasts 91 days, until 2027-03-02; the most is 90, "
                    "until 2027-03-01"
                )
            ],
        ),
        (
            "expires: 2027-01-31",
            "expires: 2026-11-30",
            [
                (
                    "14:12: PV061 WAIVE-001: expires 2026-11-30, before it was created "
                    "(2026-12-01)"
                ),
                (
                    "14:12: PV063 WAIVE-001: expired on 2026-11-30; FALSIFY-A-001 is not "
                    "excused "
                    "any more: remove the waiver, or have 'o' decide anew"
                ),
            ],
        ),
        (
            "created: 2026-12-01",
            "created: 2027-01-02",
            ["13:12: PV062 WAIVE-001: created 2027-01-02, which is after today (2027-01-01)"],
        ),
        (
            "falsifier: FALSIFY-A-001",
            "falsifier: FALSIFY-A-003",
            [
                (
                    "9:14: PV065 WAIVE-001: no contract declares FALSIFY-A-003; "
                    "did you mean FALSIFY-A-002?"
                )
            ],
        ),
        (
            "  issue: i",
            "  issue: i\n  policies: [merg]",
            ["13:14: PV066 WAIVE-001: there is no policy 'merg'; did you mean merge?"],
        ),
        (
            'pattern: "*"',
            "pattern: a-v2",
            [
                (
                    "6:17: PV067 merge: 'a-v2' names no falsifier and no contract; "
                    "did you mean a-v1?"
                )
            ],
        ),
        (
            "    require:",
            "    signers: [cii]\n    require:",
            [
                (
                    "5:15: PV068 warning: merge: [tool.pv.keys] has no key for the signer "
                    "'cii'; "
                    "did you mean ci?"
                )
            ],
        ),
        ("kind: policy", "kind: polcy", ["2:7: PV010 kind is 'polcy'; it should be 'policy'"]),
        (
            "pv/v1",
            "pv/v9",
            ["1:13: PV013 apiVersion is 'pv/v9'; this version reads 'pv/v1'"],
        ),
    ],
)
def test_every_problem_has_its_place_and_says_what_should_be(
    old: str, new: str, expected: list[str]
) -> None:
    assert problems_of(changed(old, new)) == expected


def test_two_waivers_for_one_falsifier_are_found_on_one_line_too() -> None:
    entry = (
        "{id: WAIVE-001, falsifier: FALSIFY-A-001, reason: r, owner: o, issue: i, "
        "created: 2026-12-01, expires: 2027-01-31}"
    )
    text = VALID.partition("waivers:")[0] + f"waivers: [{entry}, {entry}]\n"
    assert [p.partition(": ")[2].split(" ", 1) for p in problems_of(text)] == [
        ["PV064", "WAIVE-001: id WAIVE-001 is given twice; first at line 7"],
        ["PV064", "WAIVE-001: falsifier FALSIFY-A-001 is given twice; first at line 7"],
    ]


def test_what_is_wrong_in_one_waiver_does_not_hide_another() -> None:
    second = (
        VALID.partition("waivers:\n")[2].replace("001", "002").replace("2027-01", "2026-12")
    )
    text = VALID.replace("  reason: r\n", "") + second
    found = problems_of(text)
    assert found[0] == "8:3: PV012 waivers[0].reason is missing"
    assert "PV063 WAIVE-002: expired" in found[1]


@pytest.mark.parametrize(
    ("text", "code"), [("", "PV008"), ("- 1\n", "PV009"), ("a: [", "PV004"), ("&x {}", "PV006")]
)
def test_a_file_that_is_no_document_is_a_problem(text: str, code: str) -> None:
    reading = read(text)
    assert reading.file is None
    assert reading.problems[0].code == code


def test_a_warning_does_not_keep_the_other_policies_from_being_read() -> None:
    reading = read(changed("    require:", "    signers: [nobody]\n    require:"))
    assert [p.severity for p in reading.problems] == [Severity.WARNING]
    assert reading.file is not None


def test_a_day_at_the_end_of_the_calendar_is_no_crash() -> None:
    text = changed("created: 2026-12-01", "created: 9999-12-01").replace(
        "expires: 2027-01-31", "expires: 9999-12-31"
    )
    assert [p.code for p in read(text).problems] == ["PV062"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc*-01:{}[]é", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["apiVersion", "kind", "policies", "waivers", "merge", "require", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=VALUES, base=st.sampled_from(["policies", "waivers", "apiVersion", ""]))
def test_any_document_is_read_or_has_an_error_and_never_crashes(value: Any, base: str) -> None:
    whole = json.loads(
        json.dumps(
            {
                "apiVersion": "pv/v1",
                "kind": "policy",
                "policies": {"merge": {"require": [{"pattern": "*", "level": "ceiling"}]}},
            }
        )
    )
    document = {**whole, base: value} if base else value
    reading = read(json.dumps(document))
    errors = [p for p in reading.problems if p.severity is Severity.ERROR]
    assert (reading.file is None) is bool(errors)


@given(
    created=st.dates(date(2026, 1, 1), date(2027, 6, 1)),
    days=st.integers(-5, 120),
    today=st.dates(date(2026, 1, 1), date(2027, 12, 1)),
)
def test_a_waiver_is_read_exactly_if_it_holds_today_and_for_at_most_90_days(
    created: date, days: int, today: date
) -> None:
    expires = date.fromordinal(created.toordinal() + days)
    text = VALID.replace("2026-12-01", str(created)).replace("2027-01-31", str(expires))
    reading = read(text, Surroundings(KNOWN, ("ci",), today))
    sound = created <= today <= expires and 0 <= days <= MAX_WAIVER_DAYS
    assert (reading.file is not None) is sound
    if reading.file is not None:
        assert reading.file.waivers[0].holds(today)


def objects_of(schema: Any) -> list[dict[str, Any]]:
    inner = schema.values() if isinstance(schema, dict) else schema
    nested = [item for item in inner if isinstance(item, (dict, list))]
    found = [item for child in nested for item in objects_of(child)]
    return [schema, *found] if isinstance(schema, dict) and "properties" in schema else found


@pytest.mark.parametrize("name", OWN)
def test_each_schema_is_closed_and_explains_every_key(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft7Validator.check_schema(schema)
    assert schema["$id"] == f"https://pv.invalid/schema/{name}.json"
    assert schema["title"]
    for item in objects_of(schema):
        if "properties" not in item or "type" not in item:
            continue
        assert item["additionalProperties"] is False
        for key, rule in item["properties"].items():
            ref = rule.get("$ref", "").rpartition("/")[2]
            target = schema["definitions"][ref] if ref else {}
            assert {**target, **rule}.get("description"), key

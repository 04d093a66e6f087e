from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft7Validator

from pv_harness.contracts.contract import Comparator, Level
from pv_harness.documents.loading import load
from pv_harness.documents.problem import MAX_PROBLEMS
from pv_harness.documents.schema_check import API_VERSION, check_schema, read_schema


VALID = """\
apiVersion: pv/v1
id: sums
version: 1.0.0
metadata: {title: Sums}
falsifiers:
- id: SUM-001
  rule: r
  prediction: p
  if_fails: f
  covers: [subject.core]
  bounds: {wrong: {eq: 0}}
  levels: {PARTIAL: {}}
  defects: []
"""


def problems_of(text: str) -> list[str]:
    document = load(text.encode(), "sums.yaml")
    assert document.problems == ()
    problems, _ = check_schema(document)
    return [str(problem).removeprefix("sums.yaml:") for problem in problems]


def changed(old: str, new: str) -> str:
    assert VALID.count(old) == 1
    return VALID.replace(old, new)


def objects_of(schema: Any) -> list[dict[str, Any]]:
    """All mappings of a schema that describe an object."""
    inner = schema.values() if isinstance(schema, dict) else schema
    nested = [item for item in inner if isinstance(item, (dict, list))]
    found = [item for child in nested for item in objects_of(child)]
    return [schema, *found] if isinstance(schema, dict) and "properties" in schema else found


def test_a_valid_contract_has_no_problem() -> None:
    assert problems_of(VALID) == []


def test_the_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(read_schema())


def test_every_object_is_closed_and_every_property_explained() -> None:
    schema = read_schema()
    objects = objects_of(schema)
    assert len(objects) == 10
    for item in objects:
        assert item["additionalProperties"] is False
        for name, rule in item["properties"].items():
            target = (
                schema["definitions"][rule["$ref"].split("/")[-1]] if "$ref" in rule else {}
            )
            assert {**target, **rule}.get("description"), name


def test_the_schema_names_what_the_code_names() -> None:
    schema = read_schema()
    definitions = schema["definitions"]
    assert schema["properties"]["apiVersion"]["const"] == API_VERSION
    levels = definitions["falsifier"]["properties"]["levels"]["properties"]
    assert list(levels) == [level.value for level in Level]
    comparators = [item["required"][0] for item in definitions["bound"]["anyOf"]]
    assert comparators == [comparator.value for comparator in Comparator]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "rule: r",
            "rulle: r",
            ["7:3: PV011 SUM-001: rulle is an unknown key; did you mean 'rule'?"],
        ),
        (
            "{title: Sums}",
            "{title: Sums, colour: red}",
            [
                (
                    "4:25: PV011 metadata.colour is an unknown key; "
                    "known here: changelog, depends_on, description, references, title"
                )
            ],
        ),
        ("  rule: r\n", "", ["6:3: PV012 SUM-001: rule is missing"]),
        (
            "apiVersion: pv/v1\n",
            "",
            ["1:1: PV012 apiVersion is missing; write `apiVersion: pv/v1`"],
        ),
        ("{title: Sums}", "{}", ["4:11: PV012 metadata.title is missing"]),
        ("id: SUM-001\n  rule", "rule", ["6:3: PV012 falsifiers[0]: id is missing"]),
        (
            "{eq: 0}",
            "{unit: nats}",
            [
                (
                    "11:12: PV012 SUM-001: bounds.wrong has no comparator; "
                    "it should have one or more of eq, ne, lt, le, gt or ge"
                )
            ],
        ),
        (
            "id: SUM-001",
            "id: SUM-1",
            [
                (
                    "6:7: PV010 SUM-1: id is 'SUM-1'; it should be words in capitals and "
                    "three digits, such as 'FALSIFY-MY-TRAINER-001'"
                )
            ],
        ),
        (
            "{eq: 0}",
            "{lt: low}",
            ["11:24: PV010 SUM-001: bounds.wrong.lt is 'low'; it should be a number"],
        ),
        (
            "{eq: 0}",
            "{eq: null}",
            [
                (
                    "11:24: PV010 SUM-001: bounds.wrong.eq is null; "
                    "it should be a number or text or true or false"
                )
            ],
        ),
        (
            "{wrong: {eq: 0}}",
            "{}",
            ["11:11: PV010 SUM-001: bounds is a mapping of 0; it should be one with an entry"],
        ),
        (
            "{wrong: {eq: 0}}",
            "{wrong-sums: {eq: 0}}",
            [
                (
                    "11:12: PV010 SUM-001: bounds has the name 'wrong-sums'; it should "
                    "be a letter, then letters, digits, _ or . such as 'val_loss'"
                )
            ],
        ),
        (
            "{PARTIAL: {}}",
            "{PARTIAL: {device: tpu}}",
            [
                (
                    "12:30: PV010 SUM-001: levels.PARTIAL.device is 'tpu'; "
                    "it should be 'cpu' or 'cuda'"
                )
            ],
        ),
        (
            "  covers:",
            "  timeout_s: 0\n  covers:",
            ["10:14: PV010 SUM-001: timeout_s is 0; it should be more than 0"],
        ),
        (
            "[subject.core]",
            "[subject.core, subject.core]",
            [
                (
                    "10:11: PV010 SUM-001: covers is a list of 2; "
                    "it should be a list without repetition"
                )
            ],
        ),
        (
            "apiVersion: pv/v1",
            "apiVersion: 1",
            ["1:13: PV013 apiVersion is 1; this version reads 'pv/v1'"],
        ),
        (
            "  rule: r",
            "  verdict: pass\n  rule: r",
            [
                (
                    "7:3: PV023 SUM-001: verdict types a status by hand; "
                    "statuses are derived, remove the key"
                )
            ],
        ),
        (
            "{title: Sums}",
            "{title: Sums, Status: DONE}",
            [
                (
                    "4:25: PV023 metadata.Status types a status by hand; "
                    "statuses are derived, remove the key"
                )
            ],
        ),
    ],
)
def test_a_mistake_has_one_problem_at_its_place(
    old: str, new: str, expected: list[str]
) -> None:
    assert problems_of(changed(old, new)) == expected


def test_all_mistakes_of_a_file_are_reported_in_order() -> None:
    text = changed("rule: r", "rulle: r").replace("Sums}", "Sums, x: 1}").replace("eq: 0", "")
    codes = [problem.split()[1] for problem in problems_of(text)]
    assert codes == ["PV011", "PV011", "PV012"]


def test_a_falsifier_that_is_no_mapping_is_called_by_its_number() -> None:
    assert problems_of(VALID + "- 5\n") == [
        "14:3: PV010 falsifiers[1] is 5; it should be a mapping"
    ]


def test_the_broken_falsifiers_are_named_and_only_those() -> None:
    second = VALID[VALID.index("- id") :].replace("001", "002").replace("rule: r", "rule: 1")
    document = load((VALID + second).replace("title: Sums", "titel: Sums").encode(), "x")
    _, broken = check_schema(document)
    assert broken == {1}


@pytest.mark.parametrize(
    ("version", "shown"), [("1.10", "1.10, which YAML reads as 1.1"), ("1.1", "1.1")]
)
def test_a_number_is_told_as_it_is_written(version: str, shown: str) -> None:
    (problem,) = problems_of(changed("version: 1.0.0", f"version: {version}"))
    assert problem.startswith(
        f"3:10: PV010 version is {shown}; it should be three numbers such"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  rule: r", "  rule: 12", "SUM-001: rule is 12; it should be text, in quotes"),
        (
            "  rule: r",
            "  rule: 1.50",
            "rule is 1.50, which YAML reads as 1.5; it should be text",
        ),
        ("  rule: r", "  rule: true", "SUM-001: rule is true; it should be text, in quotes"),
        ("  rule: r", '  rule: ""', "rule is ''; it should be a text that says something"),
        (
            "{wrong: {eq: 0}}",
            "{wrong: 1.0e-6}",
            "bounds.wrong is 1.0e-6; it should be a mapping ",
        ),
        ("{wrong: {eq: 0}}", "{wrong: {lte: 0}}", "lte is an unknown key; did you mean 'le'?"),
        ("{wrong: {eq: 0}}", '{wrong: {">=": 0}}', "did you mean 'ge'?"),
        ("{wrong: {eq: 0}}", "{wrong: {min: 0}}", "did you mean 'ge'?"),
        (
            "PARTIAL: {}",
            "PARTIAL: null",
            "PARTIAL is null; it should be a mapping of conditions, {}",
        ),
    ],
)
def test_what_is_often_meant_is_told_and_one_mistake_is_one_problem(
    old: str, new: str, told: str
) -> None:
    (problem,) = problems_of(changed(old, new))
    assert told in problem


def test_a_text_in_place_of_a_list_is_told_as_one() -> None:
    covers = next(line for line in VALID.splitlines() if "covers:" in line)
    (problem,) = problems_of(changed(covers, "  covers: sums.core"))
    assert problem.endswith("covers is 'sums.core'; it should be a list, [sums.core]")


def test_a_name_of_the_right_form_is_told_to_be_too_long() -> None:
    (problem,) = problems_of(changed("id: SUM-001", f"id: {'X' * 300}-001"))
    assert problem.endswith("; it should be at most 200 characters")


def test_a_name_that_ends_in_a_newline_is_no_name() -> None:
    (problem,) = problems_of(changed("id: sums", 'id: "sums\\n"'))
    assert "id is 'sums\\n'; it should be lower-case words" in problem


def test_text_of_the_contract_never_reaches_a_terminal_raw() -> None:
    hostile = "\\e[31m\\nx.yaml:1:1: PV999 forged"
    text = changed("rule: r", f'"{hostile}": r').replace("id: SUM-001", f'id: "{hostile}"')
    found = problems_of(text)
    assert len(found) == 3
    assert all(problem.isprintable() for problem in found)


def test_many_unknown_keys_are_reported_without_guessing() -> None:
    extra = "\n".join(f"metadatum{n}: 1" for n in range(30))
    found = problems_of(f"{VALID}{extra}\n")
    assert len(found) == 30
    assert all("known here" in problem for problem in found)


def test_a_long_list_of_mappings_where_texts_belong_is_judged_in_time() -> None:
    # The library's own uniqueItems compares each pair: 10 minutes for this file.
    many = ", ".join(f"{{a: {n}}}" for n in range(20_000))
    document = load(changed("[subject.core]", f"[{many}]").encode(), "x")
    problems, broken = check_schema(document)
    assert len(problems) == MAX_PROBLEMS + 1
    assert broken == {0}


def test_behind_the_limit_of_problems_nothing_counts_as_sound() -> None:
    entry = VALID.partition("falsifiers:\n")[2].partition("- ")[2]
    many = "- {}\n" * MAX_PROBLEMS
    document = load(f"{VALID}{many}- {entry}".encode(), "x")
    problems, broken = check_schema(document)
    assert len(problems) > MAX_PROBLEMS
    assert broken == set(range(MAX_PROBLEMS + 2))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "falsifiers", "metadata", "levels", "bounds", "PARTIAL", "eq", "x"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=15,
    )
)
def test_no_shape_of_data_raises(value: object) -> None:
    text = json.dumps({"apiVersion": "pv/v1", "falsifiers": [value], "metadata": value})
    text = text.replace("NaN", ".nan").replace("Infinity", ".inf")
    document = load(text.encode(), "x.yaml")
    problems, _ = check_schema(document)
    assert problems

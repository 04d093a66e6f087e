from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, strategies as st

from pv_harness.documents.document import Document
from pv_harness.documents.loading import MAX_DEPTH, load, load_file


if TYPE_CHECKING:
    from pathlib import Path

PRINTABLE = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"),
        exclude_characters="\u2028\u2029\ufeff\ufffe\uffff",
    ).filter(lambda character: ord(character) & 0xFFFE != 0xFFFE),
    max_size=20,
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test with both parsers, as wheels without libyaml have only the slow one."""
    if request.param == "pure":
        monkeypatch.delattr(yaml, "CSafeLoader")
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")
    return str(request.param)


def value_of(text: str) -> Any:
    document = load(text.encode(), "x.yaml")
    assert document.problems == ()
    return document.value


def codes_of(data: bytes | str) -> list[str]:
    document = load(data.encode() if isinstance(data, str) else data, "x.yaml")
    return [problem.code for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("+3", 3),
        ("-0x1f", "-0x1f"),
        ("0x1f", 31),
        ("0o17", 15),
        ("010", 10),
        ("1:30", "1:30"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("2024-01-31", "2024-01-31"),
        ("1.0.0", "1.0.0"),
        ("2_000_000", "2_000_000"),
        ("~", None),
        ("null", None),
        ("", None),
        ("-", [None]),
        ("+.inf", math.inf),
        ("-.INF", -math.inf),
        ("e5", "e5"),
        (".", "."),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1٢", "1٢"),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = value_of(f"a: {text}" if text != "-" else "a:\n-")["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(value_of("a: .nan")["a"])


@given(st.floats(allow_nan=False))
def test_every_float_is_read_back(number: float) -> None:
    text = repr(number).replace("inf", ".inf")
    assert value_of(f"a: {text}")["a"] == number


@given(JSON_VALUES)
def test_json_is_read_as_json(value: object) -> None:
    text = json.dumps({"value": value}, ensure_ascii=False)
    assert value_of(text) == {"value": value}


@given(st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@, \n\t<0.", max_size=60))
def test_no_input_raises_and_unreadable_input_says_why(data: bytes | str) -> None:
    document = load(data if isinstance(data, bytes) else data.encode(), "x.yaml")
    assert document.readable or document.problems
    for problem in document.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert str(problem).isprintable()


def test_keys_are_text_whatever_they_look_like() -> None:
    nines = "9" * 100
    text = f"1: a\ntrue: b\n~: c\n{nines}: d"
    assert value_of(text) == {"1": "a", "true": "b", "~": "c", nines: "d"}


@pytest.mark.usefixtures("parser")
def test_positions_are_those_of_an_editor() -> None:
    document = load(b"a: 1\r\nb:\r\n- c: [10, x]\r\n\xc3\xa9:   2\r\n", "x.yaml")
    assert document.position([]) == (1, 1)
    assert document.position(["b", 0, "c", 1]) == (3, 11)
    assert document.key_position(["b", 0, "c"]) == (3, 3)
    assert document.position(["é"]) == (4, 6)
    assert document.key_position(["é"]) == (4, 1)


def test_what_is_not_there_has_the_position_of_what_would_hold_it() -> None:
    document = load(b"a:\n  b: {c: 1}\n", "x.yaml")
    assert document.position(["a", "b", "missing"]) == (2, 6)
    assert document.key_position(["a", "b", "missing", "deeper"]) == (2, 6)
    assert document.key_position(["a", "b", "missing"]) == (2, 6)
    assert document.key_position([]) == (1, 1)


def test_an_item_of_a_list_has_its_own_position_as_key_position() -> None:
    assert load(b"a: [1, 22]", "x.yaml").key_position(["a", 1]) == (1, 8)


@pytest.mark.usefixtures("parser")
def test_a_key_given_twice_keeps_its_first_value_and_is_reported() -> None:
    document = load(b"a: 1\nb: 2\n'a': {c: 3, c: 4}\n", "x.yaml")
    assert document.value == {"a": 1, "b": 2}
    assert [str(problem) for problem in document.problems] == [
        "x.yaml:3:1: PV005 the key 'a' is given twice; first at line 1",
        "x.yaml:3:13: PV005 the key 'c' is given twice; first at line 3",
    ]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("a: &x 1", ["PV006"]),
        ("a: &x [1]\nb: *x", ["PV006", "PV006"]),
        ("a: !!str 1", ["PV006"]),
        ("a: !local {b: 1}", ["PV006"]),
        ("a: !!python/object:os.system x", ["PV006"]),
        ("<<: {a: 1}", ["PV006"]),
        ("a: &x {b: 1}\nc:\n  <<: *x", ["PV006", "PV006", "PV006"]),
        ("? [a, b]\n: c", ["PV006"]),
        ("? *x\n: c", ["PV006"]),
        ("? &x a\n: c", ["PV006"]),
        ("%YAML 1.1\n---\na: 1", ["PV006"]),
        ("%TAG ! tag:x,2000:\n---\na: 1", ["PV006"]),
        ("a: " + "9" * 65, ["PV002"]),
        ("9" * 5000 + ": a", ["PV004"]),
        (f"a: 0x{'f' * 63}", ["PV002"]),
        ("a: 1\n---\nb: 2", ["PV007"]),
        ("a: 1\n...\n---\n", ["PV007"]),
        ("", ["PV008"]),
        ("# nothing\n", ["PV008"]),
        ("a: [1, 2", ["PV004"]),
        ("a: b: c", ["PV004"]),
        ("a:\n\t- b", ["PV004"]),
        ("a: '", ["PV004"]),
        ("a: @b", ["PV004"]),
        ("%", ["PV004"]),
        ("a: \0b", ["PV003"]),
        ("a: \x85b", ["PV003"]),
        ("a: b\ufeff", ["PV003"]),
    ],
)
def test_what_is_no_plain_yaml_is_a_problem(text: str, codes: list[str]) -> None:
    assert codes_of(text) == codes


def test_an_error_of_the_parser_without_a_place_is_a_problem_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failing:
        def __init__(self, _text: str) -> None: ...

        def get_event(self) -> object:
            raise yaml.YAMLError("no place")

    monkeypatch.setattr(yaml, "CSafeLoader", Failing, raising=False)
    (problem,) = load(b"a: 1", "x.yaml").problems
    assert str(problem) == "x.yaml:1:1: PV004 not YAML: no place"


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("1.10", "1.10"),
        ("-1.50", "-1.50"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1e-6", "1e-6"),
        ("1.1", None),
        ("10", None),
        ("'1.10'", None),
        ("1.10.0", None),
        ("true", None),
        ("[1.10]", None),
        ("{a: 1.10}", None),
    ],
)
def test_a_number_is_known_as_it_is_written_where_python_writes_it_otherwise(
    written: str, spelled: str | None
) -> None:
    document = load(f"{{version: {written}}}\n".encode(), "x.yaml")
    assert document.spelled(["version"]) == spelled
    assert document.spelled(["version", "a", 0]) is None
    assert document.spelled([]) is None


def test_a_quoted_merge_key_is_a_word() -> None:
    assert value_of("'<<': 1") == {"<<": 1}


@pytest.mark.usefixtures("parser")
def test_half_a_surrogate_pair_never_gets_through() -> None:
    assert codes_of('a: "\\ud800"') in (["PV003"], ["PV004"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbfa: 1", "begins with a byte order mark"),
        ("a: 1".encode("utf-16"), "is UTF-16"),
        ("a: 1".encode("utf-16-be"), "U\\+0000"),
        (b"a: 1\nb: \xff", "byte 0xff is not UTF-8"),
    ],
)
def test_other_encodings_are_refused(data: bytes, message: str) -> None:
    (problem,) = load(data, "x.yaml").problems
    assert problem.code == "PV003"
    assert message.replace("\\", "") in problem.message


def test_the_place_of_a_wrong_byte_is_given_in_characters() -> None:
    (problem,) = load("a: é\nb: é".encode() + b"\xff", "x.yaml").problems
    assert (problem.line, problem.column) == (2, 5)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_before_any_stack_overflows(opening: str) -> None:
    assert codes_of(opening * 25_000) == ["PV002"]


@pytest.mark.usefixtures("parser")
def test_the_limit_of_nesting_is_exact() -> None:
    assert codes_of("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert codes_of("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == ["PV002"]


def test_a_bomb_of_aliases_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    assert codes_of("\n".join(lines)) == ["PV002"]


def test_the_limit_of_size_is_exact(tmp_path: Path) -> None:
    data = b"a: 1\n" + b"#" * 95
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    for document in (load(data, "x", 100), load_file(file, "x", 100)):
        assert document.problems == ()
    for document in (load(data, "x", 99), load_file(file, "x", 99)):
        assert not document.readable
        assert str(document.problems[0]) == (
            "x:1:1: PV002 the file is larger than 99 bytes, the most that is read"
        )


def reason_for(path: Path) -> str:
    document = load_file(path, "x.yaml")
    assert not document.readable
    (problem,) = document.problems
    assert problem.code == "PV001"
    return problem.message


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    assert reason_for(tmp_path / "x.yaml") == (
        "the file can't be read: is a named pipe, it should be a regular file"
    )


def test_a_folder_a_device_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert "is a directory" in reason_for(tmp_path)
    assert "no such file" in reason_for(tmp_path / "missing.yaml")
    (tmp_path / "link.yaml").symlink_to("/dev/zero")
    assert "is a character device" in reason_for(tmp_path / "link.yaml")
    assert "not a file name" in reason_for(tmp_path / "nul\0.yaml")


def test_a_readable_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 1\n")
    document = load_file(tmp_path / "x.yaml", "x.yaml")
    assert isinstance(document, Document)
    assert (document.value, document.problems) == ({"a": 1}, ())

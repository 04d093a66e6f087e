"""Whichever way is taken to a report, it is the same report."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.harness.validating.conftest import EXAMPLE

from pv_harness.board.problems import render_json_problems
from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents import plain_yaml, schema_check
from pv_harness.documents.accelerators import find_accelerator
from pv_harness.documents.contract_check import is_surely_valid
from pv_harness.documents.loading import load
from pv_harness.documents.schema_check import schema_problems
from pv_harness.validating import forked_reading, plain_files
from pv_harness.validating.forked_reading import read_by
from pv_harness.validating.plain_files import PlainFile, read_plain_files
from pv_harness.validating.report import Report, render_report
from pv_harness.validating.validation import validate


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.project import Project
    from pv_harness.validating.plain_files import PlainReading
    from pv_harness.validating.rules.world import World

HERE = Path(__file__).parent
FIXTURES = sorted([*HERE.glob("bad/*.yaml"), *HERE.glob("good/*.yaml")])


@pytest.fixture(params=["fast", "PyYAML", "stand-ins"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PlainReading:
    """The reader of plain files, with and without the fast package, and with strict parts."""
    if request.param == "stand-ins":
        stand_in(monkeypatch)
    elif request.param == "PyYAML":
        monkeypatch.setattr(plain_yaml, "find_accelerator", lambda _name: None)
    elif find_accelerator("yaml_rs") is None:
        pytest.skip("yaml-rs, of the extra `fast`, is not installed")
    return read_plain_files


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the strict loader and jsonschema do what the fast parts do."""

    def load_strictly(data: bytes) -> Any:
        document = load(data, "x.yaml")
        is_plain = not document.problems and isinstance(document.value, dict)
        return document.value if is_plain else None

    def is_valid(value: object) -> bool:
        document = load(json.dumps(value).encode(), "x.yaml")
        return not schema_problems(document, "contract-v1")[0]

    monkeypatch.setattr(plain_files, "load_plain", load_strictly)
    monkeypatch.setattr(plain_files, "is_surely_valid", is_valid)
    monkeypatch.setattr(schema_check, "is_surely_valid", lambda _value: False)


def both(project: Project, reading: PlainReading) -> tuple[Report, Report]:
    paths = [str(project.root / "contracts")]
    return validate(paths, project), validate(paths, project, read_plain=reading)


def assert_equal(explained: Report, fast: Report) -> None:
    assert render_report(fast, 0) == render_report(explained, 0)
    assert render_json_problems(fast, 0) == render_json_problems(explained, 0)
    assert (fast.exit_code, fast.paths) == (explained.exit_code, explained.paths)
    assert fast.planted == explained.planted


def copy_of(text: str, number: int) -> str:
    """The example's contract under names of its own."""
    return text.replace("id: base\n", f"id: copy-{number}\n").replace("BASE-", f"COPY{number}-")


def test_a_faultless_file_is_read_fast(project: Project, reading: PlainReading) -> None:
    explained, fast = both(project, reading)
    assert_equal(explained, fast)
    assert (len(fast.plain), len(fast.falsifiers)) == (1, 0)


@pytest.mark.parametrize(
    "fixture", FIXTURES, ids=[f"{f.parent.name}/{f.name}" for f in FIXTURES]
)
def test_every_fixture_gets_the_same_report(
    fixture: Path, project: Project, reading: PlainReading
) -> None:
    shutil.copy(fixture, project.root / "contracts" / fixture.name)
    assert_equal(*both(project, reading))


def test_a_claim_without_a_check_is_told_at_its_place(
    project: Project, reading: PlainReading
) -> None:
    (project.root / "checks/sums.py").unlink()
    explained, fast = both(project, reading)
    assert [problem.code for problem in fast.problems] == ["PV032"]
    assert_equal(explained, fast)
    assert len(fast.plain) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- id: BASE-001\n", "- rule: one\n  id: BASE-001 # the first\n"),
        ("- id: BASE-001\n", '- id: "BASE-001"\n'),
        ("- id: BASE-001\n", "- id: 'BASE-001'\n"),
        ("- id: BASE-001\n", '- id: "BASE\\x2d001"\n'),
        ("- id: BASE-001\n", "- id:   BASE-001\n"),
        ("- id: BASE-001\n", "- # BASE-001\n  id: BASE-001\n"),
        ("- id: BASE-001\n", "-   id: BASE-001\n"),
    ],
)
def test_an_unbound_claim_has_its_place_however_its_id_is_written(
    project: Project, reading: PlainReading, old: str, new: str
) -> None:
    (project.root / "checks/sums.py").unlink()
    file = project.root / "contracts/base.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    assert_equal(*both(project, reading))


COLLISIONS = {
    "one falsifier ID in two files": ("COPY1-001", "BASE-001"),
    "one contract ID in two files": ("id: copy-1\n", "id: base\n"),
    "a dependency that is there": ("metadata:\n", "metadata:\n  depends_on: [base]\n"),
    "a dependency that is nowhere": ("metadata:\n", "metadata:\n  depends_on: [nobody]\n"),
    "a dependency on itself": ("metadata:\n", "metadata:\n  depends_on: [copy-1]\n"),
    "an ID that is not the file's name": ("id: copy-1\n", "id: other\n"),
}


@pytest.mark.parametrize(("old", "new"), COLLISIONS.values(), ids=COLLISIONS)
@pytest.mark.parametrize("name", ["copy-1", "aaa"])
def test_names_that_collide_are_told_as_ever(
    project: Project, reading: PlainReading, old: str, new: str, name: str
) -> None:
    text = copy_of((project.root / "contracts/base.yaml").read_text(), 1)
    if old == "metadata:\n":
        text = text.replace("metadata: {", "metadata:\n  {").replace(
            "metadata:\n  {title: ", "metadata:\n  title: "
        )
        text = text.replace("}\nfalsifiers", "\nfalsifiers")
    (project.root / f"contracts/{name}.yaml").write_text(text.replace(old, new))
    assert_equal(*both(project, reading))


def test_a_foreign_file_may_know_a_native_name(project: Project, reading: PlainReading) -> None:
    text = (
        "metadata:\n  version: 1.0.0\nfalsification_tests:\n- id: BASE-001\n  prediction: p\n"
    )
    (project.root / "contracts/strange.yaml").write_text(text)
    explained, fast = both(project, reading)
    assert explained.foreign == 1
    assert_equal(explained, fast)


def test_files_that_are_not_judged_count_by_their_names(
    project: Project, reading: PlainReading
) -> None:
    text = copy_of((project.root / "contracts/base.yaml").read_text(), 1)
    (project.root / "contracts/copy-1.yaml").write_text(text.replace("COPY1-001", "BASE-001"))
    for name in ("base", "copy-1"):
        paths = [str(project.root / f"contracts/{name}.yaml")]
        assert_equal(validate(paths, project), validate(paths, project, read_plain=reading))


@pytest.mark.parametrize("bound", [b"qe: 0", b"equal: 0", b""])
def test_a_file_that_changes_while_it_is_read_is_not_judged_by_what_was_there(
    project: Project, reading: PlainReading, monkeypatch: pytest.MonkeyPatch, bound: bytes
) -> None:
    file = project.root / "contracts/base.yaml"
    before = file.read_bytes()
    after = before.replace(b"eq: 0", bound)
    read = os.read
    written: list[Path] = []

    def overwrite(descriptor: int, count: int) -> bytes:
        block = read(descriptor, count)
        if block == before and not written:
            written.append(file)
            file.write_bytes(after)
            os.utime(file, ns=(1, 1))  # two writes of one tick of the clock have one time
        return block

    monkeypatch.setattr(os, "read", overwrite)
    fast = validate([str(file)], project, read_plain=reading)
    assert written
    assert_equal(validate([str(file)], project), fast)
    assert fast.problems


LINES = st.integers(0, 60)
CHANGES = st.sampled_from(
    [
        "",
        "  counted: false",
        "- id: BASE-001",
        "  x: 1",
        "    eq: .nan",
        "  timeout_s: .inf",
        "  covers: [nowhere]",
        "    PARTIAL: {}",
        "  defects: []",
        "  bounds: {}",
        "kind: policy",
        "  inputs: [unknown]",
        "    find: nothing",
        "id: other",
        "apiVersion: pv/v2",
        "  1: 2",
        "  seeds: {values: [1, 2, 3], rule: bound}",
        "  timeout_s: 1_0",
        "  timeout_s: 10",
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(LINES, CHANGES, st.booleans()), min_size=1, max_size=3))
def test_changed_lines_get_the_same_report(
    project: Project, reading: PlainReading, changes: Sequence[tuple[int, str, bool]]
) -> None:
    lines = (EXAMPLE / "contracts/base.yaml").read_text().splitlines()
    for at, line, replaces in changes:
        at = min(at, len(lines))  # noqa: PLW2901
        lines[at : at + replaces] = [line] if line else []
    (project.root / "contracts/base.yaml").write_text("\n".join(lines) + "\n")
    assert_equal(*both(project, reading))


def test_claims_that_differ_in_their_words_alone_are_judged_once(
    project: Project, reading: PlainReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (project.root / "contracts/base.yaml").read_text()
    for number in range(5):
        (project.root / f"contracts/copy-{number}.yaml").write_text(copy_of(text, number))
    read: list[object] = []

    def count(entry: dict[str, Any]) -> Falsifier:
        read.append(entry)
        return read_falsifier(entry)

    monkeypatch.setattr(plain_files, "read_falsifier", count)
    explained, fast = both(project, reading)
    assert_equal(explained, fast)
    assert (len(fast.plain), len(read)) == (6, 1)


@pytest.fixture
def many(project: Project) -> Project:
    text = (project.root / "contracts/base.yaml").read_text()
    for number in range(30):
        (project.root / f"contracts/copy-{number}.yaml").write_text(copy_of(text, number))
    (project.root / "contracts/copy-7.yaml").write_text(
        copy_of(text, 7).replace("rule:", "ruel:")
    )
    return project


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_several_processes_find_what_one_does(
    many: Project, reading: PlainReading, processes: int
) -> None:
    assert reading is read_plain_files
    explained, fast = both(many, read_by(processes, least=2))
    assert_equal(explained, fast)
    assert len(fast.plain) == 30


def die(*_: object) -> dict[str, PlainFile]:
    os._exit(7)


def fail(*_: object) -> dict[str, PlainFile]:
    raise MemoryError


@pytest.mark.parametrize("end", [die, fail])
@pytest.mark.usefixtures("reading")
def test_what_a_process_that_dies_had_to_read_is_read_by_another(
    many: Project, monkeypatch: pytest.MonkeyPatch, end: Any
) -> None:
    ours = os.getpid()

    def read(files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
        return read_plain_files(files, world) if os.getpid() == ours else end()

    monkeypatch.setattr(forked_reading, "read_plain_files", read)
    explained, fast = both(many, read_by(2, least=2))
    assert_equal(explained, fast)
    assert len(fast.plain) == 30


@pytest.mark.usefixtures("reading")
def test_a_machine_that_allows_no_second_process_is_enough(
    many: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise OSError(11, "no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    assert_equal(*both(many, read_by(2, least=2)))


def mappings(value: Any) -> Iterator[dict[Any, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from mappings(child)


def test_a_key_that_is_no_text_is_noticed_in_every_mapping() -> None:
    data = (HERE.parents[2] / "contracts/apr-pretrain-init-finetune-v1.yaml").read_bytes()
    count = sum(1 for _ in mappings(load(data, "x.yaml").value))
    assert count > 20
    for number in range(count):
        value = load(data, "x.yaml").value
        assert is_surely_valid(value)
        list(mappings(value))[number][1] = "one"
        assert not is_surely_valid(value)

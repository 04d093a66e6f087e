from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.bindings import Check, find_checks, read_checks
from pv_harness.errors import ContractError, UsageError
from pv_harness.project import Project, load_project


EXAMPLE = Path(__file__).parents[1] / "validating" / "project"
PYTEST = "import pytest\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    return load_project(tmp_path)


def bound_in(source: str) -> list[tuple[str, str]]:
    """ID and node id of every check in a source without problems."""
    bindings = read_checks(textwrap.dedent(source).encode(), "checks/a.py")
    assert bindings.problems == ()
    return [(check.falsifier_id, check.node_id) for check in bindings.checks]


def problems_in(source: str) -> list[str]:
    bindings = read_checks(textwrap.dedent(source).encode(), "a.py")
    return [str(problem) for problem in bindings.problems]


def test_a_marked_function_is_a_check(project: Project) -> None:
    assert find_checks(project) == (
        Check(
            falsifier_id="BASE-001",
            path="checks/sums.py",
            line=7,
            qualname="test_a_sum_is_wrong",
            node_id="checks/sums.py::test_a_sum_is_wrong",
        ),
    )


def test_functions_methods_and_coroutines_can_be_marked() -> None:
    source = """
        import pytest
        from pytest import mark

        @pytest.mark.slow
        @pytest.mark.falsifies("A-001")
        @pytest.mark.parametrize("n", [1, 2])
        def test_plain(n): ...

        @mark.falsifies("A-002")
        async def test_coroutine(): ...

        class TestGroup:
            @pytest.mark.falsifies("A-003")
            def test_method(self): ...

            class TestInner:
                @pytest.mark.falsifies("A-004")
                def test_deep(self): ...

        if True:
            @pytest.mark.falsifies("A-005")
            def test_branch(): ...

        try:
            import torch
        except ImportError:
            pass
        else:
            with open("x"):
                @pytest.mark.falsifies("A-006")
                def test_nested(): ...

        def test_unmarked(): ...
        """
    assert bound_in(source) == [
        ("A-001", "checks/a.py::test_plain"),
        ("A-002", "checks/a.py::test_coroutine"),
        ("A-003", "checks/a.py::TestGroup::test_method"),
        ("A-004", "checks/a.py::TestGroup::TestInner::test_deep"),
        ("A-005", "checks/a.py::test_branch"),
        ("A-006", "checks/a.py::test_nested"),
    ]


def test_one_claim_can_have_several_checks() -> None:
    source = """
        import pytest
        @pytest.mark.falsifies("A-001")
        @pytest.mark.falsifies("A-001")
        def test_x(): ...
        @pytest.mark.falsifies("A-001")
        def test_y(): ...
        """
    assert bound_in(source) == [
        ("A-001", "checks/a.py::test_x"),
        ("A-001", "checks/a.py::test_y"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.falsifies("A-001")\n@pytest.mark.falsifies("A-002")\ndef {}',
        'pytestmark = pytest.mark.falsifies("A-001")\n@pytest.mark.falsifies("A-002")\ndef {}',
        (
            '@pytest.mark.falsifies("A-001")\nclass TestA:\n'
            '    pytestmark = pytest.mark.falsifies("A-002")\n    def {}'
        ),
    ],
)
def test_a_check_bound_to_two_claims_is_refused(source: str) -> None:
    (problem,) = problems_in(PYTEST + source.format("test_x(): ..."))
    assert ": PV037 " in problem
    assert problem.endswith(
        "test_x is bound to 'A-001' and 'A-002'; one check judges one claim; "
        "write one test for each"
    )


@pytest.mark.parametrize("markers", [(True, True), (True, False), (False, True)])
def test_a_check_that_a_later_definition_hides_is_refused(markers: tuple[bool, bool]) -> None:
    first, second = ('@pytest.mark.falsifies("A-001")\n' if m else "\n" for m in markers)
    source = f"{PYTEST}{first}def test_x(): ...\n{second}def test_x(): ...\n"
    assert problems_in(source) == [
        (
            "a.py:5:5: PV038 test_x is defined on line 3 and again on line 5; "
            "Python keeps the last one alone; give each a name of its own"
        )
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (
            "class TestA:\n    {0}\n    def test_x(self): ...\n    def test_x(self): ...",
            "TestA.test_x",
        ),
        ("class TestA:\n    {0}\n    def test_x(self): ...\nclass TestA:\n    y = 1", "TestA"),
        ("if a:\n    {0}\n    def test_x(): ...\nelse:\n    def test_x(): ...", "test_x"),
    ],
)
def test_a_check_is_hidden_in_classes_and_branches_too(source: str, name: str) -> None:
    (problem,) = problems_in(PYTEST + source.format('@pytest.mark.falsifies("A-001")'))
    assert f"PV038 {name} is defined on line " in problem


def test_one_name_in_two_classes_and_helpers_defined_twice_are_no_problem() -> None:
    source = """
        import pytest
        class TestA:
            @pytest.mark.falsifies("A-001")
            def test_x(self): ...
        class TestB:
            @pytest.mark.falsifies("A-001")
            def test_x(self): ...
        def make(): ...
        def make(): ...
        """
    assert len(bound_in(source)) == 2


@pytest.mark.parametrize("name", ["a[1].py", "x::y.py", "deep[/a.py"])
def test_a_path_that_no_node_id_can_hold_is_refused(project: Project, name: str) -> None:
    file = project.root / "checks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x = 'no falsifies marker here'\n")
    assert len(find_checks(project)) == 1
    file.write_text((project.root / "checks" / "sums.py").read_text())
    with pytest.raises(ContractError, match=r"7:1: PV039 the file's path holds '(\[|::)'"):
        find_checks(project)


def test_an_alias_of_the_marker_is_understood() -> None:
    source = """
        import pytest
        claim = pytest.mark.falsifies
        @claim("A-001")
        def test_x(): ...
        """
    assert bound_in(source) == [("A-001", "checks/a.py::test_x")]


def test_an_imported_marker_is_understood() -> None:
    source = """
        from marks import falsifies as refutes, falsifies
        @falsifies("A-001")
        def test_x(): ...
        @refutes("A-002")
        def test_y(): ...
        """
    assert [identity for identity, _ in bound_in(source)] == ["A-001", "A-002"]


def test_pytestmark_binds_every_test_of_its_scope() -> None:
    source = """
        import pytest
        pytestmark = [pytest.mark.slow, pytest.mark.falsifies("A-001")]
        def test_x(): ...
        def no_check(): ...
        class TestGroup:
            pytestmark = pytest.mark.falsifies("A-001")
            def test_y(self): ...
        """
    assert bound_in(source) == [
        ("A-001", "checks/a.py::test_x"),
        ("A-001", "checks/a.py::TestGroup::test_y"),
    ]


def test_a_mark_on_a_class_binds_its_tests_alone() -> None:
    source = """
        import pytest
        def test_x(): ...
        class TestGroup:
            pytestmark = pytest.mark.falsifies("A-002")
            def test_y(self): ...
        @pytest.mark.falsifies("A-003")
        class TestMarked:
            @pytest.mark.falsifies("A-003")
            def test_z(self): ...
        """
    assert bound_in(source) == [
        ("A-002", "checks/a.py::TestGroup::test_y"),
        ("A-003", "checks/a.py::TestMarked::test_z"),
    ]


@pytest.mark.parametrize(
    "marker",
    [
        "pytest.mark.falsifies(ID)",
        'pytest.mark.falsifies("A-001", "A-002")',
        "pytest.mark.falsifies()",
        'pytest.mark.falsifies(id="A-001")',
        "pytest.mark.falsifies(*IDS)",
        'pytest.mark.falsifies("A-001", strict=True)',
        "pytest.mark.falsifies(1)",
        'pytest.mark.falsifies(f"A-{n}")',
    ],
)
def test_an_argument_that_is_no_literal_id_is_refused(marker: str) -> None:
    source = f"{PYTEST}@{marker}\ndef test_x(): ...\n"
    assert problems_in(source) == [
        (
            "a.py:2:2: PV033 the argument of falsifies is not one literal ID; "
            'it should be pytest.mark.falsifies("ID")'
        )
    ]


@pytest.mark.parametrize(
    "statement",
    [
        'pytest.param(1, marks=pytest.mark.falsifies("A-001"))',
        "@pytest.mark.falsifies\ndef test_x(): ...",
        'def f():\n    @pytest.mark.falsifies("A-001")\n    def test_x(): ...',
        'pytestmark: list = [pytest.mark.falsifies("A-001")]',
        'pytestmark += [pytest.mark.falsifies("A-001")]',
        "claim = x = falsifies = pytest.mark.falsifies\nprint(claim)",
        "marks.claim = pytest.mark.falsifies",
        'MARKS = {1: pytest.mark.falsifies("A-001")}',
    ],
)
def test_a_marker_that_no_reading_finds_is_refused_and_never_overlooked(
    statement: str,
) -> None:
    (problem,) = problems_in(PYTEST + statement + "\n")
    assert "PV033 a falsifies marker where it can't be read" in problem


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ("{marker}\ndef check_x(): ...", "check_x"),
        ("class Checks:\n    {marker}\n    def test_x(self): ...", "Checks.test_x"),
        ("{marker}\nclass Checks:\n    def test_x(self): ...", "Checks"),
    ],
)
def test_a_marked_function_that_pytest_never_collects_is_refused(
    definition: str, name: str
) -> None:
    source = PYTEST + definition.format(marker='@pytest.mark.falsifies("A-001")')
    (problem,) = problems_in(source)
    assert f"PV034 {name} is marked but never collected" in problem
    assert read_checks(source.encode(), "a.py").checks == ()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('@pytest.mark.falsifies("A-001")\ndef test_x(): ...', (2, 24)),
        ('@pytest.mark.falsifies(\n    "A-001"\n)\ndef test_x(): ...', (3, 5)),
        ('"é€😀"; pytestmark = pytest.mark.falsifies("A-001")\ndef test_x(): ...', (2, 43)),
        ('@pytest.mark.falsifies("A-001")\nclass TestX:\n    def test_x(self): ...', (2, 24)),
        ('claim = pytest.mark.falsifies\n@claim("A-001")\ndef test_x(): ...', (3, 8)),
        (
            (
                'pytestmark = pytest.mark.falsifies("A-001")\n'
                '@pytest.mark.falsifies("A-001")\ndef test_x(): ...'
            ),
            (3, 24),
        ),
    ],
)
def test_a_check_knows_where_its_id_stands(source: str, place: tuple[int, int]) -> None:
    (check,) = read_checks((PYTEST + source).encode(), "a.py").checks
    assert check.named_at == place
    line = (PYTEST + source).split("\n")[place[0] - 1]
    assert line[place[1] - 1 :].startswith('"A-001"')


def test_a_place_is_counted_in_characters_whatever_ends_the_lines() -> None:
    source = 'import pytest\r\n\r"€" and pytest.mark.falsifies\r\nasync  def  test_x(): ...\n'
    assert problems_in(source)[0].startswith("a.py:3:9: PV033 ")
    hidden = '@pytest.mark.falsifies("A-001")\nasync  def  é(): ...\n'
    assert problems_in(PYTEST + hidden)[0].startswith("a.py:3:13: PV034 ")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('@pytest.mark.falsifies("A-001")\ndef test_x(): ...', {"A-001"}),
        ('@pytest.mark.falsifies("A-001")\ndef helper(): ...', {"A-001"}),
        ('@pytest.mark.falsifies(\n"A-001")\ndef test x(): ...', {"A-001"}),
        ("@pytest.mark.falsifies('A-001')\n\0", {"A-001"}),
        ("# falsifies\n(", set()),
        ('@pytest.mark.falsifies("A-" + "001")\ndef test_x(): ...', None),
    ],
)
def test_what_markers_name_is_known_where_they_make_no_check(
    source: str, named: set[str] | None
) -> None:
    assert read_checks((PYTEST + source).encode(), "a.py").named == named


def test_an_assignment_of_something_else_binds_nothing() -> None:
    assert bound_in("pytestmark = 1\nx = pytest.mark.slow\nfor y in z: y.falsifies = 1") == []


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"falsifies\ndef f(:\n", "a.py:2:7: PV030"),
        (b"falsifies = 1\0", "a.py:1:1: PV030"),
        (b"falsifies = " + b"(" * 5000, "PV030"),
        (b"falsifies = " + b"-" * 100_000 + b"1", "PV030"),
        (b"falsifies = '\xff'", "PV030"),
    ],
)
def test_a_file_that_does_not_parse_is_a_problem(data: bytes, place: str) -> None:
    (problem,) = read_checks(data, "a.py").problems
    assert place in str(problem)
    assert "does not parse as Python" in problem.message


def test_a_doubtful_escape_in_a_check_is_no_warning_of_ours() -> None:
    assert bound_in('x = "\\d"') == []


def test_problems_of_all_files_are_raised_at_once(project: Project) -> None:
    checks = project.root / "checks"
    (checks / "a.py").write_text("@pytest.mark.falsifies(X)\ndef test_x(): ...\n")
    (checks / "b.py").write_text("falsifies(\n")
    os.mkfifo(checks / "c.py")
    with pytest.raises(ContractError, match=r"checks/a.py:1:2: PV033") as caught:
        find_checks(project)
    codes = [(problem.path, problem.code) for problem in caught.value.problems]
    assert codes == [
        ("checks/a.py", "PV033"),
        ("checks/b.py", "PV030"),
        ("checks/c.py", "PV030"),
    ]


def test_conftest_and_hidden_folders_hold_no_checks(project: Project) -> None:
    source = (project.root / "checks" / "sums.py").read_text()
    for name in ("conftest.py", ".venv/test_x.py", "deep/down/test_y.py", "notes.txt"):
        file = project.root / "checks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    assert [check.path for check in find_checks(project)] == [
        "checks/deep/down/test_y.py",
        "checks/sums.py",
    ]


def test_a_loop_of_links_ends(project: Project) -> None:
    (project.root / "checks" / "again").symlink_to(project.root / "checks")
    assert len(find_checks(project)) == 1


def test_a_project_without_the_folder_of_checks_has_none(tmp_path: Path) -> None:
    assert find_checks(load_project(tmp_path)) == ()


def test_a_single_file_can_be_the_place_of_checks(project: Project) -> None:
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('["checks"]', '["checks/sums.py"]'))
    assert len(find_checks(load_project(project.root))) == 1


def test_a_folder_that_can_not_be_listed_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match="the folder can't be listed: permission denied"):
        find_checks(project)


@given(st.lists(st.from_regex(r"[A-Z]{1,3}-[0-9]{3}", fullmatch=True), unique=True, max_size=5))
def test_every_literal_id_is_found_once(identities: list[str]) -> None:
    source = "".join(
        f"@pytest.mark.falsifies({identity!r})\ndef test_{number}(): ...\n"
        for number, identity in enumerate(identities)
    )
    bindings = read_checks(source.encode(), "a.py")
    assert bindings.problems == ()
    assert sorted(check.falsifier_id for check in bindings.checks) == sorted(identities)

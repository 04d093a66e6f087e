"""`[tool.pv]`: what is there without it, what it can say, and every way to say it wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pv_harness.errors import UsageError
from pv_harness.project import Project, find_root, load_project


def write(root: Path, table: str) -> Path:
    (root / "pyproject.toml").write_text(table, encoding="utf-8")
    return root


def make_files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def named(project: Project, paths: tuple[Path, ...]) -> list[str]:
    return [project.relative(path) for path in paths]


def test_without_a_table_everything_has_a_default(tmp_path: Path) -> None:
    project = load_project(tmp_path)
    assert named(project, project.contracts) == ["contracts"]
    assert named(project, project.checks) == ["checks"]
    assert named(project, project.source_roots) == ["."]
    assert project.evidence == tmp_path / "reports/evidence"
    assert project.reports == tmp_path / "reports"
    assert project.policy == tmp_path / "pv-policy.yaml"
    assert (project.inputs, project.keys, project.preload) == ({}, {}, ("pytest",))


def test_every_setting_can_be_given(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[tool.pv]\ncontracts = ["claims", "more/x.yaml"]\nchecks = ["a", "b"]\n'
        'source_roots = ["lib"]\nevidence = "e"\nreports = "r"\npolicy = "gate.yaml"\n'
        'preload = ["torch"]\n[tool.pv.inputs]\ncorpus = ["make-corpus", "--json"]\n'
        '[tool.pv.keys]\nci = "keys/ci.pub"\n',
    )
    project = load_project(tmp_path)
    assert named(project, project.contracts) == ["claims", "more/x.yaml"]
    assert named(project, project.checks) == ["a", "b"]
    assert named(project, project.source_roots) == ["lib"]
    assert (project.evidence, project.reports) == (tmp_path / "e", tmp_path / "r")
    assert project.policy == tmp_path / "gate.yaml"
    assert project.preload == ("pytest", "torch")
    assert project.inputs == {"corpus": ("make-corpus", "--json")}
    assert project.keys == {"ci": tmp_path / "keys/ci.pub"}


@pytest.mark.parametrize(
    ("files", "roots"),
    [
        (("pkg/__init__.py",), ["."]),
        (("train.py",), ["."]),
        (("src/pkg/__init__.py",), ["src"]),
        (("src/train.py",), ["src"]),
        (("src/pkg/__init__.py", "tools.py"), ["src"]),
        (("src/kernels.cpp", "pkg/__init__.py"), ["."]),
        (("src/__init__.py", "src/train.py"), ["."]),
    ],
)
def test_sources_are_in_src_where_that_holds_them(
    tmp_path: Path, files: tuple[str, ...], roots: list[str]
) -> None:
    project = load_project(make_files(tmp_path, *files))
    assert named(project, project.source_roots) == roots


@pytest.mark.parametrize(
    ("files", "checks"),
    [
        ((), "checks"),
        (("tests/falsifiers/test_x.py",), "tests/falsifiers"),
        (("tests/falsifiers/test_x.py", "checks/test_y.py"), "checks"),
        (("checks",), "checks"),
    ],
)
def test_checks_are_in_the_first_folder_that_exists(
    tmp_path: Path, files: tuple[str, ...], checks: str
) -> None:
    project = load_project(make_files(tmp_path, *files))
    assert named(project, project.checks) == [checks]


@pytest.mark.parametrize(
    ("files", "roots"),
    [
        (("checks/test_x.py",), ["src", "checks"]),
        (("checks/__init__.py",), ["src", "."]),
        (("checks/__init__.py", "__init__.py"), ["src", "."]),
    ],
)
def test_checks_are_imported_from_where_pytest_imports_them(
    tmp_path: Path, files: tuple[str, ...], roots: list[str]
) -> None:
    project = load_project(make_files(tmp_path, "src/pkg/__init__.py", *files))
    assert named(project, project.import_roots) == roots


def test_a_file_of_checks_is_imported_from_its_folder(tmp_path: Path) -> None:
    make_files(tmp_path, "quality/test_x.py")
    project = load_project(write(tmp_path, '[tool.pv]\nchecks = ["quality/test_x.py"]'))
    assert named(project, project.import_roots) == [".", "quality"]


def test_the_root_is_the_nearest_folder_upward_with_a_table(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_root(inner) == inner
    write(tmp_path, "[tool.pv]")
    write(inner.parent, "[tool.ruff]")
    assert find_root(inner) == tmp_path
    write(inner.parent, "[tool.pv]")
    assert find_root(inner) == inner.parent


def test_a_path_is_shown_from_the_root_if_it_lies_below(tmp_path: Path) -> None:
    project = load_project(tmp_path)
    assert project.relative(tmp_path / "a" / "b.py") == "a/b.py"
    assert project.relative(Path("/elsewhere/b.py")) == "/elsewhere/b.py"


def test_a_link_is_called_after_what_it_leads_to_unless_that_is_nowhere(tmp_path: Path) -> None:
    project = load_project(make_files(tmp_path, "vendor/a.yaml", "contracts/b.yaml"))
    folder = tmp_path / "contracts"
    for name, target in {
        "live": "../vendor/a.yaml",
        "dangling": "../vendor/gone.yaml",
        "chain": "dangling",
        "itself": "itself",
        "too-long": "a" * 300,
    }.items():
        (folder / name).symlink_to(target)
    assert project.relative(folder / "live") == "vendor/a.yaml"
    for name in ("dangling", "chain", "itself", "too-long", "gone"):
        assert project.relative(folder / name) == f"contracts/{name}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[tool]\npv = 3", "[tool.pv] is 3; it should be a table"),
        ("[tool.pv]\ncheks = []", "[tool.pv] has unknown key 'cheks'; did you mean 'checks'?"),
        ("[tool.pv]\npolicies = 'x'", "has unknown key 'policies'; did you mean 'policy'?"),
        (
            "[tool.pv]\nzzz = 1",
            "[tool.pv] has unknown key 'zzz'; it knows contracts, checks, source_roots",
        ),
        (
            '[tool.pv]\ncontracts = "contracts"',
            "[tool.pv] contracts should be a list of strings, it is 'contracts'",
        ),
        ("[tool.pv]\nchecks = [1]", "[tool.pv] checks should be a list of strings, it is [1]"),
        ('[tool.pv]\nchecks = ["a\\u0000"]', "[tool.pv] checks holds a NUL character"),
        ("[tool.pv]\nevidence = []", "[tool.pv] evidence should be a path, it is []"),
        ('[tool.pv]\nreports = ""', "[tool.pv] reports should be a path, it is ''"),
        ("[tool.pv]\npolicy = 1", "[tool.pv] policy should be a path, it is 1"),
        ('[tool.pv]\npolicy = "a\\u0000"', "[tool.pv] policy holds a NUL character"),
        (
            '[tool.pv]\ncontracts = [""]',
            "[tool.pv] contracts holds an empty path; the project's",
        ),
        (
            f'[tool.pv]\nchecks = ["{"x" * 300}"]',
            "which is longer than a path, or one name in it, can be",
        ),
        (f'[tool.pv]\nevidence = "{"y/" * 3000}"', "which is longer than a path, or one name"),
        (f'[tool.pv.keys]\nci = "{"x" * 300}"', "[tool.pv] keys holds 'xxx"),
        ("[tool.pv]\npreload = 1", "[tool.pv] preload should be a list of strings, it is 1"),
        ("[tool.pv]\ninputs = []", "[tool.pv.inputs] should be a table, it is a list of 0"),
        (
            '[tool.pv.inputs]\nx = "make"',
            "[tool.pv.inputs] x should be a command as a list of words, it is 'make'",
        ),
        (
            "[tool.pv.inputs]\nx = []",
            "[tool.pv.inputs] x should be a command as a list of words, it is []",
        ),
        ("[tool.pv]\nkeys = 1", "[tool.pv.keys] should be a table, it is 1"),
        (
            "[tool.pv.keys]\nci = 1",
            "[tool.pv.keys] ci should be the path of a public key, it is 1",
        ),
        ('[tool.pv.keys]\nci = "a\\u0000"', "[tool.pv] keys holds a NUL character"),
        ("[tool.pv", "can't be read as TOML: "),
        ("x = " + "[" * 5000, "can't be read as TOML: nested too deeply"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(
    tmp_path: Path, table: str, message: str
) -> None:
    write(tmp_path, table)
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        load_project(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}: ")


def test_a_tool_that_is_no_table_holds_no_settings(tmp_path: Path) -> None:
    assert load_project(write(tmp_path, "tool = 3")).root == tmp_path


def test_a_configuration_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="can't be read as TOML"):
        load_project(tmp_path)


def test_a_configuration_that_would_hang_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pyproject.toml")
    with pytest.raises(UsageError, match="can't be read: is a named pipe"):
        load_project(tmp_path)

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from tests.harness.validating.conftest import EXAMPLE

from pv_harness.errors import ContractError, UsageError
from pv_harness.exit_code import ExitCode
from pv_harness.project import Project, load_project
from pv_harness.validating.plain_files import read_plain_files
from pv_harness.validating.report import Report, render_report
from pv_harness.validating.validation import load_contracts, validate


FOREIGN = "metadata:\n  version: 1.0.0\nfalsification_tests:\n- id: X-001\n"


def judge(project: Project, *names: str) -> Report:
    return validate([str(project.root / name) for name in names or ("contracts",)], project)


def edit(project: Project, old: str, new: str, name: str = "contracts/base.yaml") -> None:
    file = project.root / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def codes(report: Report) -> list[str]:
    return [problem.code for problem in report.problems]


def test_a_clean_project_is_satisfied_and_its_denominators_are_printed(
    project: Project,
) -> None:
    report = judge(project)
    assert report.exit_code is ExitCode.SATISFIED
    assert render_report(report) == (
        "1 file: 1 native, 0 foreign · "
        "1 falsifier, 1 bound to 1 check, 1 counted · "
        "2 planted defects, 1 control · 0 errors, 0 warnings"
    )


def test_the_number_with_evidence_is_printed_where_it_is_known(project: Project) -> None:
    text = render_report(judge(project), with_evidence=0)
    assert "1 bound to 1 check, 0 with evidence, 1 counted" in text


def test_all_problems_come_first_sorted_by_place(project: Project) -> None:
    edit(project, "  rule: ", "  rulle: ")
    edit(project, "version: 1.0.0", "version: 1.0")
    (project.root / "contracts/a.yaml").write_text(FOREIGN)
    (project.root / "contracts/z.yaml").write_text("[")
    report = judge(project)
    assert report.exit_code is ExitCode.CANNOT_JUDGE
    assert render_report(report).splitlines() == [
        "contracts/a.yaml:4:3: PV089 warning: X-001: it has no prediction",
        (
            "contracts/base.yaml:3:10: PV010 version is 1.0; "
            "it should be three numbers such as '1.0.0'"
        ),
        (
            "contracts/base.yaml:7:3: PV011 BASE-001: rulle is an unknown key; "
            "did you mean 'rule'?"
        ),
        (
            "contracts/z.yaml:1:2: PV004 not YAML: a value is expected behind '[', "
            "and there is none"
        ),
        (
            "foreign: 1 file judged · 1 falsifier (falsification_tests 1) · 0 inert · "
            "0 invariants, 0 without a falsifier · 0 references, 0 dangling · "
            "0 typed statuses, 0 without evidence"
        ),
        (
            "3 files: 1 native, 1 foreign, 1 unreadable · 0 native falsifiers, "
            "0 bound to 0 checks, 0 counted, 1 more unreadable · "
            "0 planted defects, 0 controls · 3 errors, 1 warning"
        ),
    ]


def test_a_mistake_elsewhere_does_not_hide_a_falsifiers_problems(project: Project) -> None:
    edit(project, "version: 1.0.0", "version: 1.0")
    edit(project, "find: left + right", "find: left * right")
    assert codes(judge(project)) == ["PV010", "PV052"]


def test_an_unbound_falsifier_is_a_warning_and_counted(project: Project) -> None:
    (project.root / "checks/sums.py").unlink()
    report = judge(project)
    assert codes(report) == ["PV032"]
    assert (report.errors, report.warnings, report.bound) == (0, 1, 0)
    assert report.exit_code is ExitCode.SATISFIED


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("def test_a", "def test a", "PV030"),
        ("def test_a", "def a", "PV034"),
        ('"BASE-001"', '"BASE-" + "001"', "PV033"),
    ],
)
def test_a_faulty_check_is_one_problem_and_its_claim_no_second(
    project: Project, old: str, new: str, code: str
) -> None:
    edit(project, old, new, "checks/sums.py")
    paths = [str(path) for path in project.contracts]
    for reading in (None, read_plain_files):
        report = validate(paths, project, read_plain=reading)
        assert codes(report) == [code]
        assert (report.errors, report.warnings, report.bound) == (1, 0, 0)


def test_a_claim_beside_a_faulty_check_is_told_to_be_unbound(project: Project) -> None:
    edit(project, "def test_a", "def test a", "checks/sums.py")
    edit(project, "BASE-001", "BASE-002", "checks/sums.py")
    assert codes(judge(project)) == ["PV030", "PV032"]


def test_no_claim_is_told_to_be_unbound_where_a_file_of_checks_is_closed(
    project: Project,
) -> None:
    file = project.root / "checks/sums.py"
    file.unlink()
    file.symlink_to("gone.py")
    (problem,) = judge(project).problems
    what = "the file can't be read: is a link to 'gone.py', which leads nowhere"
    assert str(problem) == f"checks/sums.py:1:1: PV030 {what}"


def test_one_marker_of_several_checks_is_one_problem(project: Project) -> None:
    (project.root / "checks/more.py").write_text(
        'import pytest\n\npytestmark = pytest.mark.falsifies("BASE-002")\n'
        "def test_one(): ...\ndef test_two(): ...\ndef test_three(): ...\n"
    )
    (problem,) = judge(project).problems
    assert str(problem) == (
        "checks/more.py:3:36: PV031 test_one and 2 more are bound to 'BASE-002'; "
        "no contract declares it; did you mean 'BASE-001'?"
    )


def test_foreign_files_are_judged_and_count_as_nothing_native(project: Project) -> None:
    (project.root / "contracts/base.yaml").write_text(FOREIGN)
    (project.root / "checks/sums.py").unlink()
    report = judge(project)
    assert (report.native, report.foreign, report.errors) == (0, 1, 0)
    assert report.exit_code is ExitCode.SATISFIED
    assert "0 native falsifiers, 0 bound to 0 checks, 0 counted" in render_report(report)


def test_files_in_which_nothing_is_a_contract_are_nothing_judged(project: Project) -> None:
    (project.root / "contracts/base.yaml").write_text("name: build\njobs: {}\n")
    (project.root / "checks/sums.py").unlink()
    report = judge(project)
    assert codes(report) == ["PV014"]
    assert (report.native, report.foreign, report.errors) == (0, 1, 0)
    assert report.exit_code is ExitCode.CANNOT_JUDGE
    assert render_report(report).splitlines()[1].startswith("foreign: 0 files judged, 1 not · ")
    assert render_report(report).endswith("nothing judged")


def test_duplicate_keys_and_anchors_of_a_foreign_file_are_warnings(project: Project) -> None:
    (project.root / "contracts/a.yaml").write_text(FOREIGN + "a: 1\na: &x 2\n")
    report = judge(project)
    assert codes(report) == ["PV089", "PV091", "PV005", "PV006"]
    assert report.errors == 0


@pytest.mark.parametrize("key", ["apiversion", "api_version", "apVersion", "ApiVersion"])
def test_a_misspelt_apiversion_makes_no_file_foreign(project: Project, key: str) -> None:
    edit(project, "apiVersion", key)
    report = judge(project)
    assert (report.native, report.foreign) == (1, 0)
    assert codes(report)[0] == "PV011"
    assert "did you mean 'apiVersion'?" in report.problems[0].message


def test_falsifiers_without_an_apiversion_are_not_foreign_either(project: Project) -> None:
    edit(project, "apiVersion: pv/v1\n", "")
    report = judge(project)
    assert [str(problem) for problem in report.problems] == [
        "contracts/base.yaml:1:1: PV012 apiVersion is missing; write `apiVersion: pv/v1`"
    ]


def test_another_version_of_the_format_is_not_judged_further(project: Project) -> None:
    edit(project, "pv/v1", "pv/v2")
    edit(project, "  rule: ", "  claim: ")
    assert codes(judge(project)) == ["PV013"]


def test_an_alias_in_a_native_file_is_reported_without_its_consequences(
    project: Project,
) -> None:
    edit(project, "covers: [subject.core]", "covers: *nowhere")
    report = judge(project)
    assert codes(report) == ["PV006"]
    assert (len(report.falsifiers), report.unread) == (0, 1)


# which files


def test_files_folders_and_globs_name_files_once(project: Project) -> None:
    root = project.root
    (root / "contracts/deep").mkdir()
    (root / "contracts/deep/other.yml").write_text(FOREIGN)
    (root / "contracts/notes.txt").write_text("x")
    (root / "contracts/.hidden").mkdir()
    (root / "contracts/.hidden/x.yaml").write_text("[")
    (root / "contracts/link.yaml").symlink_to("base.yaml")
    for names in (
        ("contracts",),
        ("contracts", "contracts/base.yaml", "contracts/deep"),
        ("contracts/**",),
        ("contracts/*",),
        ("contracts/base.yaml", "contracts/deep/*.y*ml"),
    ):
        report = judge(project, *names)
        assert (report.native, report.foreign, report.unreadable) == (1, 1, 0)


def test_a_file_is_taken_whatever_its_name(project: Project) -> None:
    (project.root / "notes.txt").write_text("just words")
    assert codes(judge(project, "notes.txt")) == ["PV009"]


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(project: Project) -> None:
    (project.root / "contracts/[a].yaml").write_text(FOREIGN)
    assert judge(project, "contracts/[a].yaml").foreign == 1


@pytest.mark.parametrize(
    "path", ["nowhere", "*.yaml", "empty", "nul\0", "nul\0/*", "no/**/where"]
)
def test_a_path_that_names_nothing_is_an_error(project: Project, path: str) -> None:
    (project.root / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no contract there|not a path"):
        judge(project, "contracts", path)


def test_a_folder_that_can_not_be_listed_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match="contracts: the folder can't be listed: permission"):
        judge(project)


def test_a_pipe_and_a_dangling_link_are_problems_and_hang_nothing(project: Project) -> None:
    os.mkfifo(project.root / "contracts/pipe.yaml")
    (project.root / "contracts/link.yaml").symlink_to("nowhere.yaml")
    report = judge(project)
    assert codes(report) == ["PV001", "PV001"]
    assert (report.files, report.unreadable) == (3, 2)


def test_a_file_name_is_printed_on_one_line(project: Project) -> None:
    (project.root / "contracts/a\nb\x1b.yaml").write_text("[")
    os.fsencode(project.root)
    odd = os.fsencode(project.root) + b"/contracts/\xff.yaml"
    Path(os.fsdecode(odd)).write_text("[")
    lines = render_report(judge(project)).splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_a_contract_outside_the_project_is_judged_within_it(project: Project) -> None:
    outside = project.root.parent / "more.yaml"
    text = (project.root / "contracts/base.yaml").read_text()
    outside.write_text(text.replace("id: base", "id: more").replace("BASE-001", "MORE-001"))
    report = validate([str(outside)], project)
    assert codes(report) == ["PV032"]
    assert report.problems[0].path == outside.as_posix()


# load_contracts


def test_loaded_contracts_come_with_all_checks(project: Project) -> None:
    contracts, checks = load_contracts(project)
    assert [contract.id for contract in contracts] == ["base"]
    assert [check.falsifier_id for check in checks] == ["BASE-001"]
    assert contracts[0].path.as_posix() == "contracts/base.yaml"


def test_loading_raises_every_problem_of_the_project(project: Project) -> None:
    edit(project, "  rule: ", "  rulle: ")
    (project.root / "checks/sums.py").write_text("falsifies(\n")
    with pytest.raises(ContractError, match="PV011 BASE-001: rulle") as caught:
        load_contracts(project)
    assert [problem.code for problem in caught.value.problems] == ["PV030", "PV011"]
    assert caught.value.exit_code is ExitCode.CANNOT_JUDGE


def test_warnings_keep_no_contract_from_being_loaded(project: Project) -> None:
    (project.root / "checks/sums.py").unlink()
    contracts, checks = load_contracts(project)
    assert (len(contracts), checks) == (1, ())


@pytest.mark.parametrize("kept", ["nothing", "foreign"])
def test_a_project_without_native_contracts_can_not_be_loaded(
    project: Project, kept: str
) -> None:
    (project.root / "checks/sums.py").unlink()
    file = project.root / "contracts/base.yaml"
    file.unlink() if kept == "nothing" else file.write_text(FOREIGN)
    with pytest.raises(UsageError, match="contracts: no contract to judge"):
        load_contracts(project)


def test_a_missing_folder_of_contracts_can_not_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no contract to judge"):
        load_contracts(load_project(tmp_path))


def test_a_single_file_can_be_the_place_of_contracts(project: Project) -> None:
    pyproject = project.root / "pyproject.toml"
    changed = pyproject.read_text().replace('["contracts"]', '["contracts/base.yaml"]')
    pyproject.write_text(changed)
    contracts, _ = load_contracts(load_project(project.root))
    assert len(contracts) == 1


# robustness


@settings(max_examples=150)
@given(data=st.data())
def test_no_damage_to_a_contract_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.getbasetemp() / "damaged"
    if not root.exists():
        shutil.copytree(EXAMPLE, root)
    original = (EXAMPLE / "contracts/base.yaml").read_text()
    start = data.draw(st.integers(0, len(original)))
    end = data.draw(st.integers(start, min(start + 12, len(original))))
    put = data.draw(
        st.sampled_from(["", "x", "[]", "{}", "null", "- ", ": ", "\n", "1e5", '"'])
    )
    (root / "contracts/base.yaml").write_text(original[:start] + put + original[end:])
    report = judge(load_project(root))
    assert all(line.isprintable() for line in render_report(report).splitlines())
    assert report.files == 1
    assert report.errors == sum(not str(p).count("warning: ") for p in report.problems)


def test_importing_the_validator_loads_nothing_heavy() -> None:
    heavy = ["jsonschema", "rich", "pytest", "torch", "numpy", "pv_trainer"]
    code = (
        "import sys, pv_harness.validating.validation\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(sys.modules["pv_harness"].__path__[0]).parent)},
    )
    assert result.stdout == "[]\n"

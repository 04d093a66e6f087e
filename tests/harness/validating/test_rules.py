from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st
from tests.harness.validating.conftest import EXAMPLE

from pv_harness.contracts.contract import Bound, Comparator, Control, Level, LevelRule
from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.loading import load
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.judging.measurement import holds
from pv_harness.validating.rules.levels import bounds_can_hold, each_level_adds_a_condition
from pv_harness.validating.rules.planting import (
    planted_changes_apply,
    planted_changes_hit_the_subject,
)
from pv_harness.validating.rules.world import Claim, Draft, World, survey
from pv_harness.validating.validation import validate


if TYPE_CHECKING:
    from pv_harness.documents.problem import Problem
    from pv_harness.project import Project


def example_claim() -> Claim:
    document = load((EXAMPLE / "contracts" / "base.yaml").read_bytes(), "contracts/base.yaml")
    return Claim(document, 0, read_falsifier(document.value["falsifiers"][0]))


def example_world(project: Project) -> World:
    return survey(project, [], (), complete=True)


def edit(project: Project, old: str, new: str, name: str = "contracts/base.yaml") -> None:
    file = project.root / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def found(project: Project, *paths: str) -> list[str]:
    """Problems as text, without the file's name, of the paths or of all contracts."""
    names = paths or ("contracts",)
    report = validate([str(project.root / name) for name in names], project)
    return [str(problem).partition(":")[2] for problem in report.problems]


def with_bounds(*bounds: Bound) -> list[Problem]:
    claim = example_claim()
    falsifier = replace(claim.falsifier, bounds=bounds)
    world: Any = None
    return list(bounds_can_hold(replace(claim, falsifier=falsifier), world))


def patched(project: Project, **changes: Any) -> list[str]:
    """What is found when the control of the example is changed."""
    claim = example_claim()
    (control,) = claim.falsifier.controls
    patch = replace(control.patch, **changes)
    falsifier = replace(claim.falsifier, defects=(), controls=(Control(patch),))
    problems = planted_changes_apply(
        replace(claim, falsifier=falsifier), example_world(project)
    )
    return [f"{problem.code} {problem.message}" for problem in problems]


def test_the_example_has_no_problem(project: Project) -> None:
    assert found(project) == []


# names


def test_an_id_declared_in_another_file_is_named_with_its_place(project: Project) -> None:
    text = (project.root / "contracts/base.yaml").read_text()
    (project.root / "contracts/second.yaml").write_text(text.replace("id: base", "id: second"))
    message = "'BASE-001' is declared twice; first at contracts/base.yaml:6"
    assert found(project) == [f"6:7: PV021 {message}"]
    assert found(project, "contracts/second.yaml") == [f"6:7: PV021 {message}"]


def test_a_collision_is_reported_in_whichever_file_is_judged(project: Project) -> None:
    text = (project.root / "contracts/base.yaml").read_text()
    (project.root / "contracts/second.yaml").write_text(text.replace("id: base", "id: second"))
    assert found(project, "contracts/base.yaml") == [
        "6:7: PV021 'BASE-001' is declared twice; first at contracts/second.yaml:6"
    ]


def test_an_id_twice_on_one_line_is_found(project: Project) -> None:
    (project.root / "contracts/flow.yaml").write_text(
        "apiVersion: pv/v1\nid: flow\nfalsifiers: [{id: X-001}, {id: X-001}]\n"
    )
    text = "\n".join(found(project))
    assert "3:32: PV021 'X-001' is declared twice; first at line 3" in text


def test_the_same_contract_in_two_folders_is_found(project: Project) -> None:
    (project.root / "contracts/deep").mkdir()
    shutil.copy(project.root / "contracts/base.yaml", project.root / "contracts/deep")
    codes = [problem.split()[1] for problem in found(project)]
    assert codes == ["PV022", "PV021"]


def test_a_contract_without_an_id_still_has_its_falsifiers_judged(project: Project) -> None:
    edit(project, "id: base\n", "")
    edit(project, "find: left + right", "find: left * right")
    assert [problem.split()[1] for problem in found(project)] == ["PV012", "PV052"]


def test_a_contract_can_not_depend_on_itself(project: Project) -> None:
    edit(project, "title: Sums", "title: Sums, depends_on: [base]")
    (problem,) = found(project)
    assert "PV024 depends_on names 'base', the contract itself" in problem


def test_a_contract_is_never_told_to_depend_on_itself(project: Project) -> None:
    edit(project, "title: Sums", "title: Sums, depends_on: [bases]")
    (problem,) = found(project)
    assert problem.endswith(
        "PV024 depends_on names 'bases'; no contract of the project has that id"
    )


def test_references_are_not_judged_while_a_contract_is_unreadable(project: Project) -> None:
    edit(project, "title: Sums", "title: Sums, depends_on: [broken]")
    edit(project, "BASE-001", "BROKEN-001", "checks/sums.py")
    assert [problem.split()[1] for problem in found(project)] == ["PV031", "PV024", "PV032"]
    (project.root / "contracts/broken.yaml").write_text("id: [")
    assert [problem.split()[1] for problem in found(project)] == ["PV032", "PV004"]


# levels and bounds


def test_a_level_that_repeats_an_earlier_condition_adds_nothing(project: Project) -> None:
    edit(
        project,
        '    INTEGRATION: {reached: ["subject.cli:main"]}\n',
        '    INTEGRATION: {device: cpu, reached: ["subject.cli:main"]}\n'
        "    DISCHARGED: {device: cpu}\n",
    )
    (problem,) = found(project)
    assert "PV041 BASE-001: level DISCHARGED adds no condition" in problem


def test_a_new_bound_on_an_old_metric_is_a_condition() -> None:
    loss = Bound("loss", Comparator.LT, 3)
    levels = (
        LevelRule(Level.PARTIAL, measurements=(loss,)),
        LevelRule(Level.DISCHARGED, measurements=(replace(loss, threshold=2),)),
    )
    claim = example_claim()
    claim = replace(claim, falsifier=replace(claim.falsifier, levels=levels))
    world: Any = None
    assert list(each_level_adds_a_condition(claim, world)) == []


def test_a_level_can_contradict_the_bounds(project: Project) -> None:
    edit(project, '{reached: ["subject.cli:main"]}', "{measurements: {wrong_sums: {ge: 1}}}")
    assert found(project) == [
        "14:46: PV044 BASE-001: no value of wrong_sums is = 0 and ≥ 1",
    ]


@pytest.mark.parametrize(
    ("bounds", "possible"),
    [
        ([("eq", 0)], True),
        ([("eq", 0), ("ne", 0)], False),
        ([("eq", 0), ("le", 0)], True),
        ([("ge", 3), ("le", 3)], True),
        ([("gt", 3), ("le", 3)], False),
        ([("ge", 3), ("le", 3), ("ne", 3)], False),
        ([("ge", 3), ("le", 4), ("ne", 3)], True),
        ([("ge", 4), ("le", 3.5)], False),
        ([("eq", "a"), ("ne", "b")], True),
        ([("eq", "a"), ("ge", 1)], False),
        ([("eq", True), ("ge", 0)], False),
        ([("ne", "a"), ("ne", 1)], False),
        ([("ge", float("nan")), ("lt", 0)], True),
    ],
)
def test_bounds_that_no_value_meets_are_found(
    bounds: list[tuple[str, Any]], *, possible: bool
) -> None:
    made = [Bound("m", Comparator(name), threshold) for name, threshold in bounds]
    assert (with_bounds(*made) == []) is possible


@given(
    st.lists(st.tuples(st.sampled_from(Comparator), st.integers(-2, 2)), min_size=1, max_size=4)
)
def test_bounds_on_numbers_are_refused_if_and_only_if_no_number_meets_them(
    pairs: list[tuple[Comparator, int]],
) -> None:
    bounds = [Bound("m", comparator, threshold) for comparator, threshold in pairs]
    # Thresholds are whole, so quarters reach into every open interval between them.
    candidates = [number / 4 for number in range(-16, 17)]
    possible = any(all(holds(bound, value) for bound in bounds) for value in candidates)
    assert (with_bounds(*bounds) == []) is possible


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("  bounds:", "  timeout_s: .nan\n  bounds:", "timeout_s is nan"),
        ("{eq: 0}", "{eq: .nan}", "wrong_sums is held against nan"),
        ("{eq: 0}", "{ne: 1e999}", "wrong_sums is held against inf"),
        (
            'reached: ["subject.cli:main"]',
            "measurements: {rows: {ge: -.inf}}",
            "rows is held against -inf",
        ),
    ],
)
def test_no_number_of_a_claim_is_infinite(
    project: Project, old: str, new: str, where: str
) -> None:
    edit(project, old, new)
    (problem,) = found(project)
    assert f"PV045 BASE-001: {where}" in problem


# subject


def test_a_package_and_a_module_can_be_covered(project: Project) -> None:
    edit(project, "[subject.core]", "[subject, subject.core, subject.cli]")
    assert found(project) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("subject.cor", "; did you mean 'subject.core'?"),
        ("subjct", "; did you mean 'subject'?"),
        ("subject.zzzzzzzz", ""),
        ("subject.core.add", ""),
    ],
)
def test_a_misspelt_module_is_told_with_the_nearest_beside_it(
    project: Project, name: str, near: str
) -> None:
    edit(project, "[subject.core]", f"[{name}]")
    (problem,) = found(project)
    assert problem.endswith(f"covers {name!r}; no such module below src{near}")


@pytest.mark.parametrize(
    ("old", "new"),
    [("falsifiers:", "falsifers:"), ("- id: BASE-001", "- idd: BASE-001")],
)
def test_ids_under_a_misspelt_key_are_not_told_to_be_absent(
    project: Project, old: str, new: str
) -> None:
    edit(project, old, new)
    assert [problem.split()[1] for problem in found(project)] == ["PV011"]


def test_an_entry_point_in_an_unknown_module_is_refused(project: Project) -> None:
    edit(project, "subject.cli:main", "subject.gui:main")
    assert found(project) == [
        (
            "14:29: PV036 BASE-001: reached 'subject.gui:main'; no module 'subject.gui' below "
            "src; did you mean 'subject.cli'?"
        )
    ]


def test_of_a_file_that_does_not_parse_no_function_is_said_to_be_missing(
    project: Project,
) -> None:
    edit(project, "def main(", "def main(:", "src/subject/cli.py")
    (problem,) = found(project)
    assert problem.endswith(
        "src/subject/cli.py does not parse as Python, so that its functions are not known; "
        "correct that file"
    )


def test_a_method_and_a_class_are_no_entry_points(project: Project) -> None:
    edit(project, "def main", "class Main:\n    def main", "src/subject/cli.py")
    edit(project, "    return", "        return", "src/subject/cli.py")
    (problem,) = found(project)
    assert "src/subject/cli.py has no top-level function 'main'" in problem


def test_an_entry_point_may_be_defined_in_a_branch_or_as_a_coroutine(project: Project) -> None:
    edit(project, "def main", "if add:\n  async def main", "src/subject/cli.py")
    assert found(project) == []


def test_a_module_that_does_not_parse_has_no_entry_point(project: Project) -> None:
    edit(project, "def main", "def (main", "src/subject/cli.py")
    (problem,) = found(project)
    assert "PV036" in problem


@pytest.mark.parametrize(
    "definition",
    ["@wrap\ndef main", "@wrap\nasync def main", "if add:\n  def main(): ...\n@wrap\ndef main"],
)
def test_an_entry_point_with_a_decorator_is_refused(project: Project, definition: str) -> None:
    edit(project, "def main", definition, "src/subject/cli.py")
    assert found(project) == [
        (
            "14:29: PV036 BASE-001: reached 'subject.cli:main'; src/subject/cli.py has a "
            "decorator on 'main', so that its calls can't be watched"
        )
    ]


# planted changes


def off_the_subject(project: Project, file: str, *, counted: bool = True) -> list[str]:
    """What is said about the example's control, planted in another file."""
    claim = example_claim()
    (control,) = claim.falsifier.controls
    falsifier = replace(
        claim.falsifier,
        counted=counted,
        controls=(Control(replace(control.patch, file=PurePosixPath(file))),),
    )
    world = example_world(project)
    problems = planted_changes_hit_the_subject(replace(claim, falsifier=falsifier), world)
    return [f"{problem.code} {problem.message}" for problem in problems]


@pytest.mark.parametrize("counted", [True, False])
def test_a_change_of_the_checks_is_refused(project: Project, *, counted: bool) -> None:
    (project.root / "src" / "link.py").symlink_to(project.root / "checks" / "sums.py")
    (project.root / "checks" / "expected.json").write_text("{}")
    for file in ("checks/sums.py", "src/link.py", "checks/expected.json"):
        (problem,) = off_the_subject(project, file, counted=counted)
        assert problem == (
            f"PV058 BASE-001: swapped changes '{file}', which is a file of the checks; "
            "plant the change in what they judge"
        )


@pytest.mark.parametrize("counted", [True, False])
def test_a_change_of_python_that_is_not_covered_is_refused(
    project: Project, *, counted: bool
) -> None:
    (problem,) = off_the_subject(project, "src/subject/cli.py", counted=counted)
    assert problem.endswith(
        "cli.py', which is neither covered (subject.core) nor imported there"
    )


def test_a_change_of_what_a_covered_module_imports_is_allowed(project: Project) -> None:
    edit(project, "\n\ndef add", "\nfrom . import deep\n\ndef add", "src/subject/core.py")
    (project.root / "src/subject/deep.py").write_text("import other\n")
    (project.root / "src/other.py").write_text("")
    for file in ("src/subject/deep.py", "src/other.py", "src/subject/__init__.py"):
        assert off_the_subject(project, file) == []


def test_a_change_of_data_is_for_claims_that_are_not_counted(project: Project) -> None:
    (problem,) = off_the_subject(project, "contracts/base.yaml")
    assert "contracts/base.yaml', which is no Python; a counted claim" in problem
    assert off_the_subject(project, "contracts/base.yaml", counted=False) == []


def test_sources_that_can_not_be_followed_are_a_problem(project: Project) -> None:
    def refuse(*_: object) -> frozenset[Path]:
        raise PermissionError(13, "Permission denied")

    claim, world = example_claim(), example_world(project)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(SourceTree, "closure", refuse)
        (problem,) = planted_changes_hit_the_subject(claim, world)
    assert (problem.code, problem.message) == (
        "PV035",
        "BASE-001: the sources that it covers can't be read: permission denied",
    )


def test_where_a_covered_module_is_missing_only_that_is_said(project: Project) -> None:
    edit(project, "[subject.core]", "[subject.gone]")
    (problem,) = found(project)
    assert "PV035" in problem


def test_text_that_stands_twice_is_counted_with_overlaps(project: Project) -> None:
    (project.root / "data.txt").write_text("aaa\n")
    file = PurePosixPath("data.txt")
    assert patched(project, file=file, find="aa", replace="b") == [
        (
            "PV052 BASE-001: swapped: the text to find stands 2 times in data.txt; "
            "it should stand once"
        )
    ]


def test_text_unlike_any_line_has_no_nearest_line(project: Project) -> None:
    assert patched(project, find="\n\nQQQQ") == [
        (
            "PV052 BASE-001: swapped: the text to find does not stand in src/subject/core.py; "
            "copy it as the file has it now, or take the change out of the contract"
        )
    ]


def test_a_file_of_no_python_need_not_compile(project: Project) -> None:
    (project.root / "data.txt").write_text("def (\n")
    assert patched(project, file=PurePosixPath("data.txt"), find="(", replace=")") == []


def test_a_change_to_the_same_text_changes_nothing(project: Project) -> None:
    (problem,) = patched(project, replace="left + right")
    assert problem.endswith("swapped changes nothing: find and replace are the same text")


def test_a_control_may_change_comments_alone(project: Project) -> None:
    assert patched(project, replace="left + right  # as before") == []


def test_a_defect_in_the_text_of_a_string_is_no_layout(project: Project) -> None:
    (project.root / "src/subject/core.py").write_text("A = 'left + right'\nB = 'left  - x'\n")
    edit(project, "replace: left - right", "replace: left  +  right")
    edit(project, "replace: left + right + 1", "replace: left")
    assert found(project) == []


@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        ("left +", "invalid syntax (line 6)"),
        ("yield from await left", "(line 6)"),
        ("left\nreturn right", "'return' outside function (line 7)"),
        ("left\0", "null"),
        ("(" * 300, "(line 6)"),
        ("-" * 200_000 + "left", "(line 1)"),
    ],
)
def test_a_change_that_does_not_compile_is_refused(
    project: Project, replacement: str, reason: str
) -> None:
    (problem,) = patched(project, replace=replacement)
    assert problem.startswith(
        "PV054 BASE-001: swapped: src/subject/core.py no longer compiles: "
    )
    assert reason in problem


def test_a_file_that_does_not_compile_by_itself_is_blamed_and_no_change_of_it(
    project: Project,
) -> None:
    edit(project, "return left", "return return left", "src/subject/core.py")
    (problem,) = patched(project, replace="left")
    assert problem.startswith(
        "PV054 BASE-001: swapped: src/subject/core.py does not compile even without the "
        "change: invalid syntax (line "
    )


def test_a_doubtful_escape_in_a_changed_file_is_no_warning_of_ours(project: Project) -> None:
    assert patched(project, replace="len('\\d')") == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("src/gone.py", "does not exist"),
        ("../outside.py", "lies outside the project"),
        ("/etc/hostname", "lies outside the project"),
        ("src/link.py", "lies outside the project"),
        ("src", "can't be read: is a directory, it should be a regular file"),
        ("src/pipe.py", "can't be read: is a named pipe, it should be a regular file"),
        ("src/latin.py", "is not UTF-8 text"),
        ("src/nul\0.py", "is not a path: it holds a NUL character"),
        ("src/" + "x" * 300 + ".py", "can't be read: file name too long"),
    ],
)
def test_a_file_that_can_not_be_changed_is_refused(
    project: Project, name: str, reason: str
) -> None:
    outside = project.root.parent / "outside.py"
    outside.write_text("left + right\n")
    (project.root / "src/link.py").symlink_to(outside)
    os.mkfifo(project.root / "src/pipe.py")
    (project.root / "src/latin.py").write_bytes(b"# \xe9\nleft + right\n")
    (problem,) = patched(project, file=PurePosixPath(name))
    assert problem.startswith("PV051 BASE-001: swapped changes '")
    assert problem.endswith(f"', which {reason}")


def test_a_link_within_the_project_can_be_changed(project: Project) -> None:
    (project.root / "src/link.py").symlink_to(project.root / "src/subject/core.py")
    assert patched(project, file=PurePosixPath("src/link.py")) == []


def test_a_control_and_a_defect_can_not_share_a_name_or_a_change(project: Project) -> None:
    edit(project, "id: swapped", "id: minus")
    edit(project, "replace: right + left", "replace: left - right")
    assert found(project) == [
        "19:5: PV057 BASE-001: minus makes the same change as minus",
        "19:10: PV050 BASE-001: 'minus' is declared twice; first among its defects",
    ]


def with_defects(project: Project, *changes: tuple[str, str]) -> list[str]:
    """What is said of a claim with these defects, each a text to find and what replaces it."""
    file = project.root / "contracts/base.yaml"
    text = file.read_text()
    planted = "".join(
        f"  - {{id: d{i}, file: src/subject/core.py, find: {json.dumps(find)}, "
        f"replace: {json.dumps(replace)}, expect: wrong_sums}}\n"
        for i, (find, replace) in enumerate(changes)
    )
    file.write_text(f"{text[: text.index('  defects:')]}  defects:\n{planted}")
    return [problem.split(": ", 1)[1] for problem in found(project)]


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("left + right", "left  -  right"),
        ("left + right", "left - right  # no sum"),
        ("left + right", "(left - right)"),
        ("return left + right", "return left - right"),
        ("return left + right", "return left - \\\n        right"),
    ],
)
def test_two_defects_that_differ_in_layout_alone_are_one(
    project: Project, find: str, replace: str
) -> None:
    same = "PV057 BASE-001: d1 makes the same change as d0"
    assert with_defects(project, ("left + right", "left - right"), (find, replace)) == [same]


@pytest.mark.parametrize("replace", ["right - left", "left -- right", "left - right - 0"])
def test_defects_that_change_the_syntax_in_two_ways_are_two(
    project: Project, replace: str
) -> None:
    changes = ("left + right", "left - right"), ("left + right", replace)
    assert with_defects(project, *changes) == []


@pytest.mark.parametrize(
    ("limit", "expected"), [("604800", None), ("604801", "at most"), ("1.0e+300", "at most")]
)
def test_a_check_may_take_a_week_and_no_longer(
    project: Project, limit: str, expected: str | None
) -> None:
    edit(project, "  bounds:", f"  timeout_s: {limit}\n  bounds:")
    problems = found(project)
    assert len(problems) == (expected is not None)
    assert all("timeout_s" in p and f"{expected} 604800" in p for p in problems)


def test_a_claim_that_is_not_counted_needs_no_defects(project: Project) -> None:
    file = project.root / "contracts/base.yaml"
    text = file.read_text()
    file.write_text(text[: text.index("  defects:")] + "  defects: []\n  counted: false\n")
    assert found(project) == []


def test_a_draft_without_a_list_of_falsifiers_has_none() -> None:
    document = load(b"apiVersion: pv/v1\nid: 5\nfalsifiers: 3", "x.yaml")
    draft = Draft(document, ())
    assert (draft.contract_id, draft.entries, list(draft.falsifier_ids())) == (None, (), [])

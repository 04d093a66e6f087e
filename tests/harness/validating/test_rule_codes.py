"""Every code has a fixture that fires it, a sibling that does not, and a place in the table."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.harness.conftest import Toy

import pv_harness
from pv_harness.contracts.rule_codes import FAMILIES, RULE_CODES, find_rule
from pv_harness.contracts.rule_examples import RULE_EXAMPLES
from pv_harness.errors import UsageError
from pv_harness.project import load_project
from pv_harness.validating.validation import validate
from pv_harness.workflow.declared import read_declared
from pv_harness.workflow.gate import answer_gate, read_policy_file


if TYPE_CHECKING:
    from pv_harness.documents.problem import Problem


FIXTURES = Path(__file__).parent
PACKAGE = Path(pv_harness.__file__).parent
PROJECT = FIXTURES / "project"
AT_A_GATE = {"PV069"}
"""Codes of what shows only when evidence is held against a policy; no file is wrong."""
EXPECTED = "expected"
TODAY = date(2027, 1, 1)

BAD = sorted(path for path in (FIXTURES / "bad").iterdir())
GOOD = sorted(path for path in (FIXTURES / "good").iterdir())


def judge(fixture: Path, root: Path) -> list[str]:
    """The problems of a fixture, a file or a folder, in a copy of the project.

    A file is a contract, or a file of checks (.txt) with a contract for it; a folder is laid
    over the project, and its problems have the path before them.
    """
    shutil.copytree(PROJECT, root, dirs_exist_ok=True)
    if fixture.is_dir():
        _lay_over(fixture, root)
        is_late = fixture.stem.upper() in AT_A_GATE
        found = problems_at_gate(root) if is_late else problems_of(root)
        return [f"{p.path}: {p.code} {p.line}:{p.column}" for p in found]
    if fixture.suffix == ".yaml":
        place = root / "contracts" / fixture.name
        (root / "checks" / "cases.py").write_text(
            'import pytest\n@pytest.mark.falsifies("CASE-001")\ndef test_one() -> None: ...\n'
            '@pytest.mark.falsifies("CASE-002")\ndef test_two() -> None: ...\n'
        )
    else:
        place = root / "checks" / f"{fixture.stem}.py"
    shutil.copy(fixture, place)
    name = place.relative_to(root).as_posix()
    return [f"{p.code} {p.line}:{p.column}" for p in problems_of(root) if p.path == name]


def _lay_over(fixture: Path, root: Path) -> None:
    for source in files_of(fixture):
        name = source.relative_to(fixture)
        target = root / (name.with_suffix(".py") if name.suffix == ".txt" else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def files_of(fixture: Path) -> list[Path]:
    """The files that a fixture puts into the project."""
    if fixture.is_file():
        return [fixture]
    return sorted(f for f in fixture.rglob("*") if f.is_file() and f.name != EXPECTED)


def problems_of(root: Path) -> tuple[Problem, ...]:
    return validate([str(root / "contracts")], load_project(root), TODAY).problems


def problems_at_gate(root: Path) -> tuple[Problem, ...]:
    """What the policy `merge` finds wrong, once everything has been measured and proven."""
    policy = root / "pv-policy.yaml"
    # Evidence is made today, and the waiver has to be of these days too.
    today = datetime.now(UTC).date()
    text = policy.read_text().replace("2026-12-01", today.isoformat())
    policy.write_text(text.replace("2027-01-01", (today + timedelta(30)).isoformat()))
    done = Toy(root).pv("run", "--prove")
    assert "2 of 2 declared defects killed" in done.stdout, done.stdout + done.stderr
    declared, now_s = read_declared(load_project(root)), time.time()
    file = read_policy_file(declared, now_s)
    return answer_gate(declared, {"BASE-001"}, file.policies["merge"], file, now_s).problems


def expected_of(fixture: Path) -> list[str]:
    """What a bad fixture says of itself, in its first line or in a file of its folder."""
    if fixture.is_dir():
        return (fixture / EXPECTED).read_text().splitlines()
    return fixture.read_text().splitlines()[0].removeprefix("# ").split(", ")


@pytest.mark.parametrize("fixture", BAD, ids=lambda path: path.stem)
def test_a_bad_fixture_has_the_problems_that_it_states(fixture: Path, tmp_path: Path) -> None:
    found = judge(fixture, tmp_path)
    assert expected_of(fixture) == found
    assert any(fixture.stem.upper() in problem for problem in found)


@pytest.mark.parametrize("fixture", GOOD, ids=lambda path: path.stem)
def test_its_good_sibling_has_none(fixture: Path, tmp_path: Path) -> None:
    assert judge(fixture, tmp_path) == []


def test_every_code_has_a_bad_and_a_good_fixture() -> None:
    assert [path.stem.upper() for path in BAD] == list(RULE_CODES)
    assert [path.name for path in GOOD] == [path.name for path in BAD]


def test_the_table_has_exactly_the_codes_that_the_source_fires() -> None:
    fired = {
        code
        for path in PACKAGE.rglob("*.py")
        if path.name not in {"rule_codes.py", "rule_examples.py"}
        for code in re.findall(r'"(PV\d{3})"', path.read_text())
    }
    assert fired == set(RULE_CODES)


def lines_of(fixture: Path) -> list[str]:
    """The lines of its files, and of a folder their names as well."""
    lines = [line for file in files_of(fixture) for line in file.read_text().splitlines()]
    if fixture.is_dir():
        names = (file.relative_to(fixture) for file in files_of(fixture))
        lines += [str(name).replace(".txt", ".py") for name in names]
    return [line.strip() for line in lines]


def stands_in(example: str, fixture: Path) -> bool:
    """Whether each line of the example is one of the fixture's; `...` is what was left out."""
    patterns = [
        re.escape(line.strip()).replace(r"\.\.\.", ".*").replace("␇", "\a")
        for line in example.split("\n")
    ]
    lines = lines_of(fixture)
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)


@pytest.mark.parametrize("bad", BAD, ids=lambda path: path.stem)
def test_the_examples_are_lines_of_the_fixtures(bad: Path) -> None:
    example = RULE_EXAMPLES[bad.stem.upper()]
    assert example.bad != example.good
    assert stands_in(example.bad, bad)
    assert stands_in(example.good, FIXTURES / "good" / bad.name)


def test_the_table_the_examples_the_document_and_the_families_have_the_same_codes() -> None:
    document = (FIXTURES.parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (PV\d{3}): ", document, re.MULTILINE) == list(RULE_CODES)
    assert list(RULE_EXAMPLES) == list(RULE_CODES)
    assert set(FAMILIES) == {code[:4] for code in RULE_CODES}


def test_the_document_is_made_from_the_table() -> None:
    program = FIXTURES.parents[2] / "docs" / "rules.py"
    done = subprocess.run([sys.executable, str(program), "--check"], check=False)
    assert done.returncode == 0, "run: python docs/rules.py"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("PV0052", "did you mean PV052?"),
        ("V052", "did you mean PV052?"),
        ("PV0521", "did you mean PV052?"),
        ("52", "did you mean PV052?"),
        ("PV52", "did you mean PV052?"),
        ("pv1", "did you mean PV001?"),
        ("PV10", "did you mean PV010?"),
        ("PV08", "did you mean PV008, or one of PV080 to PV089?"),
        ("PV00", "did you mean one of PV001 to PV009?"),
        ("PV099", "did you mean one of PV090 to PV094?"),
        ("PV100", "`pv rules` lists them"),
        ("PV0", "`pv rules` lists them"),
        ("PV", "`pv rules` lists them"),
        ("PV999", "`pv rules` lists them"),
        ("", "`pv rules` lists them"),
    ],
)
def test_an_unknown_code_is_refused_with_the_nearest(code: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{code!r} is no code of a rule; {hint}")):
        find_rule(code)


def test_a_code_is_found_in_small_letters_too() -> None:
    assert find_rule(" pv052 ") is RULE_CODES["PV052"]
    assert RULE_CODES["PV052"].family == "planted changes"


def test_the_table_is_in_order_and_says_something_about_each() -> None:
    assert list(RULE_CODES) == sorted(RULE_CODES)
    assert len({entry.title for entry in RULE_CODES.values()}) == len(RULE_CODES)
    for code, entry in RULE_CODES.items():
        assert code == entry.code
        assert entry.title
        assert not entry.title.endswith(".")
        assert entry.cause.endswith(".")
        assert entry.remedy.endswith(".")

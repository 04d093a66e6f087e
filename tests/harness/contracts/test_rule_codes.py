"""Every code has a file that fires it, a sibling that does not, and an entry in the table."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pv_harness
from pv_harness.contracts.rule_codes import FAMILIES, RULE_CODES, find_rule
from pv_harness.contracts.rule_examples import RULE_EXAMPLES
from pv_harness.contracts.validation import validate
from pv_harness.errors import UsageError
from pv_harness.project import load_project


if TYPE_CHECKING:
    from pv_harness.documents.problem import Problem


FIXTURES = Path(__file__).parent
PACKAGE = Path(pv_harness.__file__).parent
WITHOUT_A_FILE = {"PV001", "PV039", "PV069", "PV085"}
"""No file in a repository is unreadable for everybody: test_loading makes a pipe instead. And
what is wrong with the name of a file is no matter of its text: test_bindings has it. Whether a
waiver is needed shows only at a gate: commands/test_gate. Two files of one stem are two files:
foreign/test_judging."""
TODAY = date(2027, 1, 1)

BAD = sorted(path for path in (FIXTURES / "bad").iterdir())
GOOD = sorted(path for path in (FIXTURES / "good").iterdir())


def judge(fixture: Path, folder: Path) -> list[Problem]:
    """The problems that the fixture has as a contract, or as a file of checks, of a project."""
    shutil.copytree(FIXTURES / "project", folder, dirs_exist_ok=True)
    if fixture.suffix == ".yaml":
        place = folder / "contracts" / fixture.name
        (folder / "checks" / "cases.py").write_text(
            'import pytest\n@pytest.mark.falsifies("CASE-001")\ndef test_one() -> None: ...\n'
            '@pytest.mark.falsifies("CASE-002")\ndef test_two() -> None: ...\n'
        )
    else:
        place = folder / "checks" / f"{fixture.stem}.py"
    shutil.copy(fixture, place)
    report = validate([str(folder / "contracts")], load_project(folder), TODAY)
    name = place.relative_to(folder).as_posix()
    return [problem for problem in report.problems if problem.path == name]


@pytest.mark.parametrize("fixture", BAD, ids=lambda path: path.stem)
def test_a_bad_file_has_the_problems_that_its_first_line_states(
    fixture: Path, tmp_path: Path
) -> None:
    first_line = fixture.read_text().splitlines()[0]
    found = [f"{p.code} {p.line}:{p.column}" for p in judge(fixture, tmp_path)]
    assert first_line == "# " + ", ".join(found)
    assert fixture.stem.upper() in first_line


@pytest.mark.parametrize("fixture", GOOD, ids=lambda path: path.stem)
def test_its_good_sibling_has_none(fixture: Path, tmp_path: Path) -> None:
    assert judge(fixture, tmp_path) == []


def test_every_code_has_a_bad_and_a_good_file() -> None:
    codes = sorted(set(RULE_CODES) - WITHOUT_A_FILE)
    assert [path.stem.upper() for path in BAD] == codes
    assert [path.stem.upper() for path in GOOD] == codes


def test_the_table_has_exactly_the_codes_that_the_source_fires() -> None:
    fired = {
        code
        for path in PACKAGE.rglob("*.py")
        if path.name not in {"rule_codes.py", "rule_examples.py"}
        for code in re.findall(r'"(PV\d{3})"', path.read_text())
    }
    assert fired == set(RULE_CODES)


def lines_of(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]


def stands_in(example: str, file: Path) -> bool:
    """Whether each line of the example is one of the file's; `...` is what was left out."""
    patterns = [
        re.escape(line.strip()).replace(r"\.\.\.", ".*").replace("␇", "\a")
        for line in example.split("\n")
    ]
    return all(
        any(re.fullmatch(pattern, line) for line in lines_of(file)) for pattern in patterns
    )


@pytest.mark.parametrize("code", sorted(set(RULE_CODES) - WITHOUT_A_FILE))
def test_the_examples_are_lines_of_the_files(code: str) -> None:
    (bad,) = (path for path in BAD if path.stem.upper() == code)
    example = RULE_EXAMPLES[code]
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

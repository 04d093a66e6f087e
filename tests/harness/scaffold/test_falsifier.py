"""What `pv new` would add, and every request that it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.harness.conftest import CONTRACT, Toy, make_toy

from pv_harness.errors import ContractError, UsageError
from pv_harness.project import Project, load_project
from pv_harness.scaffold.changes import Action, write_changes
from pv_harness.scaffold.falsifier import Addition, Request, plan_falsifier
from pv_harness.validating.validation import load_contracts, validate


NEW = "FALSIFY-TOY-002"


def project_of(toy: Toy) -> Project:
    return load_project(toy.root)


def plan(toy: Toy, identity: str, contract: str | None = None, *covers: str) -> Addition:
    file = None if contract is None else toy.root / contract
    return plan_falsifier(project_of(toy), Request(identity, file, covers))


def add(toy: Toy, identity: str, contract: str | None = None, *covers: str) -> Addition:
    added = plan(toy, identity, contract, *covers)
    write_changes(toy.root, (added.contract, added.check))
    return added


def test_the_entry_goes_behind_the_others_and_the_check_into_a_file_of_its_own(
    toy: Toy,
) -> None:
    added = add(toy, "FALSIFY-TOY-002")
    assert added.contract.name == "contracts/toy-v1.yaml"
    assert added.contract.text.startswith(CONTRACT)
    assert added.check.name == "checks/test_falsify_toy_002.py"
    lines = added.contract.text.splitlines()
    assert lines[added.contract_line - 1] == "- id: FALSIFY-TOY-002"
    assert added.check.text.splitlines()[added.check_line - 1].startswith("def test_falsify")


def test_what_is_added_is_valid_bound_and_in_no_count(toy: Toy) -> None:
    add(toy, "FALSIFY-TOY-002")
    report = validate([str(toy.root / "contracts")], project_of(toy))
    assert [problem.code for problem in report.problems] == ["PV015"]
    assert report.errors == 0
    assert (report.bound, len(report.falsifiers)) == (2, 2)
    new = report.falsifiers[1]
    assert (new.id, new.covers, new.counted) == ("FALSIFY-TOY-002", ("toy.math",), False)


def test_nothing_of_another_claim_changes(toy: Toy) -> None:
    (before,) = load_contracts(project_of(toy))[0]
    add(toy, "FALSIFY-TOY-002")
    (after,) = load_contracts(project_of(toy))[0]
    assert after.falsifiers[:1] == before.falsifiers


def test_a_contract_that_does_not_exist_is_made(toy: Toy) -> None:
    added = add(toy, "FALSIFY-DATA-001", "contracts/data-v1.yaml", "toy.cli", "toy.math")
    assert added.contract.action is Action.CREATE
    contracts, _ = load_contracts(project_of(toy))
    assert [c.id for c in contracts] == ["data-v1", "toy-v1"]
    assert contracts[0].falsifiers[0].covers == ("toy.cli", "toy.math")


def test_a_first_contract_can_be_made_too(tmp_path: Path) -> None:
    toy = make_toy(tmp_path)
    (toy.root / "contracts/toy-v1.yaml").unlink()
    (toy.root / "checks/test_toy.py").unlink()
    with pytest.raises(UsageError, match="no contract yet; `pv init` makes a first one"):
        plan(toy, "FALSIFY-TOY-001")
    add(toy, "FALSIFY-TOY-001", "contracts/toy-v1.yaml", "toy.math")
    assert len(load_contracts(project_of(toy))[0]) == 1


def test_ids_of_a_family_go_together(toy: Toy) -> None:
    add(toy, "FALSIFY-DATA-001", "contracts/data-v1.yaml", "toy.cli")
    assert plan(toy, "FALSIFY-DATA-002").contract.name == "contracts/data-v1.yaml"
    assert plan(toy, "FALSIFY-TOY-002").contract.name == "contracts/toy-v1.yaml"
    message = (
        "FALSIFY-ELSE-001: no contract declares IDs that begin with FALSIFY-ELSE-; there are "
        "FALSIFY-DATA- in contracts/data-v1.yaml, FALSIFY-TOY- in contracts/toy-v1.yaml; name "
        "the file with --contract FILE, contracts/data-v1.yaml say, or a new one, "
        "contracts/else-v1.yaml"
    )
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(toy, "FALSIFY-ELSE-001")
    add(toy, "FALSIFY-DATA-003", "contracts/toy-v1.yaml")
    with pytest.raises(UsageError, match="FALSIFY-DATA-002 could go into contracts/data"):
        plan(toy, "FALSIFY-DATA-002")


def test_a_check_can_lie_beside_a_configured_file(toy: Toy) -> None:
    toy.edit("pyproject.toml", 'checks = ["checks"]', 'checks = ["checks/test_toy.py"]')
    assert plan(toy, "FALSIFY-TOY-002").check.name == "checks/test_falsify_toy_002.py"


@pytest.mark.parametrize(
    ("identity", "contract", "covers", "message"),
    [
        (
            "falsify-toy-002",
            None,
            (),
            "'falsify-toy-002' is no ID; an ID is capital words joined by hyphens, three",
        ),
        ("FALSIFY-TOY-2", None, (), "'FALSIFY-TOY-2' is no ID"),
        ("FALSIFY-TOY-002\n", None, (), r"'FALSIFY-TOY-002\n' is no ID"),
        (
            "FALSIFY-TOY-001",
            None,
            (),
            "in contracts/toy-v1.yaml; an ID never gets a second meaning, take " + NEW,
        ),
        (
            "FALSIFY-TOY-002",
            None,
            ("toy.maths",),
            "--covers toy.maths: no such module below src; did you mean toy.math?",
        ),
        (
            "FALSIFY-TOY-002",
            None,
            ("zzz",),
            "--covers zzz: no such module below src; name one, such as pkg.train",
        ),
        (
            "FALSIFY-DATA-001",
            "contracts/data-v1.yaml",
            (),
            "contracts/data-v1.yaml is new; say which module of the subject its first claim is",
        ),
        (
            "FALSIFY-TOY-002",
            "pyproject.toml",
            (),
            "is no native contract of this project; it has: contracts/toy-v1.yaml",
        ),
        (
            "FALSIFY-TOY-002",
            "elsewhere/x.yaml",
            ("toy.math",),
            "elsewhere/x.yaml: lies outside the folders of contracts, contracts",
        ),
        (
            "FALSIFY-TOY-002",
            "contracts/x.json",
            ("toy.math",),
            "contracts/x.json: a contract is a .yaml file",
        ),
        (
            "FALSIFY-TOY-002",
            "contracts/Not Good.yaml",
            ("toy.math",),
            NEW + " would make the contract invalid: contracts/Not Good.yaml:2:5: PV010",
        ),
    ],
)
def test_a_request_that_can_not_be_met_says_why(
    toy: Toy, identity: str, contract: str | None, covers: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(toy, identity, contract, *covers)


def test_a_family_with_all_numbers_taken_asks_for_another_stem(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "- id: FALSIFY-TOY-001", "- id: FALSIFY-TOY-999")
    toy.edit("checks/test_toy.py", "FALSIFY-TOY-001", "FALSIFY-TOY-999")
    with pytest.raises(UsageError, match="take another stem"):
        plan(toy, "FALSIFY-TOY-999")


def test_a_check_that_is_there_is_not_overwritten(toy: Toy) -> None:
    toy.write("checks/test_falsify_toy_002.py", "# mine\n")
    message = "checks/test_falsify_toy_002.py: is there, and not bound to FALSIFY-TOY-002"
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(toy, "FALSIFY-TOY-002")


def test_contracts_that_are_invalid_are_reported_first(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "prediction:", "predicton:")
    with pytest.raises(ContractError, match="did you mean 'prediction'"):
        plan(toy, "FALSIFY-TOY-002")


def test_a_file_is_found_from_any_folder(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy.root / "contracts")
    request = Request("FALSIFY-ELSE-001", Path("toy-v1.yaml"))
    added = plan_falsifier(project_of(toy), request)
    assert added.contract.name == "contracts/toy-v1.yaml"

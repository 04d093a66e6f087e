from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pytest

import pv_trainer
from pv_trainer import error_ids, errors
from pv_trainer.exit_status import ExitStatus


PACKAGE = Path(pv_trainer.__file__).parent
SUBCLASSES = sorted(errors.AprError.__subclasses__(), key=lambda cls: cls.__name__)


def test_a_message_has_the_id_then_what_is_wrong_then_the_remedy() -> None:
    error = errors.InitInvalid(error_ids.INIT_FORMAT, "a.apr: it is empty", "copy it again")
    assert str(error) == "[FALSIFY-APR-PRETRAIN-INIT-004] a.apr: it is empty; copy it again"


def test_a_message_without_a_remedy_of_its_own_has_that_of_its_id() -> None:
    assert (
        str(errors.UsageError(error_ids.USAGE, "no verb"))
        == "[APR-CLI-001] no verb; see --help"
    )
    several = errors.InitInvalid(error_ids.INIT_POPULATION, "two findings:\n  a\n  b")
    assert str(several).splitlines()[-1] == error_ids.REMEDIES[error_ids.INIT_POPULATION]


def test_a_message_of_an_id_without_a_remedy_ends_after_what_is_wrong() -> None:
    assert (
        str(errors.Divergence(error_ids.DIVERGENCE, "9 > 2 x 4"))
        == "[GATE-TRAIN-005] 9 > 2 x 4"
    )


@pytest.mark.parametrize("cls", SUBCLASSES, ids=lambda cls: cls.__name__)
def test_an_error_survives_the_way_to_another_process(cls: type[errors.AprError]) -> None:
    error = cls(error_ids.CHECKPOINT, "what", "remedy")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert (copy.id, copy.what, copy.remedy) == (error_ids.CHECKPOINT, "what", "remedy")


def test_each_error_has_a_status_of_its_own() -> None:
    statuses = [cls.status for cls in SUBCLASSES]
    assert len(set(statuses)) == len(SUBCLASSES) == 9


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    tree = [line.split() for line in (errors.__doc__ or "").splitlines()]
    drawn = {(words[1], words[2]) for words in tree if words[:1] in (["├──"], ["└──"])}
    assert drawn == {(cls.__name__, str(cls.status.code)) for cls in SUBCLASSES}


def test_exit_codes_are_those_of_the_specification() -> None:
    assert {status.name: status.code for status in ExitStatus} == {
        "TARGET_MET": 0,
        "EARLY_STOP": 0,
        "BUDGET_END": 0,
        "USAGE": 2,
        "INIT_INVALID": 10,
        "DATA_INVALID": 11,
        "DEVICE_UNAVAILABLE": 12,
        "DIVERGENCE": 20,
        "NUMERICAL_INSTABILITY": 21,
        "STREAM_EXHAUSTED": 22,
        "CHECKPOINT_FAILED": 23,
        "INTERRUPTED": 130,
    }


def test_every_id_constant_has_one_meaning_and_every_meaning_a_constant() -> None:
    constants = [
        value
        for name, value in vars(error_ids).items()
        if name.isupper() and isinstance(value, str)
    ]
    assert sorted(constants) == sorted(error_ids.MEANINGS)
    assert len(set(error_ids.MEANINGS.values())) == len(constants)


def test_an_id_is_declared_by_a_contract_or_said_to_be_by_none() -> None:
    contracts = sorted((Path(__file__).resolve().parents[2] / "contracts").glob("*-v1.yaml"))
    declared = {
        found
        for path in contracts
        for found in re.findall(
            r"^- id: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert len(declared) > 30
    assert error_ids.MEANINGS.keys() - declared == error_ids.UNDECLARED


def test_an_id_is_spelled_in_the_table_only() -> None:
    strays = [
        f"{path.name}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in error_ids.MEANINGS
        if path.name != "error_ids.py"
    ]
    assert strays == []

"""docs/foreign.md says what is understood, and which findings there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.validating.foreign.tables import FALSIFIER_KEYS


ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "foreign.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "foreign.py"), "--check"], check=False
    )
    assert done.returncode == 0, "run: python docs/foreign.py"


def test_every_finding_on_foreign_files_is_listed() -> None:
    listed = re.findall(r"^\| (PV\d{3}) \|", TEXT, re.MULTILINE)
    native = {"PV093"}  # what is left to say in a contract that `pv migrate` wrote
    codes = [code for code in RULE_CODES if code >= "PV080" and code not in native]
    assert listed == ["PV014", *codes]


def test_every_key_of_falsifiers_is_named() -> None:
    assert [key for key in FALSIFIER_KEYS if f"`{key}`" not in TEXT] == []

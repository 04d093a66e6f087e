"""docs/policy-format.md is two schemas in words, and its examples are files of those kinds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pv_harness.documents.loading import load
from pv_harness.documents.schema_check import schema_problems


ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/policy-format.md").read_text(encoding="utf-8")


def test_it_is_made_from_the_schemas() -> None:
    program = ROOT / "docs" / "policy_format.py"
    done = subprocess.run([sys.executable, str(program), "--check"], check=False)
    assert done.returncode == 0, "run: python docs/policy_format.py"


@pytest.mark.parametrize(("number", "schema"), [(0, "policy-v1"), (1, "release-v1")])
def test_an_example_is_valid(number: int, schema: str) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert len(examples) == 2
    document = load(examples[number].encode(), "x.yaml")
    assert document.problems == ()
    assert schema_problems(document, schema)[0] == ()

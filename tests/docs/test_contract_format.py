"""docs/contract-format.md is the schema in words, and its example is a contract."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pv_harness
from pv_harness.contracts.reading import read_contract
from pv_harness.documents.loading import load
from pv_harness.documents.schema_check import check_schema


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/contract-format.md").read_text(encoding="utf-8")
SCHEMA = json.loads(
    (Path(pv_harness.__file__).parent / "schema/contract-v1.json").read_text(encoding="utf-8")
)


def keys(part: Any) -> Iterator[str]:
    """Every key that some mapping of the format may have."""
    if isinstance(part, dict):
        for name, value in part.get("properties", {}).items():
            yield name
            yield from keys(value)
        yield from (k for name, v in part.items() if name != "properties" for k in keys(v))


def test_it_is_made_from_the_schema() -> None:
    program = ROOT / "docs" / "contract_format.py"
    done = subprocess.run([sys.executable, str(program), "--check"], check=False)
    assert done.returncode == 0, "run: python docs/contract_format.py"


@pytest.mark.parametrize("key", sorted(set(keys(SCHEMA))))
def test_every_key_is_described(key: str) -> None:
    row = re.search(rf"^\| `{key}` \| [^|]+ \| [^|]{{5,}}", TEXT, re.MULTILINE)
    assert row or f"`{key}`" in TEXT.partition("## `levels`")[2]


def test_the_example_is_a_contract() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    document = load(example.encode(), "contracts/my-trainer-v1.yaml")
    assert document.problems == ()
    assert check_schema(document)[0] == ()
    (falsifier,) = read_contract(document).falsifiers
    assert falsifier.ceiling.value == "INTEGRATION"

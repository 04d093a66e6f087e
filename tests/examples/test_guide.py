"""docs/using-pv.md says what is so: every setting, every input, every hook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from pv_harness.errors import UsageError
from pv_harness.project import load_project


ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/using-pv.md").read_text(encoding="utf-8")


def table_under(heading: str) -> list[list[str]]:
    """The cells of the last table that begins after a heading and before the next one."""
    section = GUIDE.split(f"\n{heading}\n", 1)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_setting_is_in_the_guide(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pv]\nzzz = 1\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_project(tmp_path)
    known = str(caught.value).partition("it knows ")[2].split(", ")
    assert [row[0].strip("`") for row in table_under("## `[tool.pv]`")] == known


def test_the_defaults_in_the_guide_are_the_defaults(tmp_path: Path) -> None:
    project = load_project(tmp_path)
    for key, shown, _ in table_under("## `[tool.pv]`"):
        value = getattr(project, key.strip("`"))
        first = shown.partition("`, or")[0].strip("`")
        if first.startswith('"'):
            assert value == tmp_path / json.loads(first), key
        elif key in {"`contracts`", "`checks`"}:
            assert value == tuple(tmp_path / name for name in json.loads(first)), key
    assert project.source_roots == (tmp_path,)


def test_every_input_of_the_action_is_in_the_guide() -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    shown = {row[0].strip("`"): row[1].strip("`") for row in table_under("## CI")}
    assert shown == {name: about["default"] for name, about in inputs.items()}


def test_every_hook_is_in_the_guide() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert re.findall("- id: ([a-z-]+)", GUIDE) == [hook["id"] for hook in hooks]


def test_the_example_is_described_as_it_is() -> None:
    example = ROOT / "examples/external"
    readme = (example / "README.md").read_text(encoding="utf-8")
    contract = yaml.safe_load((example / "contracts/tinyloop-v1.yaml").read_text("utf-8"))
    lines = len((example / "src/tinyloop/train.py").read_text(encoding="utf-8").splitlines())
    assert f"{lines} lines" in readme
    assert f"{lines} lines" in GUIDE
    falsifiers = contract["falsifiers"]
    ids = [falsifier["id"] for falsifier in falsifiers]
    assert re.findall(r"^\| (FALSIFY-[A-Z0-9-]+)", readme, re.MULTILINE) == ids
    planted = sum(len(f["defects"]) for f in falsifiers)
    controls = sum(len(f["controls"]) for f in falsifiers)
    assert f"{planted} defects and {controls} controls" in readme
    for name in re.findall(r"^\| ([a-z./_0-9-]+\.[a-z]+) \|", readme, re.MULTILINE):
        assert (example / name).exists(), name

"""What CI uses: the action, workflows and hooks; their steps are run as CI would run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.harness.conftest import Toy, make_toy


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
EXAMPLE = ROOT / "examples/external/.github/workflows/pv.yml"
POLICY = (ROOT / "harness/pv_harness/scaffold/templates/policy.yaml").read_text("utf-8")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Job:
    """What became of a job: the names of steps that ran, what they printed, how it ended."""

    ran: tuple[str, ...]
    output: str
    summary: str
    failed: str | None


def run_steps(steps: Sequence[Mapping[str, Any]], toy: Toy, inputs: Mapping[str, str]) -> Job:
    """Run the steps of a job as its runner does, but for those that install something."""
    programs = toy.root.parent / "programs"
    programs.mkdir(exist_ok=True)
    script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pv_harness "$@"\n'
    (programs / "pv").write_text(script)
    (programs / "pv").chmod(0o755)
    summary = toy.root.parent / "summary.md"
    summary.touch()
    variables = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "harness"),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    ran, output, failed = [], "", None
    for step in steps:
        command = step.get("run", "")
        if not command or "pip install" in command:
            continue
        name = step.get("name", command)
        if failed and step.get("if") != "always()":
            continue
        own = {key: _evaluate(text, inputs) for key, text in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            cwd=toy.root,
            env={**variables, **own},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        ran.append(name)
        output += done.stdout + done.stderr
        if done.returncode and not failed:
            failed = name
    return Job(tuple(ran), output, summary.read_text(encoding="utf-8"), failed)


def _evaluate(text: str, inputs: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: inputs[found[1]], text)


def run_action(toy: Toy, **given: str) -> Job:
    action = read(ACTION)
    defaults = {name: about["default"] for name, about in action["inputs"].items()}
    toy.write("pv-policy.yaml", POLICY)
    return run_steps(action["runs"]["steps"], toy, {**defaults, **given})


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return make_toy(tmp_path / "toy")


@pytest.mark.parametrize(
    ("schema", "file"), [("github-actions", ACTION), ("github-workflows", EXAMPLE)]
)
def test_the_files_of_ci_are_what_their_schemas_say(schema: str, file: Path) -> None:
    assert_valid(schema, file)


def test_the_workflow_that_init_makes_is_valid_and_passes(tmp_path: Path) -> None:
    (tmp_path / "loop").mkdir()
    fresh = Toy(tmp_path / "loop")
    assert fresh.pv("init").returncode == 0
    workflow = fresh.root / ".github/workflows/pv.yml"
    assert_valid("github-workflows", workflow)
    job = run_steps(read(workflow)["jobs"]["falsify"]["steps"], fresh, {})
    assert job.failed is None, job.output
    assert len(job.ran) == 4
    assert "FALSIFY-LOOP-001" in job.summary


def assert_valid(schema: str, file: Path) -> None:
    options = ["--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_passes_what_is_proven(toy: Toy) -> None:
    job = run_action(toy)
    assert job.failed is None, job.output
    assert job.ran == (
        "Judge the contracts",
        "Measure, and plant the defects",
        "Show the scoreboard",
        "Decide",
    )
    assert "FALSIFY-TOY-001" in job.summary


def test_a_refuted_claim_is_shown_and_stopped_by_the_gate(toy: Toy) -> None:
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    job = run_action(toy)
    assert job.failed == "Decide"
    assert "FAILED" in job.summary
    assert "::error" in job.output


def test_an_invalid_contract_stops_the_job_at_once(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "prediction:", "predicton:")
    job = run_action(toy)
    assert job.failed == "Judge the contracts"
    assert job.ran == ("Judge the contracts", "Show the scoreboard")
    assert "::error file=contracts/toy-v1.yaml,line=" in job.output


def test_what_breaks_the_measuring_is_not_left_to_the_gate(toy: Toy) -> None:
    job = run_action(toy, jobs="none")
    assert job.failed == "Measure, and plant the defects"


def test_without_a_proof_the_gate_stays_shut(toy: Toy) -> None:
    job = run_action(toy, prove="false")
    assert job.failed == "Decide"


def test_falsifiers_and_gate_can_be_chosen(toy: Toy) -> None:
    job = run_action(toy, falsifiers="FALSIFY-TOY-* toy-v1", policy="")
    assert job.failed is None, job.output
    assert run_action(toy, policy="nothing").failed == "Decide"


def test_text_of_an_input_is_never_run(toy: Toy) -> None:
    run_action(
        toy, policy='"; touch owned; "', jobs="$(touch owned)", falsifiers="`touch owned`"
    )
    assert not (toy.root / "owned").exists()
    for step in read(ACTION)["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step["name"]


def test_every_input_says_what_it_is_and_has_a_default() -> None:
    for name, about in read(ACTION)["inputs"].items():
        assert about["description"].endswith("."), name
        assert isinstance(about["default"], str), name


def test_the_example_uses_inputs_that_exist() -> None:
    steps = read(EXAMPLE)["jobs"]["falsify"]["steps"]
    (used,) = (step for step in steps if "/pv@" in step.get("uses", ""))
    assert set(used["with"]) <= set(read(ACTION)["inputs"])


def test_hooks_have_what_pre_commit_needs() -> None:
    hooks = read(HOOKS)
    assert [hook["id"] for hook in hooks] == ["pv-validate", "pv-verify-anchors"]
    for hook in hooks:
        assert {"id", "name", "entry", "language", "pass_filenames"} <= hook.keys()
        assert hook["language"] == "python"
        assert hook["pass_filenames"] is False


@pytest.mark.parametrize("number", [0, 1])
def test_hooks_run_and_find_an_anchor_that_vanished(toy: Toy, number: int) -> None:
    hook = read(HOOKS)[number]
    arguments: list[str] = list(hook.get("args", ()))
    program, *words = [*shlex.split(hook["entry"]), *arguments]
    assert program == "pv"
    assert toy.pv(*words).returncode == 0
    toy.edit("src/toy/math.py", "a + b", "b + a")
    done = toy.pv(*words)
    assert done.returncode not in (0, 3)
    assert "the text to find does not stand in src/toy/math.py" in done.stdout + done.stderr

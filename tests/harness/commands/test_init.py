"""`pv init`: the real command line, and what it makes run through all the other verbs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

import pv_harness
from pv_harness.documents.loading import load_file


if TYPE_CHECKING:
    from tests.harness.conftest import Toy


SCHEMAS = Path(pv_harness.__file__).parent / "schema"


@pytest.fixture
def place(toy: Toy, tmp_path: Path) -> Toy:
    """An empty folder called `loop`."""
    (tmp_path / "loop").mkdir()
    return type(toy)(tmp_path / "loop")


def assert_passes_at_once(place: Toy) -> None:
    validated = place.pv("validate", "contracts")
    assert validated.returncode == 0
    assert "1 bound to 1 check" in validated.stdout
    assert "0 errors, 0 warnings" in validated.stdout
    run = place.pv("run", "--prove", "--jobs", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 of 1 at their ceiling" in run.stdout
    assert "2 of 2 declared defects killed" in run.stdout
    gate = place.pv("gate", "--policy", "merge")
    assert gate.returncode == 0, gate.stdout + gate.stderr


def test_an_empty_folder_becomes_a_repository_that_passes(place: Toy) -> None:
    done = place.pv("init")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "created   pyproject.toml                     [tool.pv]: where things are\n"
        "created   contracts/loop-v1.yaml             one claim, 2 planted defects, 1 control\n"
        "created   contracts/contract-v1.schema.json  what editors complete contracts by\n"
        "created   checks/test_loop_v1.py             its check: it measures, the contract "
        "judges\n"
        "created   src/loop/__init__.py               a package to begin with\n"
        "created   src/loop/fit.py                    a part of it\n"
        "created   src/loop/cli.py                    a part of it\n"
        "created   src/loop/__main__.py               a part of it\n"
        "created   pv-policy.yaml                     what the gate asks for\n"
        "created   .github/workflows/pv.yml           the same in CI\n"
        "created   .gitignore                         reports/ and *.key.pem stay out\n"
        "\n"
        "next:\n"
        "  pv validate               judge the contract itself\n"
        "  pv run --prove            measure, plant the defects, show the scoreboard\n"
        "  pv gate --policy merge    decide, as CI will\n"
        "  pv new ID                 add a claim of your own\n"
    )
    assert_passes_at_once(place)


def test_a_package_that_is_there_gets_a_claim_that_passes(place: Toy) -> None:
    place.write("pyproject.toml", '[project]\nname = "mine"\nversion = "1"\n')
    source = '"""Mine."""\n\nfrom __future__ import annotations\n\nimport math\n\nX = math.pi\n'
    place.write("mine/__init__.py", source)
    assert place.pv("init").returncode == 0
    assert (place.root / "mine/__init__.py").read_text() == source
    assert_passes_at_once(place)


def test_a_program_beside_it_is_named_with_the_reason_why_it_is_not_used(place: Toy) -> None:
    place.write("train.py", "import math\n\nfor step in range(10):\n    math.sin(step)\n")
    done = place.pv("init")
    assert done.returncode == 0
    assert (
        "train.py was seen, but no claim is about it: importing it runs line 3, 'for step in "
        "range(10):'; put what it does into functions, and the call under `if __name__ == "
        '"__main__":`' in " ".join(done.stdout.split())
    )


def test_a_module_that_can_be_imported_gets_the_claim(place: Toy) -> None:
    place.write(
        "train.py", "def train():\n    pass\n\n\nif __name__ == '__main__':\n    train()\n"
    )
    done = place.pv("init")
    assert "contracts/loop-v1.yaml             one claim about train, 2 planted" in done.stdout
    assert "was seen" not in done.stdout
    assert_passes_at_once(place)


def test_editors_find_the_schema_of_what_is_made(place: Toy) -> None:
    place.pv("init")
    added = ("--contract", "contracts/more-v1.yaml", "--covers", "loop.fit")
    assert place.pv("new", "FALSIFY-MORE-001", *added).returncode == 0
    for name in ("loop-v1", "more-v1"):
        file = place.root / "contracts" / f"{name}.yaml"
        first, _ = file.read_text().split("\n", 1)
        assert first.startswith("# yaml-language-server: $schema=")
        schema = (file.parent / first.partition("=")[2]).read_text()
        assert json.loads(schema) == json.loads((SCHEMAS / "contract-v1.json").read_text())


def test_the_workflow_says_where_what_the_code_imports_is_installed(place: Toy) -> None:
    place.pv("init")
    text = (place.root / ".github/workflows/pv.yml").read_text()
    assert "    # What your code imports is installed here as well: torch, say.\n" in text
    assert yaml.safe_load(text)["jobs"]["falsify"]["steps"]


def test_the_workflow_installs_what_signatures_need_where_keys_are_trusted(place: Toy) -> None:
    place.write("pyproject.toml", '[tool.pv.keys]\nci = "ci.pub.pem"\n')
    place.pv("init")
    text = (place.root / ".github/workflows/pv.yml").read_text()
    assert 'pip install "pv-harness[run,sign]"' in text


def test_what_the_claim_forbids_is_found(place: Toy) -> None:
    place.write("mine/__init__.py", "import random\n\nrandom.seed(7)\n")
    place.write("mine/quiet.py", "import math\n")
    assert place.pv("init", "--name", "mine").returncode == 0
    done = place.pv("run")
    assert done.returncode == 1
    assert "changed_generators is 1, but must be = 0" in " ".join(done.stdout.split())


def test_a_second_time_nothing_is_touched(place: Toy) -> None:
    place.pv("init")
    files = {p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()}
    done = place.pv("init")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[:5]] == ["kept"] * 5
    assert "has contracts, so that no example is needed" in done.stdout
    assert {p: p.read_bytes() for p in place.root.rglob("*") if p.is_file()} == files


def test_a_dry_run_makes_nothing(place: Toy) -> None:
    done = place.pv("init", "--dry-run")
    assert done.returncode == 0
    assert "would create  contracts/loop-v1.yaml" in done.stdout
    assert "next:" not in done.stdout
    assert list(place.root.iterdir()) == []


@pytest.mark.parametrize("words", [("sub/new",), ("--root", "."), (".",)])
def test_the_folder_can_be_named(place: Toy, words: tuple[str, ...]) -> None:
    done = place.pv("init", *words, "--name", "Deep Thing")
    assert done.returncode == 0, done.stderr
    root = place.root / (words[0] if words[0] == "sub/new" else ".")
    assert (root / "contracts/deep-thing-v1.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pyproject.toml",), "is a file; give the folder of a repository"),
        (("--name", "!"), "--name '!': holds no letter or digit"),
    ],
)
def test_what_can_not_be_made_is_a_usage_error(
    place: Toy, words: tuple[str, ...], message: str
) -> None:
    place.write("pyproject.toml", "")
    done = place.pv("init", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_pyproject_is_left_as_it_is(place: Toy) -> None:
    place.write("pyproject.toml", "[tool")
    done = place.pv("init")
    assert done.returncode == 2
    assert "pyproject.toml: can't be read as TOML" in done.stderr
    assert [p.name for p in place.root.iterdir()] == ["pyproject.toml"]


def test_a_folder_that_can_not_be_written_is_infrastructure(place: Toy) -> None:
    place.write(".github", "a file where a folder should be")
    done = place.pv("init")
    assert done.returncode in (2, 4)
    assert ".github/workflows/pv.yml: can't be" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_policy_that_is_made_is_valid_against_its_schema(place: Toy) -> None:
    place.pv("init")
    schema = json.loads((SCHEMAS / "policy-v1.json").read_text(encoding="utf-8"))
    policy = load_file(place.root / "pv-policy.yaml", "pv-policy.yaml")
    jsonschema.validate(policy.value, schema)


@pytest.mark.parametrize("name", ["pyproject.toml", "checks", "contracts", ".github"])
def test_a_link_out_of_the_repository_is_not_followed(place: Toy, name: str) -> None:
    outside = place.root.parent / "outside"
    outside.mkdir()
    (place.root / name).symlink_to(outside / "target" if "." in name[1:] else outside)
    done = place.pv("init", ".")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "leads out of the project, to " in done.stderr
    assert list(outside.iterdir()) == []
    assert [path.name for path in place.root.iterdir()] == [name]

"""`pv validate` beside what else validates YAML against a schema: wall time, with start-up.

The files are native contracts of about 5 kB, all different, valid, and without a check each, so
that ours has a warning for every claim; with --checks each claim has one, and ours parses those
too. The peers are given contract-v1.json, which says less than our rules do. With --corpus DIR
the files of a folder, many times over, are validated instead, by ours alone: nobody else reads
their dialects.

Ours is timed without remembering anything, by one process and by two; with everything
remembered; and with one file changed since. Ours without the extra `fast` is timed too.

Run: python bench/validate.py [--sizes 1,200,2400] [--check-jsonschema PROGRAM] [--ajv PROGRAM]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from native_contracts import contract, write_project
from pv_harness.documents.schema_check import SCHEMA_FOLDER
from timing import Contender, describe_machine, render_table, time_in_turn


SCHEMA = SCHEMA_FOLDER / "contract-v1.json"
PLAIN_PEER = """\
import json, pathlib, sys, jsonschema, yaml
loader = getattr(yaml, sys.argv[1])
validator = jsonschema.Draft7Validator(json.loads(pathlib.Path(sys.argv[2]).read_text()))
for file in sorted(pathlib.Path(sys.argv[3]).glob("*.yaml")):
    for error in validator.iter_errors(yaml.load(file.read_text(), Loader=loader)):
        print(file, error.message)
"""
MOST_FOR_SLOW_PEERS = 2400
SETTLING_S = 2.5
"""`pv validate` remembers nothing about a file that has changed so shortly before."""


def main() -> int:
    """Print one table per size."""
    args = _arguments()
    print(describe_machine())
    for size in map(int, args.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            project = root / "project"
            if args.corpus:
                _multiply(args.corpus, project, size)
            else:
                write_project(project, size, checks=args.checks, bad_percent=args.bad)
            files = list((project / "contracts").rglob("*.yaml"))
            kilobytes = sum(file.stat().st_size for file in files) / len(files) / 1000
            print(f"\n{len(files)} files of {kilobytes:.1f} kB, {args.bad} % bad\n")
            contenders = _ours(args, project, root) + _peers(args, project, size)
            time.sleep(SETTLING_S)
            rounds = max(3, min(args.rounds, 20_000 // size))
            print(render_table(time_in_turn(contenders, rounds), ours=contenders[0].name))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1,200,2400", help="numbers of files")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bad", type=int, default=0, metavar="PERCENT")
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--corpus", type=Path, metavar="DIR")
    parser.add_argument("--plain", action="store_true", help="PyYAML and jsonschema, plain")
    for name in ("check-jsonschema", "yamllint", "ajv"):
        parser.add_argument(f"--{name}", metavar="PROGRAM")
    return parser.parse_args()


def _ours(args: argparse.Namespace, project: Path, root: Path) -> list[Contender]:
    caches = {"PV_CACHE_DIR": str(root / "caches")}
    pv = [sys.executable, "-c", "import sys; from pv_harness.cli import main; sys.exit(main())"]
    validate = [*pv, "validate", "--root", str(project), str(project / "contracts")]
    codes = frozenset({0, 2})
    cold = [*validate, "--no-cache"]

    def ours(name: str, command: list[str], **more: dict[str, str]) -> Contender:
        return Contender(name, command, project, more.get("environment"), codes=codes)

    found = [
        ours("pv validate, 1 process", [*cold, "--jobs", "1"]),
        ours("pv validate, 2 processes", [*cold, "--jobs", "2"]),
        ours("pv validate, nothing changed", validate, environment=caches),
        ours("pv validate --hash, nothing changed", [*validate, "--hash"], environment=caches),
        ours("pv --version", [*pv, "--version"]),
    ]
    if not args.corpus:
        found.append(_changing(validate, project, root))
    if len(list((project / "contracts").iterdir())) <= MOST_FOR_SLOW_PEERS:
        found.append(ours("pv validate, without `fast`", cold, environment={"PV_FAST": "0"}))
    return found


def _changing(validate: list[str], project: Path, root: Path) -> Contender:
    """Ours in a copy of the project, in which one contract changes before each round."""
    copy = root / "changing"
    shutil.copytree(project, copy)
    command = [word.replace(str(project), str(copy)) for word in validate]
    caches = {"PV_CACHE_DIR": str(root / "other-caches")}

    def change() -> None:
        (copy / "contracts/bench-00000-v1.yaml").write_text(
            contract(0) + f"# {time.time_ns()}\n"
        )

    codes = frozenset({0, 2})
    return Contender("pv validate, 1 file changed", command, copy, caches, change, codes)


def _peers(args: argparse.Namespace, project: Path, size: int) -> list[Contender]:
    """The peers that are named; those that take minutes sit out the largest sizes."""
    if args.corpus:
        return []
    folder = str(project / "contracts")
    files = sorted(map(str, Path(folder).glob("*.yaml")))
    codes = frozenset({0, 1})
    found = []
    if args.ajv:
        strict = [args.ajv, "validate", "--strict=false", "--errors=no", "-s", str(SCHEMA)]
        found.append(Contender("ajv-cli", [*strict, "-d", f"{folder}/*.yaml"], codes=codes))
    if args.check_jsonschema:
        check = [args.check_jsonschema, "--schemafile", str(SCHEMA), *files]
        found.append(Contender("check-jsonschema", check, codes=codes))
    if size > MOST_FOR_SLOW_PEERS:
        return found
    if args.yamllint:
        lint = [args.yamllint, "-d", "relaxed", folder]
        found.append(Contender("yamllint", lint, codes=codes))
    if args.plain:
        plain = [sys.executable, "-c", PLAIN_PEER]
        for loader in ("CSafeLoader", "SafeLoader"):
            name = f"yaml.{loader} + jsonschema"
            found.append(Contender(name, [*plain, loader, str(SCHEMA), folder]))
    return found


def _multiply(corpus: Path, project: Path, size: int) -> None:
    """Copies of all files of a folder, in a folder for each copy."""
    (project / "contracts").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.pv]\n")
    originals = sorted(corpus.rglob("*.yaml"))
    for number in range(size):
        folder = project / f"contracts/copy-{number // len(originals):04}"
        original = originals[number % len(originals)]
        target = folder / original.relative_to(corpus)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, target)


if __name__ == "__main__":
    sys.exit(main())

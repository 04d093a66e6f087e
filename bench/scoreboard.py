"""`pv scoreboard` on projects of many falsifiers and many records: wall time, with start-up.

There is no peer: nothing else derives a status from evidence. Beside it stands the least that
any such command must do, reading and hashing the same files.

Run: python bench/scoreboard.py [--large]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.contracts.bindings import find_checks
from pv_harness.digest import digest_bytes
from pv_harness.evidence.envelope import Envelope, decode_envelope, encode_envelope
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.evidence.statement import RunStatement, encode_statement
from pv_harness.evidence.store import append_statement, store_bytes
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.judging.measurement import Measurement
from pv_harness.project import load_project
from pv_harness.validating.validation import load_contracts
from timing import Contender, describe_machine, render_table, time_in_turn


if TYPE_CHECKING:
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.manifest import Manifest

PER_FILE = 10
FALSIFIER = """\
- id: FALSIFY-BENCH-{group}-{number:03}
  rule: value {number} is what it is
  prediction: the measured value is {number}
  if_fails: a number changed
  covers: [subject.part_{part}]
  bounds: {{value: {{eq: {number}}}, seconds: {{le: 1.0, unit: s}}}}
  levels:
    PARTIAL: {{}}
    INTEGRATION: {{reached: ["subject.part_{part}:main"]}}
  defects:
  - id: one
    file: src/subject/part_{part}.py
    find: "V{number} = {number}\\n"
    replace: "V{number} = -1\\n"
    expect: value
  - id: two
    file: src/subject/part_{part}.py
    find: "V{number} = {number}\\n"
    replace: "V{number} = -2\\n"
    expect: value
"""
CHECK = """\
@pytest.mark.falsifies("FALSIFY-BENCH-{group}-{number:03}")
def test_{number}(measure):
    measure("value", {number})
    measure("seconds", 0.5)


"""
HASH_ALL = """\
import hashlib, pathlib, sys
for file in pathlib.Path(sys.argv[1]).rglob("*"):
    if file.is_file():
        hashlib.sha256(file.read_bytes()).digest()
"""


SECONDS = 0.0625
"""What each check measured beside its value: a number that stands nowhere else."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the project is."""

    falsifiers: int
    runs: int


def main() -> int:
    """Print one table per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also 10,000 falsifiers, 100 runs")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    print(describe_machine())
    sizes = [Size(60, 10), Size(1000, 10)] + [Size(10_000, 100)] * args.large
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            started = time.perf_counter()
            make_project(root, size)
            took = time.perf_counter() - started
            print(f"\n{size.falsifiers} falsifiers, {size.runs} runs; made in {took:.0f} s")
            environment = {"PV_CACHE_DIR": str(root / "cache")}
            hashing = [sys.executable, "-c", HASH_ALL, folder]
            pv = [sys.executable, "-m", "pv_harness", "scoreboard", "--root", folder]
            no_cache = {"PV_CACHE_DIR": ""}
            contenders = [
                Contender("pv scoreboard", pv, environment=environment),
                Contender("pv gate", [*pv[:3], "gate", *pv[4:]], environment=environment),
                Contender("pv scoreboard, nothing remembered", pv, environment=no_cache),
                Contender("read and hash the same files", hashing),
                Contender("python -c pass", [sys.executable, "-c", "pass"]),
            ]
            print(render_table(time_in_turn(contenders, args.rounds), ours="pv scoreboard"))
    return 0


def make_project(root: Path, size: Size) -> None:
    """A project whose falsifiers all stand at their ceiling, by records of `size.runs` runs."""
    for folder in ("contracts", "checks", "src/subject"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.pv]\nsource_roots = ["src"]\n')
    (root / "src/subject/__init__.py").touch()
    for part in range(size.falsifiers // PER_FILE):
        numbers = range(PER_FILE)
        header = f"apiVersion: pv/v1\nid: bench-{part:04}\nversion: 1.0.0\n"
        header += f"metadata: {{title: part {part}}}\nfalsifiers:\n"
        entries = "".join(
            FALSIFIER.format(number=n, part=part, group=f"G{part}") for n in numbers
        )
        (root / f"contracts/bench-{part:04}.yaml").write_text(header + entries)
        checks = "".join(CHECK.format(number=n, group=f"G{part}") for n in numbers)
        (root / f"checks/test_{part:04}.py").write_text(f"import pytest\n\n\n{checks}")
        values = "".join(f"V{n} = {n}\n" for n in numbers)
        source = f"def main():\n    return {part}\n"
        (root / f"src/subject/part_{part}.py").write_text(f"{values}\n\n{source}")
    add_evidence(root, size)


def add_evidence(root: Path, size: Size) -> None:
    """One statement per run, all on the tree as it is; the first also holds the patches.

    All runs but the first say the same at other times: their statements are one text in which
    the times and the seconds are put, since a million records would take minutes to spell.
    """
    project = load_project(root)
    contracts, _ = load_contracts(project)
    checks = {check.falsifier_id: check for check in find_checks(project)}
    tree = SourceTree(root, project.import_roots)
    claims = [
        (f, build_manifest(f, [checks[f.id]], tree)) for c in contracts for f in c.falsifiers
    ]
    started = float(int(time.time()) - 60 * size.runs)
    runs = tuple(passed_run(f, m, checks[f.id].node_id, started) for f, m in claims)
    patches = tuple(
        PatchRecord(f.id, d.id, d.digest, PatchOutcome.KILLED, manifest, finished_s=started)
        for f, manifest in claims
        for d in f.defects
    )
    planned = tuple(f.id for f, _ in claims)
    first = RunStatement(planned, {}, runs, patches, started, "bench")
    head = append_statement(project.evidence, first)
    text = decode_envelope(encode_statement(replace(first, patches=()))).payload.decode()
    assert text.count('"previous":[]') == 1
    for run in range(1, size.runs):
        payload = (
            text.replace('"previous":[]', f'"previous":["{head}"]')
            .replace(f":{started!r}", f":{started + 60 * run!r}")
            .replace(f":{SECONDS!r}", f":{SECONDS + run / 1024!r}")
        )
        data = encode_envelope(Envelope(payload.encode()))
        head = digest_bytes(data)
        store_bytes(project.evidence, head, data)


def passed_run(falsifier: Falsifier, manifest: Manifest, node: str, at_s: float) -> RunRecord:
    """The record of a run in which everything was as it should be."""
    return RunRecord(
        falsifier.id,
        Verdict.PASSED,
        manifest,
        measurements=(
            Measurement("value", falsifier.bounds[0].threshold, node=node),
            Measurement("seconds", SECONDS, "s", node=node),
        ),
        checks=(node,),
        reached=falsifier.levels[-1].reached,
        duration_s=0.5,
        finished_s=at_s,
        environment={"python": "3.11", "platform": "Linux", "devices": "cpu"},
    )


if __name__ == "__main__":
    sys.exit(main())

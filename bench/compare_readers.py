"""Both ways of `pv validate` over mutated contracts: what one finds, the other has to find.

For each mutant: where yaml-rs behind its guards reads it, the strict loader reads the same and
has no problem; where the compiled schema finds it valid, jsonschema does. And now and then
whole folders of mutants are validated in both ways, and their reports compared. Without the
extra `fast`, or with PV_FAST=0, the reader in place of yaml-rs is compared. Prints what
differs, and ends with 1 if anything does.

Run: python bench/compare_readers.py [--mutants N] [--seed N] [FILE...]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from native_contracts import contract
from pv_harness.documents.contract_check import is_surely_valid
from pv_harness.documents.loading import load
from pv_harness.documents.plain_yaml import load_plain
from pv_harness.documents.schema_check import schema_problems
from pv_harness.project import load_project
from pv_harness.validating.plain_files import read_plain_files
from pv_harness.validating.report import render_report
from pv_harness.validating.validation import validate


FRAGMENTS = (
    b"&a ", b"*a", b"!!str ", b"! ", b"<<: ", b"<<", b"---\n", b"...\n", b"%YAML 1.2\n",
    b"\t", b"\r\n", b"\r", b"\0", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xff",
    b"\xc2\xa0", b": ", b":", b" #", b"#", b"- ", b"-", b"? ", b"[", b"]", b"{", b"}", b", ",
    b",", b"|", b">", b"|2\n", b">-\n", b"|+\n", b"\n", b"\n\n", b" ", b"  ", b"'", b'"',
    b"\\", b"\\n", b"\\x41", b"\\ud800", b"\\\n", b"~", b"null", b"no", b"on", b"True",
    b".inf", b".nan", b"-.INF", b"1_0", b"0b1", b"0o7", b"0O7", b"0x1F", b"0XF", b"+0x1",
    b"010", b"1:30", b"1e5", b"1e-5", b"1.", b".5", b"+1", b"-0", b"1" * 22, b"2026-01-01",
    b"=", b"@", b"`", b"%", b"id: ", b"falsifiers:\n", b"eq: 1", b"true: 1\n", b"1: 2\n",
    b"? a\n: b\n", b"a: b: c", b"- - - - a", b"\xe2\x80\x94", b"\xf0\x9f\x98\x80", b"\\u0041",
    b"\x7f", b"\x1b",
)  # fmt: skip


def main() -> int:
    """Compare, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance = random.Random(args.seed)  # noqa: S311
    originals = [file.read_bytes() for file in args.files]
    originals += [contract(number).encode() for number in range(20)]
    plain = valid = different = 0
    batch: list[bytes] = []
    for _ in range(args.mutants):
        data = mutate(chance.choice(originals), chance)
        value = load_plain(data)
        plain += value is not None
        found = compare(data, value)
        if found:
            different += 1
            print(f"{found}: {data!r}\n")
        elif value is not None:
            valid += is_surely_valid(value)
        batch.append(data)
        if len(batch) == 200:
            different += compare_reports(batch)
            batch.clear()
    print(f"{args.mutants} mutants, {plain} plain, {valid} valid, {different} differ")
    return int(different > 0)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """The text with some places changed: bytes lost, fragments put in, lines moved."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 0, 1, 1, 2, 5, 40)))
        match chance.randrange(8):
            case 0:
                data = data[:at] + data[end:]
            case 1:
                lines = data.splitlines(keepends=True) or [b""]
                line = lines.pop(chance.randrange(len(lines)))
                lines.insert(chance.randrange(len(lines) + 1), line)
                data = b"".join(lines)
            case 2:
                data = data[:at] + bytes([chance.randrange(256)]) + data[end:]
            case 3:
                # Behind a colon or a dash, where a value begins.
                at = max(data.find(b": ", at), data.find(b"- ", at)) + 2
                data = data[:at] + chance.choice(FRAGMENTS) + data[at:]
            case 4:
                start = data.find(b": ", at) + 2
                stop = data.find(b"\n", start)
                data = data[:start] + chance.choice(FRAGMENTS) + data[max(stop, start) :]
            case _:
                data = data[:at] + chance.choice(FRAGMENTS) + data[end:]
    return data


def compare(data: bytes, value: object) -> str:
    """What the ways to one document disagree about; empty if nothing."""
    if value is None or not _has_text_keys(value):
        return ""
    document = load(data, "mutant.yaml")
    if not document.readable or document.problems:
        return f"read by the fast reader alone: {', '.join(map(str, document.problems))}"
    if repr(document.value) != repr(value):  # NaN is not equal to itself
        return f"read differently: {value!r} and {document.value!r}"
    if not is_surely_valid(value):
        return ""
    with_places, _ = schema_problems(document, "contract-v1")
    return f"valid to the compiled schema alone: {with_places}" if with_places else ""


def compare_reports(batch: list[bytes]) -> bool:
    """Whether two reports on the same files differ; then one is printed beside the other."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "contracts").mkdir()
        for number, data in enumerate(batch):
            (root / f"contracts/bench-{number:05}-v1.yaml").write_bytes(data)
        project = load_project(root)
        paths = [str(root / "contracts")]
        slow = render_report(validate(paths, project)).splitlines()
        fast = render_report(validate(paths, project, read_plain=read_plain_files)).splitlines()
    for line in (*(set(slow) - set(fast)), *(set(fast) - set(slow))):
        print(f"in one report alone: {line}")
    return slow != fast


def _has_text_keys(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _has_text_keys(v) for k, v in value.items())
    return all(map(_has_text_keys, value)) if isinstance(value, list) else True


if __name__ == "__main__":
    sys.exit(main())

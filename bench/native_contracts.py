"""Projects of many native contracts, all different and all valid, for benchmarks.

A contract has two falsifiers, four planted defects, two controls, an equation and the prose
that such a file has: about 5 kB. Every 80th is like the first but for its names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

DISTINCT = 80
SUBJECT = '''\
"""Part {part} of the subject."""


def scale(value):
    """The value, {part} times."""
    return value * {part}


def shift(value):
    """The value and {part}."""
    return value + {part}


def main():
    """Both, in turn."""
    print(shift(scale(1)))
'''
HEADER = """\
apiVersion: pv/v1
id: {name}
version: 1.{minor}.0
metadata:
  title: part {part} scales and shifts, {name}
  description: >-
    Every report of the office is a chain of such parts, and nobody looks at the numbers in the
    middle of a chain. What went wrong there was found three times, by hand, months later, when
    two reports that should have agreed did not. Since then each part has a contract of its own.
    What a caller may rely on when values go through part {part}: scaling comes first, shifting
    second, and neither looks at anything but its argument. The claims end where numbers stop
    being exact; what rounding does to them is another contract's business.
  references:
  - docs/parts.md, section {part}
  - "Higham, Accuracy and Stability of Numerical Algorithms, 2002: section 2.2"
  changelog:
  - "1.{minor}.0: the bound on the error is stated in units in the last place"
  - "1.0.0: first version"
equations:
  affine:
    formula: y = {part} * x + {part}
    domain: whole numbers below 2^53
    codomain: whole numbers
    invariants:
    - the map is one to one for every part but the zeroth
    - the order of scaling and shifting is part of the definition
    - a result is a whole number wherever its argument is one, whatever the part
    - what lies above 2^53 is refused before it is scaled, with the value in the message
falsifiers:
"""
FALSIFIER = """\
- id: {identity}
  rule: >-
    {verb} is exact: the result for a whole number is the whole number that the equation gives,
    for negative numbers, for zero and for the largest numbers that are still exact.
  prediction: >-
    Over 1,000 values drawn from the whole domain, ends included, the largest absolute
    difference between result and equation is 0, and no call takes longer than a millisecond.
  if_fails: >-
    Whoever added up what part {part} gave has wrong sums, silently; results since the last
    release have to be computed again, and their reports withdrawn.
  covers: [subject.part_{part}]
  bounds:
    largest_difference: {{eq: 0}}
    slowest_call: {{le: 0.001, unit: s, note: a hundred times what it takes on an idle machine}}
    values: {{ge: 1000}}
  levels:
    PARTIAL: {{}}
    INTEGRATION:
      reached: ["subject.part_{part}:main"]
    DISCHARGED:
      device: cpu
      measurements:
        values_of_a_real_run: {{ge: {part}}}
  defects:
  - id: off-by-one
    file: src/subject/part_{part}.py
    find: "    return value {sign} {part}\\n"
    replace: "    return value {sign} {part} + 1\\n"
    expect: largest_difference
    note: what a fence-post error would do, the oldest of all mistakes in such code
  - id: other-sign
    file: src/subject/part_{part}.py
    find: "    return value {sign} {part}\\n"
    replace: "    return -value {sign} {part}\\n"
    expect: largest_difference
    note: a sign that is lost when somebody simplifies the expression by hand
  controls:
  - id: swapped
    file: src/subject/part_{part}.py
    find: "    return value {sign} {part}\\n"
    replace: "    return {part} {sign} value\\n"
    note: the order of the operands is free; a check that minds it minds too much
"""
CHECK = """\
@pytest.mark.falsifies("{identity}")
def test_{number}(measure):
    measure("largest_difference", 0)
    measure("slowest_call", 0.0001)
    measure("values", 1000)


"""


def write_project(root: Path, count: int, *, checks: bool, bad_percent: int = 0) -> None:
    """`count` contracts, the parts that they cover, and with `checks` a check for each claim.

    Of `bad_percent` of the contracts one key is misspelt.
    """
    for folder in ("contracts", "checks", "src/subject"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.pv]\nsource_roots = ["src"]\n')
    (root / "src/subject/__init__.py").touch()
    for part in range(min(count, DISTINCT)):
        (root / f"src/subject/part_{part}.py").write_text(SUBJECT.format(part=part))
    for number in range(count):
        text = contract(number)
        if bad_percent and number % (100 // bad_percent) == 0:
            text = text.replace("  prediction:", "  predicton:", 1)
        (root / f"contracts/bench-{number:05}-v1.yaml").write_text(text)
        if checks:
            (root / f"checks/test_{number:05}.py").write_text(check_file(number))


def contract(number: int) -> str:
    """The text of one contract."""
    part = number % DISTINCT
    name = f"bench-{number:05}-v1"
    entries = "".join(
        FALSIFIER.format(identity=identity, part=part, verb=verb, sign=sign)
        for identity, verb, sign in zip(
            _identities(number), ("scaling", "shifting"), "*+", strict=True
        )
    )
    return HEADER.format(name=name, part=part, minor=number % 10) + entries


def check_file(number: int) -> str:
    """The text of the file with the checks of one contract."""
    checks = (CHECK.format(identity=i, number=n) for n, i in enumerate(_identities(number)))
    return "import pytest\n\n\n" + "".join(checks).rstrip("\n") + "\n"


def _identities(number: int) -> tuple[str, str]:
    return f"FALSIFY-BENCH-N{number}-001", f"FALSIFY-BENCH-N{number}-002"

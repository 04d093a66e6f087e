"""Write the tables of docs/foreign.md: which key of which place is understood as what.

`python docs/foreign.py` writes them, `python docs/foreign.py --check` says whether they are
current. The text around them is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pv_harness.validating.foreign.tables import Shape

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "foreign.md"
BEGIN = "<!-- made by `python docs/foreign.py` from validating/foreign/tables.py -->\n"
END = "<!-- end of what is made -->\n"
WORDS = {
    "contract": "names a contract",
    "obligation": "names an obligation, an equation or an ID of the file",
    "falsifier": "names a falsifier",
}


def render(shapes: Iterable[Shape]) -> str:
    """All tables, one for each place."""
    return "".join("\n".join(_table(shape)) + "\n\n" for shape in shapes)


def _table(shape: Shape) -> Iterator[str]:
    yield f"### {shape.place[0].upper()}{shape.place[1:]}"
    yield ""
    yield "| understood as | keys |"
    yield "|---|---|"
    for name, keys in (*shape.fields.items(), *shape.lists.items()):
        yield f"| {name.replace('_', ' ')} | {_listed(keys)} |"
    if shape.statuses:
        yield f"| a typed status | {_listed(shape.statuses)} |"
    for target, said in WORDS.items():
        named = [key for key, to in shape.links.items() if to.value == target]
        if named:
            yield f"| {said} | {_listed(named)} |"
    if shape.sections:
        yield f"| a section of its own | {_listed(shape.sections)} |"
    if shape.kept:
        yield f"| carried along as it is | {_listed(shape.kept)} |"


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)


def main() -> int:
    """Write the tables, or with --check compare them."""
    sys.path.insert(0, str(ROOT / "harness"))
    from pv_harness.validating.foreign.tables import SHAPES  # noqa: PLC0415 - from this tree

    before = TARGET.read_text(encoding="utf-8")
    head, rest = before.split(BEGIN)
    after = f"{head}{BEGIN}\n{render(SHAPES)}{END}{rest.partition(END)[2]}"
    if "--check" in sys.argv[1:]:
        return 0 if after == before else 1
    TARGET.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write docs/layout.md: every module with the first line of its docstring.

`python docs/layout.py` writes it, `python docs/layout.py --check` says whether it is current.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("harness/pv_harness", "trainer/pv_trainer", "falsifiers/pv_falsifiers")
TARGET = ROOT / "docs" / "layout.md"


def caption(file: Path) -> str:
    """The first line of a module's docstring.

    Raises:
        SystemExit: it has none.
    """
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    if not text:
        raise SystemExit(f"{file.relative_to(ROOT)}: has no docstring to take a caption from")
    return text.splitlines()[0]


def render() -> str:
    """The whole document."""
    lines = ["# Layout", "", "Made from the modules' docstrings by `python docs/layout.py`."]
    for package in PACKAGES:
        lines += ["", f"## {package}", "", "| file | what it holds |", "|---|---|"]
        for file in sorted((ROOT / package).rglob("*.py")):
            name = file.relative_to(ROOT / package).as_posix()
            lines.append(f"| {name} | {caption(file).replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the document, or with --check compare it."""
    if "--check" in sys.argv[1:]:
        current = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == render()
        return 0 if current else 1
    TARGET.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write docs/rules.md: every code that a problem can have, with examples.

`python docs/rules.py` writes it, `python docs/rules.py --check` says whether it is current.
"""

from __future__ import annotations

import sys
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "rules.md"


def main() -> int:
    """Write the document, or with --check compare it."""
    sys.path.insert(0, str(ROOT / "harness"))
    from pv_harness.board.rules import render_rules_markdown  # noqa: PLC0415 - from this tree

    text = render_rules_markdown()
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

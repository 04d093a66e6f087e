"""`python -m pv_harness` is `pv`."""

from __future__ import annotations

import sys

from pv_harness.cli import main


if __name__ == "__main__":
    sys.exit(main())

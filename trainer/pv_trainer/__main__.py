"""`python -m pv_trainer`."""

from __future__ import annotations

import sys

from pv_trainer.cli import main


if __name__ == "__main__":
    sys.exit(main())

"""Starts the recorder in every Python process that a check starts.

Python imports `sitecustomize` at start-up from the first folder of sys.path that has one; a
check's commands run with this folder first. The interpreter's own, if any, is run as well.
"""

from __future__ import annotations

from pathlib import Path

from pv_harness.measuring.recorder import run_shadowed_sitecustomize, start_from_environment


start_from_environment()
run_shadowed_sitecustomize(Path(__file__).parent)

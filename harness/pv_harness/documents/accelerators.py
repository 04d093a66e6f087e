"""A fast package that may be missing: used only in the release that was compared.

With it, without, with any other release, or with `PV_FAST=0`, the results are equal; tests
compare them.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any, Final


RELEASES: Final = {"yaml_rs": "0.1.6"}
"""Import name -> the release that bench/compare_readers.py was run with."""


@cache
def find_accelerator(name: str) -> Any | None:
    """The package of that name, or None where it, or this release of it, is not installed.

    With `PV_FAST=0` in the environment there is none.
    """
    if os.environ.get("PV_FAST") == "0":
        return None
    try:
        package = importlib.import_module(name)
    except ImportError:
        return None
    # Installers name this folder so; importlib.metadata, which would know too, costs 20 ms.
    folder = f"{name}-{RELEASES[name]}.dist-info"
    is_known = (Path(str(package.__file__)).parents[1] / folder).is_dir()
    return package if is_known else None

"""Names that fit: from a project's name to a package, a contract and a falsifier."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass


_TAKEN = frozenset({"pytest", "torch", "numpy", "checks", "tests", "src", "pv", "pv_harness"})
"""Names at which a package would hide, or be hidden by, something that checks need."""

_WORD = re.compile("[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Names:
    """How the parts of one project are called.

    Attributes:
        package: an identifier, and the name of no module of Python itself.
    """

    package: str
    contract: str
    falsifier: str


def make_names(project: str) -> Names:
    """The names that follow from a project's name, whatever characters that holds."""
    words = _WORD.findall(project.lower()) or ["project"]
    package = "_".join(words)
    if package[0].isdigit() or not is_free(package):
        words = ["my", *words]
        package = "_".join(words)
    return Names(package, f"{'-'.join(words)}-v1", f"FALSIFY-{'-'.join(words).upper()}-001")


def has_letters(project: str) -> bool:
    """True if names can be made of this one; otherwise they would all be `project`."""
    return bool(_WORD.search(project.lower()))


def is_free(package: str) -> bool:
    """True unless a package of that name would hide a module that something else imports."""
    return not (
        keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _TAKEN
    )

"""What the text under `test` is. None of these kinds binds a check to a claim.

The kinds are told apart by their first words and by signs that only one of them has; where
nothing speaks for another kind, a text is prose.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable


class TestKind(Enum):
    """Kinds of text, in the order in which they are looked for."""

    __test__ = False  # pytest would take the class for a test

    ABSENT = "absent"
    LIVE_PENDING = "live-pending"
    SOURCE = "source text"
    PYTEST_NODE = "pytest node"
    SHELL = "shell"
    COMMAND = "command"
    TEST_NAME = "test name"
    PSEUDO_CODE = "pseudo-code"
    PROSE = "prose"


_PROGRAMS: Final = frozenset(
    [
        "apr",
        "bash",
        "cargo",
        "ctest",
        "deno",
        "docker",
        "go",
        "gradle",
        "just",
        "lake",
        "make",
        "mvn",
        "node",
        "nox",
        "npm",
        "npx",
        "perl",
        "pip",
        "pixi",
        "poetry",
        "probador",
        "pv",
        "pytest",
        "python",
        "python3",
        "ruby",
        "sh",
        "tox",
        "uv",
        "yarn",
    ]
)
_SOURCE: Final = (
    "#[", "#!", "@pytest", "```", "async def ", "assert ", "class ", "def ", "fn ", "from ",
    "import ", "let ", "pub fn ", "use ",
)  # fmt: skip
_NODE: Final = re.compile(r"[^\s:'\"`;|&(),=]+\.py::[A-Za-z_][^\s'\"`;|&,]*")
_SHELL: Final = ("&&", "||", " | ", "$(", "${", " > ", " >> ", "2>", "; ", "<<")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=\S")
_NAME: Final = re.compile(r"[A-Za-z_][\w.:/<>-]*(?:\(\))?")
_OPERATORS: Final = ("==", "!=", "<=", ">=", ":=", "=>", " < ", " > ", "≤", "≥", "≠", "∀")


def classify_test(text: str | None) -> TestKind:
    """The kind of a text under `test`."""
    bare = (text or "").strip()
    if not bare:
        return TestKind.ABSENT
    return next((kind for kind, is_it in _SIGNS.items() if is_it(bare)), TestKind.PROSE)


def find_nodes(text: str) -> tuple[str, ...]:
    """The pytest nodes that a text names, `tests/test_x.py::test_y`, each once."""
    if ".py::" not in text:
        return ()
    found = (match.rstrip(".:") for match in _NODE.findall(text))
    return tuple(dict.fromkeys(node for node in found if "::" in node))


def _is_pending(text: str) -> bool:
    return text[:12].upper().replace("_", "-") == "LIVE-PENDING"


def _is_source(text: str) -> bool:
    return text.startswith(_SOURCE) and "\n" in text


def _is_shell(text: str) -> bool:
    starts = _is_command(text) or _ASSIGNMENT.match(text) is not None
    return starts and _has_any(text, _SHELL)


def _is_command(text: str) -> bool:
    first = text[:200].replace("`", "").split(None, 1)
    word = first[0] if first else ""
    return word in _PROGRAMS or word.startswith("./") or word.endswith((".sh", ".py"))


def _is_name(text: str) -> bool:
    return ("_" in text or "::" in text) and _NAME.fullmatch(text) is not None


def _is_pseudo_code(text: str) -> bool:
    return _has_any(text, _OPERATORS)


def _has_any(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)


_SIGNS: Final[dict[TestKind, Callable[[str], object]]] = {
    TestKind.LIVE_PENDING: _is_pending,
    TestKind.SOURCE: _is_source,
    TestKind.PYTEST_NODE: find_nodes,
    TestKind.SHELL: _is_shell,
    TestKind.COMMAND: _is_command,
    TestKind.TEST_NAME: _is_name,
    TestKind.PSEUDO_CODE: _is_pseudo_code,
}
"""What a kind is known by, in the order in which kinds are looked for."""

"""Where a flag of `apr pretrain` has to stand: parser, help, tests, guide."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pv_trainer
from pv_trainer.commands.parser import make_parser


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

ROOT: Final = Path(pv_trainer.__file__).resolve().parents[2]
_COMMAND: Final = re.compile(r"\bapr pretrain\b((?:\\\n|[^\n`])*)")
_FLAG: Final = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def pretrain_flags() -> set[str]:
    """Every flag that the parser of `apr pretrain` has."""
    return set(_verb_parser("pretrain")._option_string_actions)  # noqa: SLF001 - no public list


def describes(help_text: str, flag: str) -> bool:
    """Whether a help text shows the flag with its value's name and a word about it."""
    return re.search(rf"^ +{flag} [A-Z]+\s+[^-\s]", help_text, re.MULTILINE) is not None


def tests_that_pass(flag: str) -> list[str]:
    """The tests of the trainer's command line that give the flag to a process of its own."""
    return [
        f"{file.name}::{function.name}"
        for file in sorted((ROOT / "tests" / "trainer").rglob("test_*.py"))
        for function in _test_functions(file)
        if flag in _strings(function)
    ]


def documented_flags() -> set[str]:
    """Every flag that the README and the guide give to `apr pretrain`."""
    found: set[str] = set()
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        for command in _COMMAND.findall(text):
            found |= set(_FLAG.findall(command))
    return found


def _verb_parser(verb: str) -> argparse.ArgumentParser:
    for action in make_parser()._actions:  # noqa: SLF001 - argparse has no public way to ask
        if isinstance(action.choices, dict) and verb in action.choices:
            parser: argparse.ArgumentParser = action.choices[verb]
            return parser
    raise LookupError(f"apr has no verb {verb}")


def _test_functions(file: Path) -> Iterator[ast.FunctionDef]:
    """The tests of a file that starts processes."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    if "subprocess" in imported:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node


def _strings(node: ast.AST) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }

"""Where a project keeps its contracts, checks, sources and evidence: `[tool.pv]`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pv_harness.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATH_LISTS = {"contracts": ("contracts",), "checks": ("checks",), "source_roots": (".",)}
_KNOWN = {*_PATH_LISTS, "evidence", "reports", "inputs", "preload"}


@dataclass(frozen=True, slots=True)
class Project:
    """A repository that uses pv. All folders are absolute.

    Attributes:
        root: the folder of pyproject.toml, or the current folder without one.
        contracts: files and folders that hold contracts.
        checks: folders that hold checks.
        source_roots: folders that are on sys.path for checks and subject.
        inputs: input name -> command whose JSON output maps part names to paths.
        preload: slow modules that are not the project's; `pv prove` imports them once.
    """

    root: Path
    contracts: tuple[Path, ...]
    checks: tuple[Path, ...]
    source_roots: tuple[Path, ...]
    evidence: Path
    reports: Path
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preload: tuple[str, ...] = ("pytest",)

    @property
    def import_roots(self) -> tuple[Path, ...]:
        """The source roots, and the folders of checks that pytest puts beside them.

        pytest imports a check that lies in no package from its own folder, and so its helpers.
        """
        loose = (path for path in self.checks if not (path / "__init__.py").exists())
        return (*self.source_roots, *(p for p in loose if p not in self.source_roots))

    def relative(self, path: Path) -> str:
        """A path as pv prints and stores it: relative to the root where it lies below it."""
        try:
            return path.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upward, whose pyproject.toml has a `[tool.pv]` table.

    Without one it is `start` itself, and every setting has its default.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if "pv" in _read_tool_tables(folder / "pyproject.toml"):
            return folder
    return start


def load_project(root: Path) -> Project:
    """The project at `root`, its settings checked.

    Raises:
        UsageError: pyproject.toml can't be parsed, or `[tool.pv]` holds an unknown key or a
            value of another type than the setting has.
    """
    root = root.resolve()
    file = root / "pyproject.toml"
    table = _read_tool_tables(file).get("pv", {})
    if not isinstance(table, dict):
        raise UsageError(f"{file}: [tool.pv] is {type(table).__name__}, it should be a table")
    unknown = sorted(set(table) - _KNOWN)
    if unknown:
        known = ", ".join(sorted(_KNOWN))
        raise UsageError(f"{file}: [tool.pv] has unknown key {unknown[0]!r}; it knows {known}")
    lists = {name: _paths(table, name, root, file) for name in _PATH_LISTS}
    return Project(
        root=root,
        contracts=lists["contracts"],
        checks=lists["checks"],
        source_roots=lists["source_roots"],
        evidence=root / _text(table, "evidence", "reports/evidence", file),
        reports=root / _text(table, "reports", "reports", file),
        inputs=_input_commands(table, file),
        preload=("pytest", *_words(table, "preload", file)),
    )


def _read_tool_tables(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: can't be read as TOML: {error}") from error
    tool = document.get("tool", {})
    return tool if isinstance(tool, dict) else {}


def _paths(table: Mapping[str, Any], name: str, root: Path, file: Path) -> tuple[Path, ...]:
    names = _words(table, name, file) if name in table else _PATH_LISTS[name]
    return tuple((root / item).resolve() for item in names)


def _words(table: Mapping[str, Any], name: str, file: Path) -> tuple[str, ...]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(
            f"{file}: [tool.pv] {name} should be a list of strings, it is {value!r}"
        )
    if any("\0" in item for item in value):
        raise UsageError(f"{file}: [tool.pv] {name} holds a NUL character")
    return tuple(value)


def _text(table: Mapping[str, Any], name: str, default: str, file: Path) -> str:
    value = table.get(name, default)
    if not isinstance(value, str) or "\0" in value:
        raise UsageError(f"{file}: [tool.pv] {name} should be a path, it is {value!r}")
    return value


def _input_commands(table: Mapping[str, Any], file: Path) -> dict[str, tuple[str, ...]]:
    value = table.get("inputs", {})
    if not isinstance(value, dict):
        raise UsageError(f"{file}: [tool.pv.inputs] should be a table, it is {value!r}")
    for name, command in value.items():
        if not (
            isinstance(command, list) and command and all(isinstance(w, str) for w in command)
        ):
            raise UsageError(
                f"{file}: [tool.pv.inputs] {name} should be a command as a list of words, "
                f"it is {command!r}"
            )
    return {name: tuple(command) for name, command in value.items()}

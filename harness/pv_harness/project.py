"""Where a project keeps its contracts, checks, sources and evidence: `[tool.pv]`.

Every setting has a default, so that contracts/, checks/ and a package, in src/ or beside them,
need no configuration at all.
"""

from __future__ import annotations

import errno
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.errors import UsageError
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONFIGURATION = "pyproject.toml"
_MAX_SIZE_BYTES = 4 << 20
_CHECKS = ("checks", "tests/falsifiers")
"""Where checks are looked for; the first that exists is taken."""
_KNOWN = (
    "contracts",
    "checks",
    "source_roots",
    "evidence",
    "reports",
    "policy",
    "inputs",
    "preload",
    "keys",
)


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
        policy: the file of gate policies; it may be absent.
        keys: signer's name -> file of the ed25519 public key (PEM) that is trusted for it.
        signing_key: file of the private key that this command signs evidence with; no setting.
    """

    root: Path
    contracts: tuple[Path, ...]
    checks: tuple[Path, ...]
    source_roots: tuple[Path, ...]
    evidence: Path
    reports: Path
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preload: tuple[str, ...] = ("pytest",)
    policy: Path = Path("pv-policy.yaml")
    keys: Mapping[str, Path] = field(default_factory=dict)
    signing_key: Path | None = None

    @property
    def import_roots(self) -> tuple[Path, ...]:
        """The source roots, and the folders from which pytest imports checks.

        pytest imports a check that lies in no package from its own folder, and one in a
        package from the folder above it; the helpers of both are found there too.
        """
        above = (_above_package(path, self.root) for path in self.checks)
        return tuple(dict.fromkeys((*self.source_roots, *above)))

    def relative(self, path: Path) -> str:
        """A path as pv prints and stores it: relative to the root where it lies below it."""
        place = _resolved(path)
        # What a dangling link leads to is nowhere; what can be corrected is the link.
        if _is_dangling(path):
            place = _resolved(path.parent) / path.name
        try:
            return place.relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()


def _resolved(path: Path) -> Path:
    """The path without links; one that is a link to itself stays what it is."""
    # Before Python 3.13 Path.resolve raises RuntimeError for such a link.
    return Path(os.path.realpath(path))  # noqa: TID251


def _is_dangling(path: Path) -> bool:
    """True for a link to nothing; False for any name that no file can have."""
    # Unlike the methods of Path these take a target that is longer than a name can be.
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114, TID251


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upward, whose pyproject.toml has a `[tool.pv]` table.

    Without one it is `start` itself, and every setting has its default.

    Raises:
        UsageError: a pyproject.toml on the way can't be parsed.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if "pv" in read_configuration(folder).get("tool", {}):
            return folder
    return start


def load_project(root: Path) -> Project:
    """The project at `root`, its settings checked.

    Raises:
        UsageError: pyproject.toml can't be parsed, or `[tool.pv]` holds an unknown key or a
            value of another type than the setting has.
    """
    root = root.resolve()
    table = _Table(root / CONFIGURATION, read_configuration(root).get("tool", {}).get("pv", {}))
    table.refuse_unknown()
    return Project(
        root=root,
        contracts=table.paths("contracts", root, ("contracts",)),
        checks=table.paths("checks", root, _default_checks(root)),
        source_roots=table.paths("source_roots", root, default_source_roots(root)),
        evidence=root / table.path("evidence", "reports/evidence"),
        reports=root / table.path("reports", "reports"),
        inputs=table.commands("inputs"),
        preload=("pytest", *table.words("preload", ())),
        policy=root / table.path("policy", "pv-policy.yaml"),
        keys={name: root / path for name, path in table.named_paths("keys").items()},
    )


def no_contracts(project: Project) -> UsageError:
    """The error which says that there is nothing to judge, and how a project begins."""
    where = ", ".join(map(project.relative, project.contracts))
    return UsageError(
        f"{where}: no contract to judge; `pv init` makes a first one, and --root DIR names "
        "a project that is elsewhere"
    )


def read_configuration(root: Path) -> dict[str, Any]:
    """All of the pyproject.toml in a folder, its `tool` a table; empty without the file.

    Raises:
        UsageError: it can't be read, or not as TOML.
    """
    file = root / CONFIGURATION
    try:
        text = read_regular(file, _MAX_SIZE_BYTES).decode("utf-8")
        document = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {reason(error)}") from error
    except RecursionError:
        raise UsageError(f"{file}: can't be read as TOML: nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{file}: can't be read as TOML: {error}") from error
    if not isinstance(document.get("tool", {}), dict):
        return {**document, "tool": {}}
    return document


def default_source_roots(root: Path) -> tuple[str, ...]:
    """`src` where that folder holds Python and is no package itself, else the root."""
    source = root / "src"
    holds_python = any(source.glob("*.py")) or any(source.glob("*/*.py"))
    return ("src",) if holds_python and not (source / "__init__.py").exists() else (".",)


def _default_checks(root: Path) -> tuple[str, ...]:
    return (next((name for name in _CHECKS if (root / name).is_dir()), _CHECKS[0]),)


def _above_package(checks: Path, root: Path) -> Path:
    # Never above the root: there a scratch copy would find the original beside it.
    folder = checks.parent if checks.is_file() else checks
    while folder not in (root, folder.parent) and (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


@dataclass(frozen=True, slots=True)
class _Table:
    """The values of `[tool.pv]`, each read as the one type that its setting has."""

    file: Path
    value: Any

    def refuse_unknown(self) -> None:
        if not isinstance(self.value, dict):
            raise UsageError(
                f"{self.file}: [tool.pv] is {show(self.value)}; it should be a table"
            )
        for key in self.value:
            if key not in _KNOWN:
                import difflib  # noqa: PLC0415 - 2 ms, for a mistake

                meant = difflib.get_close_matches(key, _KNOWN, n=1)
                remedy = f"did you mean {meant[0]!r}?" if meant else f"it knows {_LISTED}"
                raise UsageError(f"{self.file}: [tool.pv] has unknown key {key!r}; {remedy}")

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.value.get(name, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse(name, "a list of strings")
        self._refuse_nul(name, value)
        return tuple(value)

    def paths(self, name: str, root: Path, default: tuple[str, ...]) -> tuple[Path, ...]:
        words = self.words(name, default)
        self._refuse_impossible(name, words)
        return tuple(_resolved(root / item) for item in words)

    def path(self, name: str, default: str) -> str:
        value = self.value.get(name, default)
        if not isinstance(value, str) or not value:
            self._refuse(name, "a path")
        self._refuse_nul(name, [value])
        self._refuse_impossible(name, [value])
        return str(value)

    def commands(self, name: str) -> dict[str, tuple[str, ...]]:
        for key, command in self._table(name).items():
            is_list = isinstance(command, list) and all(isinstance(w, str) for w in command)
            if not command or not is_list:
                self._refuse_entry(name, key, "a command as a list of words")
        return {key: tuple(command) for key, command in self._table(name).items()}

    def named_paths(self, name: str) -> dict[str, str]:
        for key, value in self._table(name).items():
            if not isinstance(value, str) or not value:
                self._refuse_entry(name, key, "the path of a public key")
            self._refuse_nul(name, [value])
            self._refuse_impossible(name, [value])
        return dict(self._table(name))

    def _table(self, name: str) -> dict[str, Any]:
        value = self.value.get(name, {})
        if not isinstance(value, dict):
            raise UsageError(
                f"{self.file}: [tool.pv.{name}] should be a table, it is {show(value)}"
            )
        return value

    def _refuse(self, name: str, wanted: str) -> None:
        found = repr(self.value[name])
        raise UsageError(f"{self.file}: [tool.pv] {name} should be {wanted}, it is {found}")

    def _refuse_entry(self, name: str, key: str, wanted: str) -> None:
        found = repr(self.value[name][key])
        raise UsageError(
            f"{self.file}: [tool.pv.{name}] {key} should be {wanted}, it is {found}"
        )

    def _refuse_impossible(self, name: str, paths: Iterable[str]) -> None:
        for path in paths:
            if not path:
                raise UsageError(
                    f"{self.file}: [tool.pv] {name} holds an empty path; the project's folder "
                    "is called ."
                )
            try:
                os.lstat(self.file.parent / path)
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    raise UsageError(
                        f"{self.file}: [tool.pv] {name} holds {show(path)}, which is longer "
                        "than a path, or one name in it, can be"
                    ) from error

    def _refuse_nul(self, name: str, values: list[str]) -> None:
        if any("\0" in value for value in values):
            raise UsageError(f"{self.file}: [tool.pv] {name} holds a NUL character")


_LISTED = ", ".join(_KNOWN)

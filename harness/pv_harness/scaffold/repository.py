"""What makes a folder a repository that pv judges: every file, and what is there already."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, walk_files
from pv_harness.errors import UsageError
from pv_harness.project import (
    CONFIGURATION,
    load_project,
    read_configuration,
)
from pv_harness.scaffold.changes import Action, Change, read_text
from pv_harness.scaffold.example import make_example
from pv_harness.scaffold.filling import fill
from pv_harness.scaffold.names import has_letters, make_names
from pv_harness.scaffold.subject import find_subject, find_unfit


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pv_harness.project import Project
    from pv_harness.scaffold.names import Names
    from pv_harness.scaffold.subject import Subject, Unfit

_WORKFLOW = ".github/workflows/pv.yml"
_KEYS = "*.key.pem"
_INSTALL_SUBJECT = "    - run: python -m pip install --editable .\n"
_INSTALL_NEEDS = "    # What your code imports is installed here as well: torch, say.\n"


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder as `pv init` finds it.

    Attributes:
        project: as it is configured now; what is not configured has its default.
        configuration: all of pyproject.toml.
        subject: a module that a first claim can be about, or None.
        unfit: modules that were looked at before it and can't be used, each with the reason.
    """

    project: Project
    configuration: Mapping[str, Any]
    names: Names
    subject: Subject | None
    unfit: tuple[Unfit, ...] = ()

    @property
    def root(self) -> Path:
        """The folder itself."""
        return self.project.root

    @property
    def is_installable(self) -> bool:
        """True where pip can install what is there."""
        return "project" in self.configuration or "build-system" in self.configuration


def survey_repository(root: Path, name: str | None = None) -> Repository:
    """What is in a folder, which need not exist; without a name it is the project's own.

    Raises:
        UsageError: the folder is a file, the name has no letter, pyproject.toml is no TOML,
            or its `[tool.pv]` is wrong.
    """
    root = root.resolve()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root}: is a file; give the folder of a repository")
    if name is not None and not has_letters(name):
        raise UsageError(f"--name {name!r}: holds no letter or digit; names are made of those")
    project, configuration = load_project(root), read_configuration(root)
    declared = configuration.get("project", {})
    own_name = declared.get("name") if isinstance(declared, dict) else None
    names = make_names(name or (own_name if isinstance(own_name, str) else root.name))
    subject = find_subject(project.source_roots, names.package)
    unfit = () if subject else find_unfit(project.source_roots, names.package)
    return Repository(project, configuration, names, subject, unfit)


def plan_repository(found: Repository) -> tuple[Change, ...]:
    """Everything that is missing, and what is there and stays as it is, in order of reading.

    A repository that has a contract gets no example.

    Raises:
        UsageError: a file that has to be extended can't be.
    """
    policy = _name(found, found.project.policy)
    return (
        _plan_configuration(found),
        *_plan_example(found),
        _plan_file(found, policy, "what the gate asks for", fill("policy.yaml", {})),
        _plan_file(found, _WORKFLOW, "the same in CI", _workflow(found)),
        _plan_ignored(found),
    )


def _plan_configuration(found: Repository) -> Change:
    """`[tool.pv]` at the end of pyproject.toml; everything before it stays byte for byte."""
    before = read_text(found.root / CONFIGURATION)
    if "pv" in found.configuration.get("tool", {}):
        return Change(CONFIGURATION, Action.KEEP, "has [tool.pv]")
    newline = "\r\n" if "\r\n" in (before or "") else "\n"
    gap = "" if not before else newline if before.endswith("\n") else 2 * newline
    text = f"{before or ''}{gap}{newline.join(_configuration_lines(found))}{newline}"
    _refuse_broken_configuration(found, text)
    action = Action.CREATE if before is None else Action.EXTEND
    return Change(CONFIGURATION, action, "[tool.pv]: where things are", text, before)


def _refuse_broken_configuration(found: Repository, text: str) -> None:
    # `tool = {…}` in one line is TOML to which no table can be added.
    try:
        after = tomllib.loads(text)
    except ValueError:
        after = {}
    if "pv" not in after.get("tool", {}):
        raise UsageError(
            f"{found.root / CONFIGURATION}: [tool.pv] can't be put at its end; "
            "add the table by hand, then run `pv init` again"
        )


def _configuration_lines(found: Repository) -> Iterator[str]:
    project = found.project
    roots = [_name(found, path) for path in project.source_roots]
    if found.subject is None and not has_contracts(project):
        roots = [_sample_root(found)]
    yield "[tool.pv]"
    for key, values, meaning in (
        ("contracts", [_name(found, p) for p in project.contracts], "what must hold, as YAML"),
        ("checks", [_name(found, p) for p in project.checks], "pytest functions that measure"),
        ("source_roots", roots, "what the subject is imported from"),
    ):
        yield f"{f'{key} = {json.dumps(values)}':<32}# {meaning}"


def _plan_example(found: Repository) -> Iterator[Change]:
    project = found.project
    if has_contracts(project):
        where = _name(found, project.contracts[0])
        yield Change(where, Action.KEEP, "has contracts, so that no example is needed")
        return
    files = make_example(project, found.names, found.subject, _sample_root(found))
    for name, note, text in files:
        yield _plan_file(found, name, note, text)


def _sample_root(found: Repository) -> str:
    """Where a package to begin with goes: src/, unless sources lie elsewhere already."""
    first = found.project.source_roots[0]
    configured = "pv" in found.configuration.get("tool", {})
    if configured or any(first.glob("*.py")) or any(first.glob("*/*.py")):
        return _name(found, first)
    return "src"


def _plan_file(found: Repository, name: str, note: str, text: str) -> Change:
    if os.path.lexists(found.root / name):  # noqa: TID251 - a dangling link is there too
        return Change(name, Action.KEEP, "was there")
    return Change(name, Action.CREATE, note, text)


def _workflow(found: Repository) -> str:
    install = _INSTALL_SUBJECT if found.is_installable else _INSTALL_NEEDS
    extras = "run,sign" if found.project.keys else "run"
    return fill("workflow.yml", {"INSTALL": install, "EXTRAS": extras})


def _plan_ignored(found: Repository) -> Change:
    before = read_text(found.root / ".gitignore")
    lines = {line.strip().strip("/") for line in (before or "").splitlines()}
    reports = f"{_name(found, found.project.reports)}/"
    missing = [line for line in (reports, _KEYS) if line.strip("/") not in lines]
    if not missing:
        return Change(".gitignore", Action.KEEP, f"has {reports} and {_KEYS}")
    gap = "" if not before or before.endswith("\n") else "\n"
    action = Action.CREATE if before is None else Action.EXTEND
    newlines = "".join(f"{line}\n" for line in missing)
    text = f"{before or ''}{gap}{newlines}"
    note = f"{' and '.join(missing)} stay out"
    return Change(".gitignore", action, note, text, before)


def has_contracts(project: Project) -> bool:
    """Whether anything lies where contracts are kept."""
    return any(
        place.is_file() or (place.is_dir() and any(walk_files(place, CONTRACT_SUFFIXES)))
        for place in project.contracts
    )


def _name(found: Repository, path: Path) -> str:
    # Not resolved: a link is named, not what it leads to.
    inside = path.is_relative_to(found.root) and ".." not in path.parts
    return path.relative_to(found.root).as_posix() if inside else found.project.relative(path)

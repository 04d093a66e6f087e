"""`pv validate --watch`: the same again, whenever a file that matters has changed."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.commands.asking import find_project
from pv_harness.errors import PvError
from pv_harness.workflow.watching import stamp_files, watch


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from pv_harness.exit_code import ExitCode
    from pv_harness.project import Project
    from pv_harness.validating.report import Report
    from pv_harness.workflow.watching import Stamp

INTERVAL_S = 0.5
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_MOST_NAMED = 3


def keep_validating(
    args: argparse.Namespace, judge: Callable[[Project], Report], pause: Callable[[float], None]
) -> ExitCode:
    """Judge again after every change, until Ctrl-C: then the exit code of the last validation.

    A terminal is cleared before each, anything else is not. What can't be judged for the
    moment, since a file is being moved say, is told and waited for.
    """
    session = _Session(args, judge)
    try:
        watch(
            session.look,
            session.act,
            interval_s=INTERVAL_S,
            pause=pause,
            clock=time.monotonic,
        )
    except KeyboardInterrupt:
        if session.last is None:
            raise
        return session.last


class _Session:
    """What is known between two validations."""

    def __init__(self, args: argparse.Namespace, judge: Callable[[Project], Report]) -> None:
        self.last: ExitCode | None = None
        self._args = args
        self._judge = judge
        self._project: Project | None = None
        self._planted_in: frozenset[str] = frozenset()
        with contextlib.suppress(PvError):  # the first validation tells it
            self._project = find_project(args)

    def look(self) -> dict[str, Stamp]:
        return stamp_files(self._files())

    def act(self, changed: tuple[str, ...]) -> dict[str, Stamp]:
        """Judge, and tell the state of files that only this made known as ones that matter."""
        if sys.stdout.isatty():
            print(_CLEAR, end="")
        if changed:
            names = [self._relative(name) for name in changed[:_MOST_NAMED]]
            more = len(changed) - len(names)
            listed = ", ".join([*names, *([f"{more} more"] if more else [])])
            print(f"pv: changed: {listed}", file=sys.stderr, flush=True)
        try:
            self._project = find_project(self._args)
            report = self._judge(self._project)
        except PvError as error:
            print(f"pv: {error}", file=sys.stderr)
            self.last = error.exit_code
        else:
            self.last = report.exit_code
            patches = (p.patch for f in report.falsifiers for p in f.plants)
            self._planted_in = frozenset(str(patch.file) for patch in patches)
        sys.stdout.flush()
        print("pv: waiting for a change; Ctrl-C ends", file=sys.stderr, flush=True)
        return stamp_files(self._planted())

    def _relative(self, name: str) -> str:
        from pv_harness.wording import printable

        return printable(self._project.relative(Path(name)) if self._project else name)

    def _planted(self) -> list[Path]:
        """The files that planted defects change; each must still hold its anchors."""
        if self._project is None:
            return []
        return [self._project.root / name for name in self._planted_in]

    def _files(self) -> Iterator[Path]:
        """Everything that a validation reads, except evidence, of which it shows a count."""
        from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, find_contract_files
        from pv_harness.errors import UsageError

        with contextlib.suppress(UsageError):  # nothing there for the moment
            yield from (Path.cwd() / file for file in find_contract_files(self._args.paths))
        if self._project is None:
            yield (self._args.root or Path.cwd()) / "pyproject.toml"
            return
        project = self._project
        yield project.root / "pyproject.toml"
        yield project.policy
        yield from self._planted()
        yield from _below(project.contracts, CONTRACT_SUFFIXES)
        yield from _below((*project.checks, *project.import_roots), frozenset({".py"}))


def _below(places: tuple[Path, ...], suffixes: frozenset[str]) -> Iterator[Path]:
    from pv_harness.contracts.file_search import walk_files
    from pv_harness.errors import UsageError

    for place in dict.fromkeys(places):
        with contextlib.suppress(UsageError):  # nothing there for the moment
            yield from walk_files(place, suffixes) if place.is_dir() else (place,)

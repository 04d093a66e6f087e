"""`pv prove --suggest`: functions that could be empty for all that the checks see.

Advice, not evidence: nothing of it is stored. A function is told from the others by three
questions. Do the checks of a falsifier that covers it enter it at all? Do they notice when it
returns a constant instead? If forks of a process say no, do real processes say so too?
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Control
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.fingerprint.syntax import SYNTAX_ERRORS
from pv_harness.measuring.guard import guarded_folder
from pv_harness.measuring.verdict import decide
from pv_harness.proving.extreme import Function, Skipped, find_functions, plant_probes
from pv_harness.proving.planting import Planter, Task
from pv_harness.proving.templates import Templates


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pv_harness.contracts.contract import Falsifier, Patch
    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.workbench import Workbench
    from pv_harness.project import Project

_MANY_TIMES = 5
_ALWAYS_S = 5.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A function that no check notices the absence of, and who could notice.

    Attributes:
        falsifiers: those whose checks enter it, and that cover its file.
    """

    function: Function
    falsifiers: tuple[Falsifier, ...]

    @property
    def patch(self) -> Patch:
        """One of the changes that nothing noticed; nothing noticed any."""
        return self.function.patches[0]

    @property
    def statements(self) -> tuple[str, ...]:
        """What was put at the beginning of its body, each in turn."""
        return tuple(p.replace.partition("\n")[0] for p in self.function.patches)


@dataclass(frozen=True, slots=True)
class SuggestReport:
    """What was found, and out of how much.

    Attributes:
        functions: functions that are covered and have a body.
        entered: of these, the ones that some check enters.
        declared: of these, the ones whose contract plants such a change already.
        tried: of these, the ones that were emptied.
        skipped: functions that could not be changed.
        red: falsifier ID -> why its checks could say nothing.
        limit: the most functions that were to be tried.
    """

    falsifiers: int
    functions: int
    entered: int
    declared: int
    tried: int
    limit: int
    suggestions: tuple[Suggestion, ...]
    skipped: tuple[Skipped, ...]
    red: Mapping[str, str]


def find_suggestions(
    bench: Workbench,
    baseline: Mapping[str, RunRecord],
    copies: Sequence[Path],
    limit: int,
    on_phase: Callable[[str, int], None] = lambda _phase, _count: None,
    on_function: Callable[[Function, bool], None] = lambda _function, _noticed: None,
) -> SuggestReport:
    """The covered functions that no check notices the absence of.

    Those of the modules that a claim names come first, then those of what these import and no
    claim names.

    Args:
        bench: the project.
        baseline: falsifier ID -> its record on an untouched copy, for those to be asked.
        copies: one untouched copy of the project per worker.
        limit: the most functions to try.
        on_phase: called before each phase with its name and the count of its results.
        on_function: called with each function that was tried, and whether it was noticed.
    """
    asked = [f for c in bench.contracts for f in c.falsifiers if f.id in baseline]
    green = [f for f in asked if baseline[f.id].verdict is Verdict.PASSED]
    covered, found = _covered_functions(bench, green)
    functions = [f for f in found if isinstance(f, Function)]
    with guarded_folder("pv-run-") as folder:
        templates = Templates(folder, bench.project.preload)
        planter = Planter(_hurried(bench, baseline), dict(baseline), templates, len(copies))
        hunt = _Hunt(planter, copies)
        try:
            on_phase("falsifiers, for the functions that they enter", len(green))
            entered = hunt.entered_by(green, covered)
            known = [f for f in entered if _is_declared(f, entered[f])]
            chosen = [f for f in functions if f in entered and f not in known][:limit]
            on_phase("functions without their bodies", len(chosen))
            suggestions = hunt.try_all(chosen, entered, on_function)
        finally:
            templates.close()
            hunt.close()
    return SuggestReport(
        falsifiers=len(asked),
        functions=len(functions),
        entered=len(entered),
        declared=len(known),
        tried=len(chosen),
        limit=limit,
        suggestions=tuple(s for s in suggestions if s is not None),
        skipped=tuple(f for f in found if isinstance(f, Skipped)),
        red={f.id: baseline[f.id].reason for f in asked if f not in green},
    )


class _Hunt:
    """The workers of one search, each with a copy of the project."""

    def __init__(self, planter: Planter, copies: Sequence[Path]) -> None:
        self._planter = planter
        self._pool = ThreadPoolExecutor(max_workers=len(copies))
        self._free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)

    def close(self) -> None:
        """Let no worker begin anything more."""
        self._pool.shutdown(cancel_futures=True)

    def entered_by(
        self, falsifiers: Sequence[Falsifier], covered: _Covered
    ) -> dict[Function, tuple[Falsifier, ...]]:
        """Function -> the falsifiers whose checks enter it, and that cover it."""
        own = {f.id: [x for x in covered[f.id] if isinstance(x, Function)] for f in falsifiers}
        entered: dict[Function, tuple[Falsifier, ...]] = {}
        futures = [self._pool.submit(self._entered, f, own[f.id]) for f in falsifiers]
        for falsifier, future in zip(falsifiers, futures, strict=True):
            for function in future.result():
                entered[function] = (*entered.get(function, ()), falsifier)
        return entered

    def try_all(
        self,
        functions: Sequence[Function],
        entered: Mapping[Function, tuple[Falsifier, ...]],
        on_function: Callable[[Function, bool], None],
    ) -> list[Suggestion | None]:
        """What became of each function: None if it was noticed."""

        def work(function: Function) -> Suggestion | None:
            found = self._try(function, entered[function])
            on_function(function, found is None)
            return found

        return [f.result() for f in [self._pool.submit(work, x) for x in functions]]

    def _entered(self, falsifier: Falsifier, functions: Sequence[Function]) -> list[Function]:
        copy = self._free.get()
        try:
            with TemporaryDirectory(
                prefix="marks-", dir=self._planter.templates.folder
            ) as name:
                marks = {f: f"{name}/{number}" for number, f in enumerate(functions)}
                with _probed(copy, marks):
                    measured = self._planter.run_unplanted(falsifier, copy)
                checks = self._planter.bench.checks[falsifier.id]
                verdict, _reason = decide(falsifier, checks, measured)
                if verdict is not Verdict.PASSED:
                    return list(functions)  # the probes are in the way: nothing is known
                return [f for f, mark in marks.items() if Path(mark).exists()]
        finally:
            self._free.put(copy)

    def _try(self, function: Function, falsifiers: tuple[Falsifier, ...]) -> Suggestion | None:
        copy = self._free.get()
        try:
            for patch in function.patches:
                if any(self._notices(f, patch, copy) for f in falsifiers):
                    return None
        finally:
            self._free.put(copy)
        return Suggestion(function, falsifiers)

    def _notices(self, falsifier: Falsifier, patch: Patch, copy: Path) -> bool:
        # A control that turns red is what is looked for: any reason will do.
        task = Task(falsifier, Control(patch))
        return not all(
            self._planter.plant(task, copy, forked=forked).outcome is PatchOutcome.GREEN
            for forked in (True, False)
        )


_Covered = dict[str, list[Function | Skipped]]


def _covered_functions(
    bench: Workbench, falsifiers: Sequence[Falsifier]
) -> tuple[_Covered, list[Function | Skipped]]:
    """What each falsifier covers, and all of it: first what is in modules that claims name.

    What no claim names belongs to every claim whose modules import it.
    """
    tree = bench.tree(bench.project.root)
    named = {
        f.id: {x for x in map(tree.find_module, f.covers) if x is not None} for f in falsifiers
    }
    anywhere = {file for files in named.values() for file in files}
    by_file: dict[Path, list[Function | Skipped]] = {}
    covered: _Covered = {}
    for falsifier in falsifiers:
        own = named[falsifier.id]
        files = [*sorted(own), *sorted(tree.closure(own) - anywhere)]
        for file in files:
            if file not in by_file:
                by_file[file] = _functions_in(file, bench.project)
        covered[falsifier.id] = [f for file in files for f in by_file[file]]
    order = sorted(by_file, key=lambda file: file not in anywhere)
    return covered, [f for file in order for f in by_file[file]]


def _functions_in(file: Path, project: Project) -> list[Function | Skipped]:
    if any(file.is_relative_to(folder) for folder in project.checks):
        return []  # a check is no part of what it judges
    name = PurePosixPath(file.relative_to(project.root).as_posix())
    try:
        return list(find_functions(name, file.read_bytes().decode("utf-8")))
    except (UnicodeDecodeError, *SYNTAX_ERRORS) as error:
        return [Skipped(name, "as a whole", 1, str(error))]


def _is_declared(function: Function, falsifiers: Sequence[Falsifier]) -> bool:
    """True if one of these falsifiers plants such a change already."""
    digests = {patch.digest for patch in function.patches}
    return any(plant.patch.digest in digests for f in falsifiers for plant in f.plants)


@contextlib.contextmanager
def _probed(copy: Path, marks: Mapping[Function, str]) -> Iterator[None]:
    """While the block runs, functions in the copy note that they are entered."""
    originals: dict[Path, bytes] = {}
    try:
        for file in {copy / function.file for function in marks}:
            own = {f: mark for f, mark in marks.items() if copy / f.file == file}
            originals[file] = file.read_bytes()
            text = plant_probes(originals[file].decode("utf-8"), own)
            file.write_bytes(text.encode("utf-8"))
        yield
    finally:
        for file, original in originals.items():
            file.write_bytes(original)


def _hurried(bench: Workbench, baseline: Mapping[str, RunRecord]) -> Workbench:
    """The bench, its checks given little more time than they took: what is empty may loop."""

    def hurry(falsifier: Falsifier) -> Falsifier:
        run = baseline.get(falsifier.id)
        if run is None:
            return falsifier
        limit_s = _ALWAYS_S + _MANY_TIMES * run.duration_s
        return replace(falsifier, timeout_s=min(falsifier.timeout_s, limit_s))

    contracts = tuple(
        replace(c, falsifiers=tuple(map(hurry, c.falsifiers))) for c in bench.contracts
    )
    return replace(bench, contracts=contracts)

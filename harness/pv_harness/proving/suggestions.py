"""`pv prove --suggest`: functions that could be empty for all that the checks see.

Advice, not evidence: nothing of it is stored. A function is told from the others by three
questions. Do the checks of a falsifier that covers it enter it at all? Do they notice when it
returns a constant instead? If forks of a process say no, do real processes say so too?
"""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Control
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.measuring.verdict import decide
from pv_harness.proving.extreme import Function, Skipped, find_functions, plant_probes
from pv_harness.proving.planting import Planter, Task
from pv_harness.proving.templates import Templates
from pv_harness.temporary_folders import owned_folder
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pv_harness.contracts.contract import Falsifier, Patch
    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.runner import Workbench

_MANY_TIMES = 5
_ALWAYS_S = 5.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A function that no check notices the absence of, and who could notice.

    Attributes:
        patch: one change that nothing noticed, of those that were tried.
        unnoticed: how many constants went unnoticed, of so many `tried`.
        falsifiers: those whose checks enter it, and that cover its file.
    """

    function: Function
    patch: Patch
    tried: int
    falsifiers: tuple[Falsifier, ...]


@dataclass(frozen=True, slots=True)
class SuggestReport:
    """What was found, and out of how much.

    Attributes:
        functions: functions of the covered modules that have a body.
        entered: of these, the ones that some check enters.
        tried: of these, the ones that were emptied.
        skipped: functions that could not be changed.
        red: falsifier ID -> why its checks could say nothing.
        limit: the most functions that were to be tried.
    """

    falsifiers: int
    functions: int
    entered: int
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
    """The functions of covered modules that no check notices the absence of.

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
    covered = _covered_functions(bench, green)
    found = list(dict.fromkeys(f for functions in covered.values() for f in functions))
    functions = [f for f in found if isinstance(f, Function)]
    with owned_folder("pv-forks-") as folder:
        templates = Templates(folder, bench.project.preload)
        planter = Planter(_hurried(bench, baseline), dict(baseline), templates, len(copies))
        hunt = _Hunt(planter, copies)
        try:
            on_phase("falsifiers, for the functions that they enter", len(green))
            entered = hunt.entered_by(green, covered)
            chosen = [f for f in functions if f in entered][:limit]
            on_phase("functions without their bodies", len(chosen))
            suggestions = hunt.try_all(chosen, entered, on_function)
        finally:
            templates.close()
            hunt.close()
    return SuggestReport(
        falsifiers=len(asked),
        functions=len(functions),
        entered=sum(f in entered for f in functions),
        tried=len(chosen),
        limit=limit,
        suggestions=tuple(s for s in suggestions if s is not None),
        skipped=tuple(f for f in found if isinstance(f, Skipped)),
        red={f.id: baseline[f.id].reason for f in asked if f not in green},
    )


def render_suggestions(report: SuggestReport) -> str:
    """The functions that nothing notices, as entries for `defects:`, and last the counts."""
    blocks = [_stub(suggestion) for suggestion in report.suggestions]
    notes = [
        f"{name}: not asked, since it does not pass as it is: {_line(why)}"
        for name, why in sorted(report.red.items())
    ]
    notes += [f"{s.file}:{s.line} {s.name}: skipped: {s.reason}" for s in report.skipped]
    unnoticed = len(report.suggestions)
    counts = [
        f"{report.functions} functions in what {report.falsifiers} falsifiers cover",
        f"{report.entered} entered by a check",
        f"{report.tried} tried",
        f"{report.tried - unnoticed} noticed",
        f"{unnoticed} not noticed",
    ]
    left = report.entered - report.tried
    if left:
        counts.append(f"{left} left out by --limit {report.limit}")
    if not report.tried:
        notes.append("nothing was tried, so nothing is known")
    return "\n".join([*blocks, *notes, " · ".join(counts)])


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
        return Suggestion(function, function.patches[0], len(function.patches), falsifiers)

    def _notices(self, falsifier: Falsifier, patch: Patch, copy: Path) -> bool:
        # A control that turns red is what is looked for: any reason will do.
        task = Task(falsifier, Control(patch))
        return not all(
            self._planter.plant(task, copy, forked=forked).outcome is PatchOutcome.GREEN
            for forked in (True, False)
        )


_Covered = dict[str, list[Function | Skipped]]


def _covered_functions(bench: Workbench, falsifiers: Sequence[Falsifier]) -> _Covered:
    """Falsifier ID -> the functions of the modules that it covers, sorted by place."""
    tree = bench.tree(bench.project.root)
    by_file: dict[Path, list[Function | Skipped]] = {}
    covered: _Covered = {}
    for falsifier in falsifiers:
        files = sorted({f for f in map(tree.find_module, falsifier.covers) if f is not None})
        for file in files:
            if file not in by_file:
                relative = PurePosixPath(file.relative_to(bench.project.root).as_posix())
                source = file.read_text(encoding="utf-8")
                by_file[file] = list(find_functions(relative, source))
        covered[falsifier.id] = [f for file in files for f in by_file[file]]
    return covered


@contextlib.contextmanager
def _probed(copy: Path, marks: Mapping[Function, str]) -> Iterator[None]:
    """While the block runs, functions in the copy note that they are entered."""
    originals: dict[Path, str] = {}
    try:
        for file in {copy / function.file for function in marks}:
            own = {f: mark for f, mark in marks.items() if copy / f.file == file}
            originals[file] = file.read_text(encoding="utf-8")
            file.write_text(plant_probes(originals[file], own), encoding="utf-8")
        yield
    finally:
        for file, text in originals.items():
            file.write_text(text, encoding="utf-8")


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


def _stub(suggestion: Suggestion) -> str:
    patch, first = suggestion.patch, suggestion.falsifiers[0]
    metrics = list(dict.fromkeys(bound.metric for bound in first.bounds))
    many = f"{suggestion.tried} constants" if suggestion.tried > 1 else "one constant"
    others = [f.id for f in suggestion.falsifiers[1:]]
    lines = [
        f"# {suggestion.function} may return {many}: no check notices",
        f"# for {first.id}, whose checks enter it",
        *([f"# as do those of {', '.join(others)}"] if others else []),
        f"- id: {patch.id}",
        f"  file: {_quoted(str(patch.file))}",
        f"  find: {_quoted(patch.find)}",
        f"  replace: {_quoted(patch.replace)}",
        f"  expect: {metrics[0] if len(metrics) == 1 else 'CHOOSE'}",
    ]
    if len(metrics) > 1:
        lines[-1] += f"  # one of {', '.join(metrics)}"
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    # Every JSON string is one of YAML; nothing of a source file can break out of it.
    return json.dumps(text)


def _line(text: str) -> str:
    return printable(text.strip().splitlines()[0]) if text.strip() else "no reason was given"

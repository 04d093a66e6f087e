"""`pv run [ID...]`: measure, with --prove also plant, store the evidence, show the board."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import (
    add_names,
    add_signing,
    note,
    positive,
    print_board,
    read_selected,
    whole_number,
)
from pv_harness.commands.progress import Reporter
from pv_harness.wording import printable


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.exit_code import ExitCode
    from pv_harness.workflow.declared import Declared
    from pv_harness.workflow.progress import Done


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv run`."""
    add_work_arguments(verb)
    verb.add_argument("--prove", action="store_true", help="then plant the declared defects")
    verb.add_argument(
        "--retries",
        type=counting,
        default=0,
        metavar="N",
        help="measure what is red or an error again, up to N times; each attempt is recorded",
    )
    verb.add_argument(
        "--repeat",
        type=positive,
        default=1,
        metavar="N",
        help="measure N times whatever comes out, to find what is flaky",
    )
    verb.add_argument(
        "--dry-run",
        "--list",
        action="store_true",
        help="say what would be measured, and why; measure nothing",
    )


def add_work_arguments(verb: argparse.ArgumentParser) -> None:
    """The options that `pv run` and `pv prove` share."""
    add_names(verb)
    choosing = verb.add_argument_group("which of them", "--stale and --failed add up")
    choosing.add_argument(
        "--level",
        action="append",
        default=[],
        type=str.upper,
        choices=("PARTIAL", "INTEGRATION", "DISCHARGED"),
        help="those with this ceiling, whatever their status; may be given again",
    )
    choosing.add_argument(
        "--stale", action="store_true", help="those whose sources or claim have changed"
    )
    choosing.add_argument(
        "--failed", action="store_true", help="those refuted, flaky or an error, once more"
    )
    choosing.add_argument(
        "--changed",
        nargs="?",
        const="HEAD",
        metavar="REV",
        help="those that a change since this git revision may concern (default HEAD)",
    )
    verb.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes (default: 1)"
    )
    verb.add_argument(
        "--again", action="store_true", help="measure or plant also what has fresh evidence"
    )
    add_signing(verb)


def counting(text: str) -> int:
    """The value of an option that counts something, 0 or more."""
    import argparse

    value = whole_number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0")
    return value


def run(args: argparse.Namespace) -> ExitCode:
    """Measure what is due, store it, and show the board of what was asked about."""
    declared, selected = select(args)
    # What has just failed has fresh evidence of it, and a hunt for flakes asks for more.
    again = args.again or args.failed or getattr(args, "repeat", 1) > 1
    if getattr(args, "dry_run", False):
        return _show_due(declared, selected, again=again)
    require_pytest(args.jobs)
    with Reporter() as reporter:
        done = _work(declared, selected, args, reporter, again=again)
    _say_done(declared, done, selected)
    return show_board(declared, selected)


def select(args: argparse.Namespace) -> tuple[Declared, tuple[Falsifier, ...]]:
    """What the project declares, and the falsifiers that names and options choose.

    Raises:
        ContractError: the contracts can't be judged.
        EvidenceError: evidence is unreadable or altered.
        UsageError: a name means nothing, or nothing is chosen.
    """
    from pv_harness.contracts.contract import Level
    from pv_harness.contracts.selection import names_something
    from pv_harness.errors import UsageError
    from pv_harness.workflow.choosing import Choice, choose

    declared, named = read_selected(args)
    levels = frozenset(map(Level, args.level))
    choice = Choice(levels, args.stale, args.failed, args.changed)
    try:
        return declared, choose(declared, named, choice)
    except UsageError as error:
        # `--changed ID` reads as a revision, and git's complaint would not say so.
        if (
            not args.changed
            or args.names
            or not names_something(declared.contracts, args.changed)
        ):
            raise
        hint = f"{args.changed} is no revision; write --changed=HEAD {args.changed}"
        raise UsageError(f"{error}; {hint}") from error


def show_board(declared: Declared, selected: Sequence[Falsifier]) -> ExitCode:
    """Print the board of what was selected, and write the reports.

    Raises:
        EvidenceError: evidence is unreadable or altered.
        InfrastructureError: the reports can't be written.
    """
    from pv_harness.workflow.declared import read_board
    from pv_harness.workflow.reports import write_reports
    from pv_harness.workflow.waiving import waive_board

    project, now_s = declared.project, time.time()
    whole = waive_board(read_board(declared, history=True), project, now_s, note)
    board = whole.of({falsifier.id for falsifier in selected})
    # Shown first: what was measured should not be lost to a folder that can't be written.
    print_board(board)
    write_reports(project, whole, now_s)
    print(f"written: {project.relative(project.reports)}/scoreboard.md, .json, index.html")
    return board.exit_code


def _work(
    declared: Declared,
    selected: Sequence[Falsifier],
    args: argparse.Namespace,
    reporter: Reporter,
    *,
    again: bool,
) -> Done:
    from pv_harness.measuring.runner import Attempts
    from pv_harness.workflow.measure import measure
    from pv_harness.workflow.prove import prove

    attempts = Attempts(getattr(args, "repeat", 1), getattr(args, "retries", 0))
    work = prove if args.prove else measure
    return work(
        declared,
        selected,
        jobs=args.jobs,
        again=again,
        progress=reporter.progress(),
        attempts=attempts,
    )


def require_pytest(jobs: int) -> None:
    """Say what is missing before anything is prepared; `pv` itself is installed without it.

    Raises:
        UsageError: pytest, or for several processes pytest-xdist, is not installed.
    """
    from importlib.util import find_spec

    from pv_harness.errors import UsageError

    needed = {"pytest": True, "xdist": jobs > 1}
    for module, is_needed in needed.items():
        if is_needed and find_spec(module) is None:
            what = (
                "measuring needs pytest" if module == "pytest" else "--jobs needs pytest-xdist"
            )
            raise UsageError(f"{what}, which is not installed: pip install 'pv-harness[run]'")


def _show_due(declared: Declared, selected: Sequence[Falsifier], *, again: bool) -> ExitCode:
    """Say what would be measured and why.

    Ends as `pv run` would end without measuring: what is due is not known; with nothing due
    the board decides.
    """
    from pv_harness.exit_code import ExitCode
    from pv_harness.workflow.declared import read_board
    from pv_harness.workflow.measure import find_due
    from pv_harness.workflow.waiving import waive_board

    due = find_due(declared, selected, again=again)
    for item in due:
        print(f"{item.falsifier.id}  {printable(item.why)}")
        for check in declared.checks[item.falsifier.id]:
            print(f"    {check.node_id}")
    counts = _count_rest(declared, len(due), selected)
    print(f"would measure {len(due)} of {len(selected)} falsifiers{counts}")
    if due:
        return ExitCode.UNKNOWN
    whole = waive_board(read_board(declared), declared.project, time.time(), note)
    return whole.of({falsifier.id for falsifier in selected}).exit_code


def _say_done(declared: Declared, done: Done, selected: Sequence[Falsifier]) -> None:
    counts = _count_rest(declared, done.measured, selected)
    print(f"measured {done.measured} of {len(selected)} falsifiers{counts}")
    for name, verdicts in done.retried.items():
        attempts = ", ".join(f"{n} {v.value}" for n, v in enumerate(verdicts, 1))
        print(f"attempts at {name}: {attempts}")
    if done.planted:
        print(f"planted {done.planted} changes")


def _count_rest(declared: Declared, due: int, selected: Sequence[Falsifier]) -> str:
    unbound = sum(not declared.checks.get(falsifier.id) for falsifier in selected)
    text = f", {len(selected) - due - unbound} had fresh evidence"
    return f"{text}, {unbound} had no check" if unbound else text

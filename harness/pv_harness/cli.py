"""The `pv` command: arguments in, text and an exit code out. The work is in `workflow`."""

from __future__ import annotations

import argparse
import io
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness import __version__
from pv_harness.errors import ContractError, PvError, UsageError
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import PatchRecord
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.project import Project
    from pv_harness.workflow import Declared, Done, Progress

_EXIT_CODES = """\
exit codes:
  0  satisfied, with something judged
  1  denied: refuted, vacuous, or below what the gate asks
  2  cannot judge: usage, invalid contract, nothing to judge
  3  unknown: missing, stale or incomplete evidence, which running may cure
  4  infrastructure: a crash, unreadable or altered evidence
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; errors are printed, not raised.

    With --debug they are raised.
    """
    args = make_parser().parse_args(argv)
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = int(args.run(args))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("pv: interrupted; what was not yet stored is not stored", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        return int(_tell(error))
    return code


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _tell(error: Exception) -> ExitCode:
    """Print an error for people, and choose the exit code that it means."""
    if isinstance(error, ContractError):
        count = len(error.problems)
        noun = "problem" if count == 1 else "problems"
        print(error, file=sys.stderr)
        print(f"pv: {count} {noun} in the contracts; nothing was judged", file=sys.stderr)
        return error.exit_code
    if isinstance(error, PvError):
        print(f"pv: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone: nobody is left to tell, not at exit either.
        sys.stdout = io.StringIO()
        return ExitCode.INFRASTRUCTURE
    what = f"{type(error).__name__}: {error}"
    print(f"pv: a defect of pv itself, or of this machine: {what}", file=sys.stderr)
    print("pv: --debug shows where; nothing more was judged", file=sys.stderr)
    return ExitCode.INFRASTRUCTURE


def make_parser() -> argparse.ArgumentParser:
    """The whole command line of pv."""
    parser = argparse.ArgumentParser(
        prog="pv",
        description="Contracts declare falsifiers; checks try to refute them; "
        "the scoreboard is derived from evidence.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pv {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", type=Path, metavar="DIR", help="the project (default: here)")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    several = argparse.ArgumentParser(add_help=False)
    several.add_argument(
        "names", nargs="*", metavar="ID", help="falsifiers or contracts, patterns too"
    )
    work = argparse.ArgumentParser(add_help=False)
    work.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes")
    work.add_argument("--again", action="store_true", help="also what has fresh evidence")

    def add(
        name: str,
        run: Callable[[argparse.Namespace], ExitCode],
        text: str,
        *parents: argparse.ArgumentParser,
    ) -> argparse.ArgumentParser:
        verb = verbs.add_parser(
            name,
            help=text,
            description=text,
            parents=[common, *parents],
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.set_defaults(run=run)
        return verb

    verb = add("validate", run_validate, "find every problem in contracts")
    verb.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or patterns")
    verb = add("run", run_run, "measure falsifiers and store the evidence", several, work)
    verb.add_argument("--prove", action="store_true", help="then plant the declared defects")
    add("prove", run_prove, "plant declared defects; each must be noticed", several, work)
    verb = add("scoreboard", run_scoreboard, "show what the evidence supports", several)
    verb.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    verb = add("gate", run_gate, "decide whether the statuses are good enough", several)
    verb.add_argument(
        "--require",
        choices=("ceiling", "PARTIAL", "INTEGRATION", "DISCHARGED"),
        default="ceiling",
        help="the level asked for; a claim that can't show it has to be at its ceiling",
    )
    verb.add_argument(
        "--allow-blocked",
        action="store_true",
        help="leave out falsifiers whose device is absent, and say so",
    )
    verb = add("explain", run_explain, "show one falsifier, and why its status is not higher")
    verb.add_argument("names", nargs=1, metavar="ID")
    return parser


def run_validate(args: argparse.Namespace) -> ExitCode:
    """`pv validate PATH...`."""
    from pv_harness.contracts.validation import render_report, validate
    from pv_harness.evidence.store import read_statements

    project = _project(args)
    report = validate(args.paths, project)
    recorded = {r.falsifier_id for s in read_statements(project.evidence) for r in s.runs}
    print(render_report(report, sum(f.id in recorded for f in report.falsifiers)))
    return report.exit_code


def run_run(args: argparse.Namespace) -> ExitCode:
    """`pv run [ID...]`: measure, with --prove also plant, store, and show the board."""
    from pv_harness import workflow

    declared, selected = _declared(args)
    work = workflow.prove if args.prove else workflow.measure
    done = work(
        declared, selected, jobs=args.jobs, again=args.again, progress=_Reporter().progress()
    )
    _say_done(done, len(selected))
    return _show_board(declared, args)


def run_prove(args: argparse.Namespace) -> ExitCode:
    """`pv prove [ID...]`: the same as `pv run --prove`."""
    args.prove = True
    return run_run(args)


def run_scoreboard(args: argparse.Namespace) -> ExitCode:
    """`pv scoreboard [ID...]`: derive and print."""
    from pv_harness.board.documents import render_json, render_markdown

    declared, _ = _declared(args)
    board = _board(declared, args)
    match args.format:
        case "markdown":
            print(render_markdown(board, now_s=time.time()), end="")
        case "json":
            print(render_json(board, now_s=time.time()), end="")
        case _:
            _print_board(board)
    return board.exit_code


def run_gate(args: argparse.Namespace) -> ExitCode:
    """`pv gate [ID...]`: one line per falsifier that stands in the way, then the decision."""
    from pv_harness.contracts.contract import Level
    from pv_harness.policy.gate import decide_gate

    declared, _ = _declared(args)
    required = None if args.require == "ceiling" else Level(args.require)
    rows = _board(declared, args).rows
    decision = decide_gate(rows, required, allow_blocked=args.allow_blocked)
    for result in decision.results:
        if not result.passed:
            status = result.row.status
            print(f"{result.row.falsifier.id}: {status}, {result.required.value} is required")
            print(f"  why   {result.why}")
            print(f"  cure  {status.cure}")
    passed = sum(result.passed for result in decision.results)
    blocked = f", {len(decision.left_out)} blocked and left out" if decision.left_out else ""
    word = "passed" if decision.exit_code is ExitCode.SATISFIED else "not passed"
    print(f"gate {word}: {passed} of {len(decision.results)} falsifiers{blocked}")
    return decision.exit_code


def run_explain(args: argparse.Namespace) -> ExitCode:
    """`pv explain ID`."""
    from pv_harness.board.terminal import render_explanation

    declared, _ = _declared(args)
    board = _board(declared, args)
    for row in board.rows:
        print(
            render_explanation(
                row, width=_width(), now_s=time.time(), color=sys.stdout.isatty()
            )
        )
    return board.exit_code


def _say_done(done: Done, asked: int) -> None:
    rest = asked - done.measured
    print(f"measured {done.measured} of {asked} falsifiers, {rest} had fresh evidence")
    if done.planted:
        print(f"planted {done.planted} changes")


def _project(args: argparse.Namespace) -> Project:
    from pv_harness.project import find_root, load_project

    start = args.root or Path.cwd()
    if not start.is_dir():
        raise UsageError(f"--root {start}: no such folder")
    return load_project(find_root(start))


def _declared(args: argparse.Namespace) -> tuple[Declared, tuple[Falsifier, ...]]:
    from pv_harness.contracts.selection import select_falsifiers
    from pv_harness.workflow import read_declared

    declared = read_declared(_project(args))
    return declared, select_falsifiers(declared.contracts, args.names)


def _board(declared: Declared, args: argparse.Namespace) -> Scoreboard:
    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.contracts.selection import select_falsifiers
    from pv_harness.workflow import read_board

    wanted = {f.id for f in select_falsifiers(declared.contracts, args.names)}
    rows: list[Row] = [r for r in read_board(declared).rows if r.falsifier.id in wanted]
    return Scoreboard(tuple(rows))


def _show_board(declared: Declared, args: argparse.Namespace) -> ExitCode:
    from pv_harness.workflow import read_board, write_reports

    write_reports(declared.project, read_board(declared), time.time())
    board = _board(declared, args)
    _print_board(board)
    print(
        f"written: {declared.project.relative(declared.project.reports)}/scoreboard.md, .json"
    )
    return board.exit_code


def _print_board(board: Scoreboard) -> None:
    from pv_harness.board.terminal import render_scoreboard

    print(
        render_scoreboard(board, width=_width(), now_s=time.time(), color=sys.stdout.isatty())
    )


class _Reporter:
    """Says what happens while it happens: one line per result, on standard error."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._planned = 0

    def progress(self) -> Progress:
        """The callbacks of this reporter."""
        from pv_harness.workflow import Progress

        return Progress(self.plan, self.check, self.patch)

    def plan(self, phase: str, count: int) -> None:
        """Begin a phase of `count` results."""
        self._seen, self._planned = set(), count
        self._say(f"{phase}: {count}")

    def check(self, record: CheckRecord) -> None:
        """One check has ended."""
        # A check with several parameter sets ends several times and counts once.
        text = f"{record.falsifier_id} {record.outcome.value} {record.duration_s:.1f}s"
        self._count(record.function, text)

    def patch(self, record: PatchRecord) -> None:
        """One planted change has been tried."""
        outcome = f"{record.outcome.value} {record.duration_s:.1f}s"
        name = f"{record.falsifier_id} {record.patch_id}"
        self._count(name, f"{name}: {outcome}")

    def _count(self, name: str, text: str) -> None:
        self._seen.add(name)
        self._say(f"[{len(self._seen)}/{self._planned}] {text}")

    @staticmethod
    def _say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())

"""`pv validate [PATH...]`: every problem of contracts, and what they declare."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.commands.paths import given_path


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pv_harness.documents.document import Document
    from pv_harness.exit_code import ExitCode
    from pv_harness.project import Project
    from pv_harness.validating.plain_files import PlainReading
    from pv_harness.validating.report import Report

_FORMATS = ("text", "json", "sarif", "github", "junit")
_STANDARD_INPUT = "-"
_MOST_JOBS = 2
"""More gain little: what one process has to do alone is a third of the time by then."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv validate`."""
    text = (
        "files, folders or patterns; - is standard input "
        "(default: the project's contracts and its policy file)"
    )
    verb.add_argument("paths", nargs="*", metavar="PATH", help=text)
    text = "for people (default), programs, or a service that annotates lines"
    verb.add_argument("--format", choices=_FORMATS, default="text", help=text)
    text = "show the line of each problem, its cause and the remedy"
    verb.add_argument("--explain", action="store_true", help=text)
    text = "validate again whenever a file changes, until Ctrl-C"
    verb.add_argument("--watch", action="store_true", help=text)
    text = "processes that read files, where there are many; at most 2 without it"
    verb.add_argument("--jobs", type=int, metavar="N", help=text)
    text = "neither give nor keep an answer for files that have not changed"
    verb.add_argument("--no-cache", action="store_true", help=text)
    text = "know changed files by their bytes, instead of size and time"
    verb.add_argument("--hash", action="store_true", help=text)
    text = "the file that standard input is judged in place of, as editors need it"
    verb.add_argument("--stdin-filename", type=given_path, metavar="FILE", help=text)


def run(args: argparse.Namespace) -> ExitCode:
    """Print problems sorted by place, then the denominators, as `--format` says.

    Raises:
        UsageError: the options contradict each other, or a path names nothing.
    """
    _refuse_contradictions(args)
    if not (args.watch or args.no_cache or args.explain or _STANDARD_INPUT in args.paths):
        return _answer_from_cache(args)
    from pv_harness.commands.asking import find_project

    project = find_project(args)
    args.paths = args.paths or _configured_paths(project)
    if args.watch:
        import time

        from pv_harness.commands.watching import keep_validating

        return keep_validating(args, lambda project: _judge(args, project), time.sleep)
    return _judge(args, project).exit_code


def _answer_from_cache(args: argparse.Namespace) -> ExitCode:
    """A new answer, which is kept; `cli` has looked for one that was."""
    import time

    from pv_harness.commands.asking import find_project
    from pv_harness.user_cache import find_cache_folder
    from pv_harness.workflow.kept_answers import Answer, keep_answer
    from pv_harness.workflow.recalled_answers import request_of
    from pv_harness.workflow.validate import find_ground

    started_ns = time.time_ns()
    caches, request = find_cache_folder(os.environ), request_of(args.words, os.environ)
    project = find_project(args)
    args.paths = args.paths or _configured_paths(project)
    start = (args.root or Path.cwd()).resolve()
    report, text = _answer(args, project, _keeping(caches, project, start, started_ns))
    print(text)
    ground = find_ground(args.paths, project, start, report)
    if caches and request and ground:
        answer = Answer(text, report.exit_code)
        keep_answer(
            caches, request, ground, answer, started_ns=started_ns, by_content=args.hash
        )
    return report.exit_code


def _keeping(
    caches: Path | None, project: Project, start: Path, started_ns: int
) -> Callable[[PlainReading], PlainReading]:
    from functools import partial

    from pv_harness.workflow.kept_files import keep_files
    from pv_harness.workflow.validate import find_ground_around

    def keep(reading: PlainReading) -> PlainReading:
        if caches is None:
            return reading
        ground = partial(find_ground_around, project, start)
        return keep_files(reading, caches, ground, started_ns)

    return keep


def _refuse_contradictions(args: argparse.Namespace) -> None:
    from pv_harness.errors import UsageError

    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs is {args.jobs}; it should be at least 1")
    if args.hash and args.no_cache:
        raise UsageError("--hash says how to know what is kept; --no-cache keeps nothing")
    given = _STANDARD_INPUT in args.paths
    if args.stdin_filename is not None and not given:
        raise UsageError("--stdin-filename names standard input; give - among the paths")
    if args.watch and given:
        raise UsageError("--watch: standard input is read once; name files")
    for option in ("explain", "watch"):
        if getattr(args, option) and args.format != "text":
            raise UsageError(f"--{option} goes with --format text, not {args.format}")


def _configured_paths(project: Project) -> list[str]:
    """What the project has to judge: its contracts, and its policy file if there is one.

    Raises:
        UsageError: a folder of contracts, or a file, is not there.
    """
    from pv_harness.project import no_contracts

    if not all(path.exists() for path in project.contracts):
        raise no_contracts(project)
    policy = [project.policy] if project.policy.exists() else []
    return [str(path) for path in (*project.contracts, *policy)]


def _judge(args: argparse.Namespace, project: Project) -> Report:
    """Validate once and print what was found."""
    report, text = _answer(args, project)
    print(text)
    return report


def _answer(
    args: argparse.Namespace,
    project: Project,
    keeping: Callable[[PlainReading], PlainReading] = lambda reading: reading,
) -> tuple[Report, str]:
    """Validate once: what was found, and what is to be printed of it.

    `keeping` makes of a reading of files one that remembers.
    """
    from pv_harness.measuring.devices import available_cores
    from pv_harness.validating.forked_reading import read_by
    from pv_harness.workflow.validate import validate_paths

    data, unsaved = None, None
    if _STANDARD_INPUT in args.paths:
        data = _read_standard_input()
        unsaved = _unsaved(data, args.stdin_filename, project)
    paths = [path for path in args.paths if path != _STANDARD_INPUT]
    processes = args.jobs or min(_MOST_JOBS, available_cores())
    report, with_evidence = validate_paths(
        paths,
        project,
        datetime.now(UTC).date(),
        unsaved,
        read_plain=keeping(read_by(processes)),
    )
    if args.explain:
        texts = {} if data is None or unsaved is None else {unsaved.path: data}
        return report, _explain(report, project, texts, with_evidence)
    return report, _render(args.format, report, with_evidence)


def _read_standard_input() -> bytes:
    """What standard input holds, and one byte more than is ever judged at most."""
    import sys

    from pv_harness.documents.loading import MAX_SIZE_BYTES
    from pv_harness.errors import UsageError
    from pv_harness.regular_file import reason

    # Python has no sys.stdin where the descriptor is closed.
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise UsageError("-: standard input is closed; name a file")
    try:
        data: bytes = stream.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"-: standard input can't be read: {reason(error)}") from error
    return data


def _unsaved(data: bytes, name: Path | None, project: Project) -> Document:
    from pv_harness.documents.loading import load
    from pv_harness.documents.problem import STANDARD_INPUT
    from pv_harness.wording import printable

    return load(data, STANDARD_INPUT if name is None else printable(project.relative(name)))


def _explain(
    report: Report, project: Project, texts: dict[str, bytes], with_evidence: int
) -> str:
    import sys

    from pv_harness.board.explained_problems import render_explained
    from pv_harness.commands.asking import color, width
    from pv_harness.validating.report import render_counts
    from pv_harness.workflow.source_lines import SourceLines

    lines = SourceLines(project, texts)
    colored = color(sys.stdout)
    found = render_explained(report.problems, lines, width=width(), color=colored)
    return found + render_counts(report, with_evidence)


def _render(name: str, report: Report, with_evidence: int) -> str:
    from pv_harness.validating.report import render_counts, render_report

    match name:
        case "json":
            from pv_harness.board.problems import render_json_problems

            return render_json_problems(report, with_evidence).rstrip("\n")
        case "sarif":
            from pv_harness.board.sarif import render_sarif_problems

            return render_sarif_problems(report.problems).rstrip("\n")
        case "github":
            from pv_harness.board.github import render_github_problems

            counts = render_counts(report, with_evidence)
            return render_github_problems(report.problems) + counts
        case "junit":
            from pv_harness.board.junit_problems import render_junit_problems

            counts = render_counts(report, with_evidence)
            return render_junit_problems(report, counts).rstrip("\n")
        case _:
            return render_report(report, with_evidence)

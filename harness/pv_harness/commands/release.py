"""`pv release [FILE]`: the counted fraction, the steps, and which one is next."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pv_harness.commands.asking import find_project, width
from pv_harness.commands.paths import given_path


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode
    from pv_harness.policy.release import ReleaseStanding


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv release`."""
    verb.add_argument(
        "file",
        nargs="?",
        type=given_path,
        metavar="FILE",
        help="a file of `kind: release` (default: the one among the contracts)",
    )
    verb.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="text for people (default), markdown for a page, json for programs",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print how far the release is."""
    from pv_harness.exit_code import ExitCode, combine
    from pv_harness.workflow.declared import read_declared
    from pv_harness.workflow.gate import verify_project
    from pv_harness.workflow.release import find_release, read_release_file, stand_release

    project, now_s = find_project(args), time.time()
    release = read_release_file(args.file or find_release(project), project)
    standing = stand_release(read_declared(project), release)
    print(_render(standing, args.format, now_s), end="")
    findings = verify_project(project, now_s)
    for finding in findings:
        print(finding, file=sys.stderr)
    return combine([standing.exit_code, *(ExitCode.INFRASTRUCTURE for _ in findings)])


def _render(standing: ReleaseStanding, shape: str, now_s: float) -> str:
    from pv_harness.policy.release_report import (
        render_release_json,
        render_release_markdown,
        render_release_text,
    )

    match shape:
        case "markdown":
            return render_release_markdown(standing)
        case "json":
            derived = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
            return render_release_json(standing, derived=derived)
        case _:
            return render_release_text(standing, width=width())

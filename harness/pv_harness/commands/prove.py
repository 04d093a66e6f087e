"""`pv prove [ID...]`: plant each declared defect, and see whether a check notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.commands.run import add_work_arguments, run as run_and_show


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv prove`."""
    add_work_arguments(verb)


def run(args: argparse.Namespace) -> ExitCode:
    """The same as `pv run --prove`."""
    args.prove = True
    return run_and_show(args)

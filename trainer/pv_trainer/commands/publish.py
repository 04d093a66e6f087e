"""`apr publish`: the folder of a release, if the gate of the release is met."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `apr publish`."""
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="RUN/ckpt/NAME.apr, stamped"
    )
    parser.add_argument("output", type=Path, metavar="DIR", help="must be new, or empty")
    parser.add_argument(
        "--tokenizer", type=Path, metavar="PATH", help="default the one that the run names"
    )
    parser.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        default=Path(),
        help="contracts, policy and evidence; default the working folder",
    )
    parser.add_argument(
        "--pv",
        type=Path,
        metavar="PATH",
        help="the pv to ask; default the one beside apr",
    )


def publish(args: argparse.Namespace) -> ExitStatus:
    """`apr publish`: weights, tokenizer, card, evidence and digests in one folder."""
    from pv_trainer.release.gate import find_pv
    from pv_trainer.release.publishing import publish as write_release

    release = write_release(
        args.checkpoint,
        args.output,
        project=args.project,
        pv=find_pv() if args.pv is None else args.pv.absolute(),
        tokenizer=args.tokenizer,
    )
    report = {"output": str(release.folder), "files": dict(release.files)}
    answer(args, report, lambda r: f"{r['output']}: {len(r['files'])} files, verified")
    return ExitStatus.BUDGET_END

"""`apr import`: a Hugging Face checkpoint as one .apr file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `apr import`."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="SOURCE",
        help="a Hugging Face directory, or a .safetensors file beside its config.json",
    )
    parser.add_argument("output", type=Path, metavar="OUT.apr", help="must be new")


def import_(args: argparse.Namespace) -> ExitStatus:
    """`apr import`: a Hugging Face checkpoint as one .apr file, read back and compared."""
    from pv_trainer.checkpoints.conversion import import_checkpoint

    found = import_checkpoint(args.checkpoint, args.output)
    report = {
        "source": str(args.checkpoint),
        "output": str(args.output),
        "sha256": found.files[args.output.name],
        "tensors": found.tensors,
        "config": asdict(found.config),
        "metadata": dict(found.metadata),
        "verified": True,
    }
    answer(
        args,
        report,
        lambda r: f"{r['output']}: {r['tensors']} tensors, read back and equal, {r['sha256']}",
    )
    return ExitStatus.BUDGET_END

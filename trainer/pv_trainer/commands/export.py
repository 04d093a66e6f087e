"""`apr export`: a checkpoint as a Hugging Face directory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `apr export`."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help=".apr, .safetensors or Hugging Face directory",
    )
    parser.add_argument("output", type=Path, metavar="DIR", help="must be new, or empty")
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="copied into DIR")


def export(args: argparse.Namespace) -> ExitStatus:
    """`apr export`: a checkpoint as a Hugging Face directory, each tensor byte for byte."""
    from pv_trainer.atomic import refuse_content
    from pv_trainer.checkpoints.conversion import export_checkpoint
    from pv_trainer.data.tokenizer import read_tokenizer

    refuse_content(args.output)
    info = None if args.tokenizer is None else read_tokenizer(args.tokenizer)
    found = export_checkpoint(
        args.checkpoint,
        args.output,
        () if info is None else info.files,
        None if info is None else info.eos_id,
    )
    report = {
        "output": str(args.output),
        "files": dict(found.files),
        "tensors": found.tensors,
        "config": asdict(found.config),
    }
    answer(args, report, lambda r: f"{r['output']}: {', '.join(r['files'])}")
    return ExitStatus.BUDGET_END

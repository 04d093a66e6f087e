"""`apr export`: a checkpoint as a Hugging Face directory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="PATH",
        help="written into DIR; default that of the run, for a checkpoint in RUN/ckpt",
    )


def export(args: argparse.Namespace) -> ExitStatus:
    """`apr export`: a checkpoint as a Hugging Face directory, each tensor byte for byte."""
    from pv_trainer.atomic import refuse_content
    from pv_trainer.checkpoints.conversion import export_checkpoint
    from pv_trainer.data.tokenizer import open_tokenizer, read_tokenizer
    from pv_trainer.training.recorded_tokenizer import recorded_tokenizer

    refuse_content(args.output)
    if args.tokenizer is None:
        info = recorded_tokenizer(args.checkpoint)
    else:
        info = read_tokenizer(args.tokenizer)
    if info is not None:
        open_tokenizer(info)  # so that nothing is written beside one that nobody can use
    found = export_checkpoint(args.checkpoint, args.output, info)
    report = {
        "output": str(args.output),
        "files": dict(found.files),
        "tokenizer": None if info is None else [str(file) for file in info.files],
        "tokenizer_sha256": None if info is None else info.digest,
        "tensors": found.tensors,
        "config": asdict(found.config),
    }
    answer(args, report, _text)
    return ExitStatus.BUDGET_END


def _text(report: dict[str, Any]) -> str:
    files = report["tokenizer"]
    told = (
        f"its tokenizer is {' and '.join(files)}, {report['tokenizer_sha256'][:16]}"
        if files
        else "no tokenizer: the checkpoint is in the folder of no run; --tokenizer names one"
    )
    return f"{report['output']}: {', '.join(report['files'])}\n{told}"

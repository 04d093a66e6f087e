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
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("output", type=Path, metavar="DIR")
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="copied into DIR")


def export(args: argparse.Namespace) -> ExitStatus:
    """`apr export`: a checkpoint as a Hugging Face directory."""
    from pv_trainer.checkpoints.init import load_model
    from pv_trainer.checkpoints.saving import save_huggingface
    from pv_trainer.data.encode import refuse_content
    from pv_trainer.data.tokenizer import read_tokenizer

    refuse_content(args.output)
    info = None if args.tokenizer is None else read_tokenizer(args.tokenizer)
    model, architecture, _ = load_model(args.checkpoint)
    digests = save_huggingface(
        args.output,
        model,
        () if info is None else info.files,
        None if info is None else info.eos_id,
    )
    report = {
        "output": str(args.output),
        "files": digests,
        "config": asdict(architecture.config),
    }
    answer(args, report, lambda r: f"{r['output']}: {', '.join(r['files'])}")
    return ExitStatus.BUDGET_END

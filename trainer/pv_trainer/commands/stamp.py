"""`apr stamp`: where a checkpoint comes from, written into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `apr stamp`."""
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="RUN/ckpt/NAME.apr of a run"
    )


def stamp(args: argparse.Namespace) -> ExitStatus:
    """`apr stamp`: run, commit, data, tokenizer, parent and measurements, from run.json."""
    from pv_trainer.release.stamping import stamp_checkpoint

    done = stamp_checkpoint(args.checkpoint)
    report = {
        "checkpoint": str(args.checkpoint),
        "sha256": done.sha256,
        "tensors_sha256": done.tensors_sha256,
        "provenance": dict(done.provenance),
        "verified": True,
    }
    answer(
        args,
        report,
        lambda r: (
            f"{r['checkpoint']}: stamped with run {r['provenance']['run_id']}, validation loss "
            f"{r['provenance']['measurements']['val_loss']:.4f} nats; read back, tensors "
            f"unchanged, {r['sha256']}"
        ),
    )
    return ExitStatus.BUDGET_END

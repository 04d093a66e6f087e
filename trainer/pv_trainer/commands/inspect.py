"""`apr inspect`: what a checkpoint says about itself, from its headers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `apr inspect`."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")


def inspect(args: argparse.Namespace) -> ExitStatus:
    """`apr inspect`: what a checkpoint says about itself, from its headers."""
    from pv_trainer.checkpoints.inspection import inspect_checkpoint

    answer(args, inspect_checkpoint(args.checkpoint), _inspect_text)
    return ExitStatus.BUDGET_END


def _inspect_text(report: dict[str, Any]) -> str:
    counts = f"{report['tensor_count']} tensors, {report['value_count']} values"
    lines = [f"{report['path']}: {report['kind']}, {counts}, {report['dtypes']}"]
    sources = report["sources"] or {}
    for name, value in (report["config"] or {}).items():
        lines.append(f"  {name:24} {value!s:12} {sources[name]}")
    lines += [f"  warning: {warning}" for warning in report["warnings"]]
    if report["problem"] is not None:
        lines.append(
            f"  not trainable: [{report['problem']['id']}] {report['problem']['what']}"
        )
    return "\n".join(lines)

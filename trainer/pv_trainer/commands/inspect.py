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
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help=".apr, .safetensors or Hugging Face directory",
    )
    parser.add_argument(
        "--tensors", action="store_true", help="list every tensor; --json always does"
    )
    parser.add_argument(
        "--verify", action="store_true", help="read every byte and compare the checksum"
    )


def inspect(args: argparse.Namespace) -> ExitStatus:
    """`apr inspect`: what a checkpoint says about itself, from its headers."""
    from pv_trainer.checkpoints.inspection import inspect_checkpoint

    report = inspect_checkpoint(args.checkpoint, verify=args.verify)
    answer(args, report, lambda found: _inspect_text(found, tensors=args.tensors))
    return ExitStatus.BUDGET_END


def _inspect_text(report: dict[str, Any], *, tensors: bool) -> str:
    counts = f"{report['tensor_count']} tensors, {report['value_count']:,} values"
    dtypes = ", ".join(f"{count} {name}" for name, count in report["dtypes"].items())
    lines = [f"{report['path']}: {report['kind']}, {counts}; {dtypes or 'no dtype'}"]
    sources = report["sources"] or {}
    for name, value in (report["config"] or {}).items():
        lines.append(f"  {name:24} {value!s:12} {sources[name]}")
    if tensors:
        lines += _tensor_lines(report["tensors"])
    lines += [f"  warning: {warning}" for warning in report["warnings"]]
    if report["verified"]:
        lines.append("  every byte read; the checksum is right")
    if report["problem"] is not None:
        lines.append(
            f"  not trainable: [{report['problem']['id']}] {report['problem']['what']}"
        )
    return "\n".join(lines)


def _tensor_lines(tensors: dict[str, Any]) -> list[str]:
    """Name, dtype, shape, offset and size of each, in columns."""
    rows = [("tensor", "dtype", "shape", "offset", "bytes")]
    for name, tensor in tensors.items():
        shape = " x ".join(map(str, tensor["shape"])) or "scalar"
        place = ["-" if tensor[key] is None else str(tensor[key]) for key in _PLACES]
        rows.append((name, tensor["dtype"], shape, place[0], place[1]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"  {name:{widths[0]}}  {dtype:{widths[1]}}  {shape:{widths[2]}}"
        f"  {offset:>{widths[3]}}  {size:>{widths[4]}}"
        for name, dtype, shape, offset, size in rows
    ]


_PLACES = ("offset", "size_bytes")

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
    lines += _origin_lines(report["metadata"])
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


def _origin_lines(metadata: dict[str, Any]) -> list[str]:
    """Which training wrote it, and which run it is stamped with, as far as it says so.

    Any file may claim anything here: only the members that are there are shown, as they are.
    """
    training, stamp = metadata.get("training"), metadata.get("provenance")
    told = [("trained", training, _TRAINING), ("stamped", stamp, _STAMP)]
    if isinstance(stamp, dict):
        told.append(("measured", stamp.get("measurements"), _MEASURED))
    lines = []
    for title, members, names in told:
        if isinstance(members, dict):
            known = [f"{name} {_shown(members[name])}" for name in names if name in members]
            lines.append(f"  {title:24} {', '.join(known) or 'with nothing that is known'}")
    return lines


def _shown(value: object) -> str:
    """A member's value on one line and short, whatever it is."""
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


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


_SHOWN_CHARS = 60
_TRAINING = ("epoch", "step", "tokens_seen")
_STAMP = ("run_id", "status", "mode", "seed")
_MEASURED = ("val_loss", "val_loss_standard_error", "val_tokens")
_PLACES = ("offset", "size_bytes")

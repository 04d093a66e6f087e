"""`apr bench`: how fast a shape trains here, beside what this machine can do."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pv_trainer.commands import values
from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus
from pv_trainer.model.config import SHAPES
from pv_trainer.training.options import DEFAULT_CONFIG, PretrainOptions, option_kinds


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

_UPDATES: Final = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `apr bench`."""
    parser.epilog = (
        "Tokens are made up and weights random: only the speed means something. The ceiling is "
        "the fastest of six square matrix products on the same device in the same dtype. A "
        "first update is told apart: in it memory is laid out and kernels are compiled."
    )
    parser.add_argument(
        "--config",
        choices=sorted(SHAPES),
        metavar="NAME",
        help=f"{', '.join(sorted(SHAPES))}; default {DEFAULT_CONFIG}",
    )
    usual = PretrainOptions()
    for flag, default, text in (
        ("--updates", _UPDATES, "updates to time, after a first one"),
        ("--batch-size", usual.batch_size, "windows per update"),
        ("--seq-length", usual.seq_length, "tokens per window"),
        ("--grad-accum", usual.grad_accum, "parts that a batch is computed in"),
    ):
        parser.add_argument(
            flag,
            type=values.positive,
            default=default,
            metavar="N",
            help=f"{text}; default {default}",
        )
    parser.add_argument(
        "--device",
        default=usual.device,
        help=f"cpu, cuda, cuda:0 to cuda:15, auto; default {usual.device}",
    )
    parser.add_argument(
        "--dtype",
        choices=option_kinds()["dtype"].choices,
        help="default float32 on cpu, bfloat16 on cuda; weights stay float32",
    )
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")


def bench(args: argparse.Namespace) -> ExitStatus:
    """`apr bench`: time updates of a shape, and a matrix product beside them."""
    from pv_trainer.speed.benchmark import run_benchmark

    options = PretrainOptions(
        config=args.config or DEFAULT_CONFIG,
        batch_size=args.batch_size,
        seq_length=args.seq_length,
        grad_accum=args.grad_accum,
        device=args.device,
        dtype=args.dtype,
        compile=args.compile,
    )
    with _progress(args.updates + 1) as report:
        measured = run_benchmark(options, args.updates, report)
    asked = {
        "config": options.config,
        "batch_size": options.batch_size,
        "seq_length": options.seq_length,
        "grad_accum": options.grad_accum,
    }
    answer(args, asked | measured.to_json(), _bench_text)
    return ExitStatus.BUDGET_END


@contextmanager
def _progress(updates: int) -> Iterator[Callable[[int], None]]:
    """Yield what is told how many updates are done; a terminal shows it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from pv_trainer.commands.progress_bar import make_bar

    bar = make_bar("update {task.completed:.0f}/{task.total:.0f}", refreshed=True)
    task = bar.add_task("", total=updates)
    with bar:
        yield lambda done: bar.update(task, completed=done)


def _bench_text(found: dict[str, Any]) -> str:
    rows = {
        found["config"]: _shape_text(found),
        "device": f"{found['device']}: {found['device_name']}, {_counted_threads(found)}",
        "update": _times_text(found),
        "speed": f"{found['tokens_per_s']:,.0f} tokens/s, {_tera(found['flops_per_s'])}",
        "ceiling": _ceiling_text(found),
        "memory": f"{found['peak_memory_bytes'] / 2**20:,.0f} MiB at the peak, "
        f"{'of the device' if _on_cuda(found) else 'of the whole process'}",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows.items())


def _shape_text(found: dict[str, Any]) -> str:
    compiled = ", compiled" if found["compile"] else ""
    batch = f"{found['batch_size']} x {found['seq_length']} tokens"
    parts = f" in {found['grad_accum']} parts" if found["grad_accum"] > 1 else ""
    return f"{found['parameters']:,} parameters, {batch}{parts}, {found['dtype']}{compiled}"


def _counted_threads(found: dict[str, Any]) -> str:
    return f"{found['threads']} CPU thread{'s' if found['threads'] != 1 else ''}"


def _times_text(found: dict[str, Any]) -> str:
    times = found["update_s"]
    middle, low, high, first = (
        f"{1000 * seconds:,.1f} ms"
        for seconds in (
            found["median_update_s"],
            min(times),
            max(times),
            found["first_update_s"],
        )
    )
    return f"median {middle} of {len(times)} ({low} to {high}), first {first}"


def _ceiling_text(found: dict[str, Any]) -> str:
    size, share = found["matmul_size"], 100 * found["share_of_matmul"]
    product = f"a matrix product of {size} x {size}"
    return f"{_tera(found['matmul_flops_per_s'])} in {product}; updates reach {share:.1f} %"


def _tera(flops_per_s: float) -> str:
    return f"{flops_per_s / 1e12:.3g} TFLOP/s"


def _on_cuda(found: dict[str, Any]) -> bool:
    return str(found["device"]).startswith("cuda")

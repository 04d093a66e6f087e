"""`apr pretrain`: train a model, from a checkpoint or from scratch."""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.commands import values
from pv_trainer.commands.answering import answer, say
from pv_trainer.commands.embedded import cache_dir
from pv_trainer.errors import UsageError
from pv_trainer.model.config import SHAPES


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pv_trainer.exit_status import ExitStatus
    from pv_trainer.training.epochs import EpochRecord
    from pv_trainer.training.metrics import StepMetrics
    from pv_trainer.training.preflight import PretrainOptions


PRETRAIN_NOTE: Final = (
    "Exit codes: 0 target met, early stop or budget end; 2 usage; 10 init invalid; "
    "11 data invalid; 12 device unavailable; 20 divergence; 21 numerical instability; "
    "22 data exhausted; 23 checkpoint failed; 130 interrupted."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `apr pretrain`."""
    parser.epilog = PRETRAIN_NOTE
    _add_inputs(parser.add_argument_group("inputs and output"))
    _add_regime(parser.add_argument_group("regime; a flag that is given wins over --mode"))
    _add_budget(parser.add_argument_group("budget"))
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", default="auto", help="cpu, cuda, cuda:0 to cuda:15, auto")
    machine.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        help="default float32 on cpu, bfloat16 on cuda; weights stay float32",
    )
    machine.add_argument("--compile", action="store_true", help="torch.compile the model")


def pretrain(args: argparse.Namespace) -> ExitStatus:
    """`apr pretrain`: train a model, from a checkpoint or from scratch."""
    from pv_trainer.training.preflight import preflight

    run_dir = args.run_dir or Path("runs") / _run_name()
    _refuse_existing(run_dir)
    plan = preflight(_pretrain_options(args))
    from pv_trainer.training.loop import run_training

    result = run_training(plan, run_dir, report=_make_report(args, plan.options.num_steps))
    answer(args, {"run_dir": str(run_dir), **result.record}, _pretrain_text)
    return result.status


def _add_inputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--dataset", type=Path, metavar="DIR", help="token shards; default the embedded corpus"
    )
    group.add_argument(
        "--val-shard", type=Path, metavar="DIR", help="held-out shards; default DATASET/val"
    )
    group.add_argument(
        "--tokenizer", type=Path, metavar="PATH", help="tokenizer.json; default the dataset's"
    )
    group.add_argument(
        "--init", type=Path, metavar="PATH", help=".apr, .safetensors or Hugging Face directory"
    )
    group.add_argument(
        "--config",
        choices=sorted(SHAPES),
        metavar="NAME",
        help=f"shape from scratch: {', '.join(sorted(SHAPES))}; default tiny-qwen2",
    )
    group.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="must be new; default runs/<time>-<id>"
    )


def _add_regime(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mode",
        choices=("finetune", "from-scratch"),
        help="default finetune with --init, else from-scratch",
    )
    group.add_argument("--lr", type=values.rate, help="peak rate; default 5e-5 / 3e-4")
    group.add_argument(
        "--warmup-steps", type=values.count, metavar="N", help="default 100 / 1000 updates"
    )
    group.add_argument(
        "--target-val-loss", type=values.number, metavar="NATS", help="default 2.2 / 3.0"
    )


def _add_budget(group: argparse._ArgumentGroup) -> None:
    for flag, kind, default, text in (
        ("--num-steps", values.count, 1000, "updates, and where the cosine ends"),
        ("--batch-size", values.positive, 16, "windows per update"),
        ("--seq-length", values.positive, 1024, "tokens per window"),
        ("--steps-per-epoch", values.positive, 100, "updates from checkpoint to checkpoint"),
        ("--grad-accum", values.positive, 1, "parts that a batch is computed in"),
        ("--seed", values.count, 42, "of the data order and of random weights"),
    ):
        told = f"{text}; default {default}"
        group.add_argument(flag, type=kind, default=default, metavar="N", help=told)
    group.add_argument(
        "--val-tokens",
        type=values.positive,
        default=8192,
        metavar="N",
        help="at most, per validation; default 8192",
    )
    group.add_argument("--cycle", action="store_true", help="read an exhausted dataset again")


def _pretrain_options(args: argparse.Namespace) -> PretrainOptions:
    from pv_trainer.training.preflight import PretrainOptions

    given = vars(args) | {"cache": cache_dir()}
    names = PretrainOptions.__dataclass_fields__.keys() & given.keys()
    return PretrainOptions(**{name: given[name] for name in names})


def _refuse_existing(run_dir: Path) -> None:
    if run_dir.exists():
        raise UsageError(
            error_ids.USAGE, f"--run-dir {run_dir} exists", "name a folder that is new"
        )


def _run_name() -> str:
    return f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(3)}"


def _make_report(
    args: argparse.Namespace, num_steps: int
) -> Callable[[StepMetrics | EpochRecord], None]:
    """Print epochs as they end, and on a terminal the step that is running."""
    terminal = sys.stderr.isatty()

    def report(event: StepMetrics | EpochRecord) -> None:
        if hasattr(event, "epoch"):
            if terminal:
                print("\r\x1b[K", end="", file=sys.stderr)
            if not args.json:
                say(_epoch_text(asdict(event)))
        elif terminal and event.step % 10 == 0:
            text = f"step {event.step}/{num_steps}, loss {event.train_loss:.4f}"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return report


def _epoch_text(epoch: dict[str, Any]) -> str:
    train = "none" if epoch["train_loss"] is None else f"{epoch['train_loss']:.4f}"
    return (
        f"epoch {epoch['epoch']}: step {epoch['step']}, train loss {train}, val loss "
        f"{epoch['val_loss']:.4f} ± {epoch['val_loss_standard_error']:.4f} nats"
    )


def _pretrain_text(record: dict[str, Any]) -> str:
    return f"{record['status']}: {record['reason']}; {record['run_dir']}"

"""`apr pretrain`: train a model, from a checkpoint or from scratch."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.commands import values
from pv_trainer.commands.answering import answer
from pv_trainer.commands.embedded import cache_dir
from pv_trainer.commands.progress import watching
from pv_trainer.commands.standard_streams import say, silence
from pv_trainer.commands.stop_signals import stop_on_signals
from pv_trainer.errors import UsageError
from pv_trainer.model.config import SHAPES, parameter_count
from pv_trainer.training.options import PretrainOptions, option_kinds
from pv_trainer.training.regimes import REGIMES


if TYPE_CHECKING:
    import argparse

    from pv_trainer.exit_status import ExitStatus
    from pv_trainer.training.preflight import TrainingPlan
    from pv_trainer.training.resuming import ResumePoint


LOG: Final = logging.getLogger("pv_trainer")
PRETRAIN_NOTE: Final = (
    "Exit codes: 0 target met, early stop or budget end; 2 usage; 10 init invalid; "
    "11 data invalid; 12 device unavailable; 20 divergence; 21 numerical instability; "
    "22 data exhausted; 23 checkpoint failed; 130 interrupted, and --resume goes on."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `apr pretrain`."""
    parser.epilog = PRETRAIN_NOTE
    _add_inputs(parser.add_argument_group("inputs and output"))
    _add_regime(parser.add_argument_group("regime; a flag that is given wins over --mode"))
    _add_budget(parser.add_argument_group("budget"))
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", help="cpu, cuda, cuda:0 to cuda:15, auto; default auto")
    machine.add_argument(
        "--dtype",
        choices=option_kinds()["dtype"].choices,
        help="default float32 on cpu, bfloat16 on cuda; weights stay float32",
    )
    machine.add_argument(
        "--compile", action="store_true", default=None, help="torch.compile the model"
    )


def pretrain(args: argparse.Namespace) -> ExitStatus:
    """`apr pretrain`: train a model, from a checkpoint or from scratch, or go on with a run."""
    if args.resume is not None:
        return _resume(args)
    from pv_trainer.training.preflight import preflight

    run_dir = args.run_dir or Path("runs") / _run_name()
    _refuse_existing(run_dir)
    plan = preflight(_pretrain_options(args))
    _warn_of_warmup(plan)
    return _train(args, plan, run_dir)


def _warn_of_warmup(plan: TrainingPlan) -> None:
    """Say that the rate that was asked for is never reached, where nobody asked for that."""
    steps, warmup = plan.options.num_steps, plan.regime.warmup_steps
    if plan.options.warmup_steps is None and 0 < steps <= warmup:
        LOG.warning(
            "the warm-up of --mode %s, %d updates, is as long as the run of %d or longer: the "
            "rate ends at %.2g of %.2g; --warmup-steps sets a shorter one",
            plan.regime.mode,
            warmup,
            steps,
            plan.regime.lr * (steps - 1) / warmup,
            plan.regime.lr,
        )


def _resume(args: argparse.Namespace) -> ExitStatus:
    from pv_trainer.training.preflight import preflight
    from pv_trainer.training.resuming import check_same_inputs, continued_options, find_point

    if args.run_dir is not None and args.run_dir != args.resume:
        raise UsageError(
            error_ids.USAGE,
            f"--run-dir {args.run_dir} and --resume {args.resume}: a run goes on where it is",
            "leave --run-dir out",
        )
    point = find_point(args.resume)
    plan = preflight(continued_options(point, _given_options(args)))
    check_same_inputs(point, plan)
    return _train(args, plan, args.resume, point)


def _train(
    args: argparse.Namespace,
    plan: TrainingPlan,
    run_dir: Path,
    point: ResumePoint | None = None,
) -> ExitStatus:
    terminal = sys.stderr.isatty()
    from pv_trainer.training.loop import run_training

    with stop_on_signals() as stop_asked:
        with watching(plan.options.num_steps, quiet=args.json, terminal=terminal) as report:
            result = run_training(
                plan, run_dir, report=report, stop_asked=stop_asked, point=point
            )
        # run.json has its exit code: neither a late signal nor a lost reader may change it.
        try:
            answer(args, {"run_dir": str(run_dir), **result.record}, _pretrain_text)
        except OSError as error:
            silence(sys.stdout)
            say(f"apr: WARNING: {run_dir}: ended; stdout: {error.strerror}", sys.stderr)
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
    shapes = ", ".join(
        f"{name} ({parameter_count(shape):,}; {shape.vocab_size:,})"
        for name, shape in sorted(SHAPES.items())
    )
    group.add_argument(
        "--config",
        choices=sorted(SHAPES),
        metavar="NAME",
        help="shape from scratch, with its parameters and the ids that its tokenizer must "
        f"have: {shapes}; default tiny-qwen2",
    )
    group.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="must be new; default runs/<time>-<id>"
    )
    group.add_argument(
        "--resume",
        type=Path,
        metavar="DIR",
        help="go on with the run in this folder, with what it was asked for; other flags must "
        "agree with it",
    )
    _add_number(group, "keep", "checkpoints to keep, the last N and the best; default all")


def _add_regime(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mode",
        choices=option_kinds()["mode"].choices,
        help="default finetune with --init, else from-scratch",
    )
    fine, scratch = REGIMES["finetune"], REGIMES["from-scratch"]
    for name, text, metavar in (
        ("lr", "peak rate", "LR"),
        ("warmup_steps", "updates", "N"),
        ("target_val_loss", "where a run may end", "NATS"),
    ):
        default = f"{getattr(fine, name)} / {getattr(scratch, name)}"
        _add_number(group, name, f"{text}; default {default}", metavar)


def _add_budget(group: argparse._ArgumentGroup) -> None:
    # The parser has no defaults: PretrainOptions has them, and a resumed run its own.
    defaults = PretrainOptions()
    for name, text in (
        ("num_steps", "updates, and where the cosine ends"),
        ("batch_size", "windows per update"),
        ("seq_length", "tokens per window"),
        ("steps_per_epoch", "updates from checkpoint to checkpoint"),
        ("grad_accum", "parts that a batch is computed in"),
        ("seed", "of the data order and of random weights"),
        ("val_tokens", "at most, per validation"),
    ):
        _add_number(group, name, f"{text}; default {getattr(defaults, name)}")
    group.add_argument(
        "--cycle",
        action="store_true",
        default=None,
        help="read an exhausted dataset again",
    )


def _add_number(
    group: argparse._ArgumentGroup, name: str, text: str, metavar: str = "N"
) -> None:
    kind = option_kinds()[name]
    flag = f"--{name.replace('_', '-')}"
    group.add_argument(flag, type=values.number_of(kind), metavar=metavar, help=text)


def _pretrain_options(args: argparse.Namespace) -> PretrainOptions:
    return PretrainOptions(**_given_options(args), cache=cache_dir())


def _given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of training that this command line names."""
    names = PretrainOptions.__dataclass_fields__.keys() & vars(args).keys()
    given = {name: getattr(args, name) for name in sorted(names)}
    return {name: value for name, value in given.items() if value is not None}


def _refuse_existing(run_dir: Path) -> None:
    if run_dir.exists():
        raise UsageError(
            error_ids.USAGE, f"--run-dir {run_dir} exists", "name a folder that is new"
        )


def _run_name() -> str:
    return f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(3)}"


def _pretrain_text(record: dict[str, Any]) -> str:
    told = "; raise --num-steps" if record["status"] == "BUDGET_END" else ""
    return f"{record['status']}: {record['reason']}{told}; {record['run_dir']}"

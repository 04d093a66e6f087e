"""The command line of `apr`: its flags, their types and their defaults."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.config import SHAPES
from pv_trainer.errors import UsageError


PRETRAIN_NOTE: Final = (
    "Exit codes: 0 target met, early stop or budget end; 2 usage; 10 init invalid; "
    "11 data invalid; 12 device unavailable; 20 divergence; 21 numerical instability; "
    "22 data exhausted; 23 checkpoint failed; 130 interrupted."
)


_SMALLEST_VOCABULARY: Final = 257
"""Every byte, and the end of text."""
_LARGEST_VOCABULARY: Final = 2**20
"""The tokenizers library reserves memory for all of it, and aborts if it gets none."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors as values of this package."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing and exiting.

        Raises:
            UsageError: always.
        """
        raise UsageError(error_ids.USAGE, f"{self.prog}: {message}", f"see {self.prog} --help")


class VersionAction(argparse.Action):
    """`--version`, looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and end the parse."""
        from pv_trainer.version import installed_version  # noqa: PLC0415

        sys.stdout.write(f"apr {installed_version()}\n")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of every verb; the chosen one is `verb` in the namespace."""
    parser = Parser(prog="apr", description="Train Llama- and Qwen2-family decoders.")
    parser.add_argument(
        "--version",
        action=VersionAction,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version",
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=Parser
    )
    _add_pretrain(_verb(verbs, "pretrain", "train a model, from a checkpoint or from scratch"))
    tokenize = verbs.add_parser(
        "tokenize", help="train a tokenizer, or encode text into shards"
    )
    steps = tokenize.add_subparsers(
        dest="step", required=True, metavar="STEP", parser_class=Parser
    )
    _add_tokenize_train(_verb(steps, "train", "train a byte-level BPE on text"))
    _add_tokenize_encode(_verb(steps, "encode", "encode text into shards with a manifest"))
    inspect = _verb(verbs, "inspect", "show what a checkpoint says about itself")
    inspect.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    export = _verb(verbs, "export", "write a checkpoint as a Hugging Face directory")
    export.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    export.add_argument("output", type=Path, metavar="DIR")
    export.add_argument("--tokenizer", type=Path, metavar="PATH", help="copied into DIR")
    _verb(verbs, "embedded", "build the embedded corpus and model once; print where they are")
    return parser


def _verb(
    verbs: argparse._SubParsersAction[Parser],
    name: str,
    text: str,
) -> Parser:
    parser = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="one JSON report on stdout")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_pretrain(parser: Parser) -> None:
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
    group.add_argument("--lr", type=_rate, help="peak rate; default 5e-5 / 3e-4")
    group.add_argument(
        "--warmup-steps", type=_count, metavar="N", help="default 100 / 1000 updates"
    )
    group.add_argument(
        "--target-val-loss", type=_number, metavar="NATS", help="default 2.2 / 3.0"
    )


def _add_budget(group: argparse._ArgumentGroup) -> None:
    for flag, kind, default, text in (
        ("--num-steps", _count, 1000, "updates, and where the cosine ends"),
        ("--batch-size", _positive, 16, "windows per update"),
        ("--seq-length", _positive, 1024, "tokens per window"),
        ("--steps-per-epoch", _positive, 100, "updates from checkpoint to checkpoint"),
        ("--grad-accum", _positive, 1, "parts that a batch is computed in"),
        ("--seed", _count, 42, "of the data order and of random weights"),
    ):
        told = f"{text}; default {default}"
        group.add_argument(flag, type=kind, default=default, metavar="N", help=told)
    group.add_argument(
        "--val-tokens",
        type=_positive,
        default=8192,
        metavar="N",
        help="at most, per validation; default 8192",
    )
    group.add_argument("--cycle", action="store_true", help="read an exhausted dataset again")


def _add_tokenize_train(parser: Parser) -> None:
    _add_input(parser)
    parser.add_argument(
        "--vocab-size", type=_vocabulary, required=True, metavar="N", help="from 257"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="the tokenizer.json to write"
    )


def _add_tokenize_encode(parser: Parser) -> None:
    _add_input(parser)
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="PATH")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="must be new")
    parser.add_argument("--shard-tokens", type=_positive, default=10_000_000, metavar="N")
    parser.add_argument("--eos-policy", choices=("none", "between", "after"), default="after")
    parser.add_argument(
        "--hold-out",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="this share of the documents, by digest, goes to DIR/val",
    )


def _add_input(parser: Parser) -> None:
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="UTF-8 text files, .jsonl with a text field, or folders of them",
    )


def _count(text: str) -> int:
    return _whole_number(text, minimum=0)


def _positive(text: str) -> int:
    return _whole_number(text, minimum=1)


def _vocabulary(text: str) -> int:
    value = _whole_number(text, minimum=_SMALLEST_VOCABULARY)
    if value > _LARGEST_VOCABULARY:
        raise argparse.ArgumentTypeError(f"{text} is above {_LARGEST_VOCABULARY}")
    return value


def _whole_number(text: str, minimum: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not minimum <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {minimum}")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _rate(text: str) -> float:
    value = _number(text)
    if not 1e-7 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not from 1e-7 to 1")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 up to 1")
    return value

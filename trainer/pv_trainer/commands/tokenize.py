"""`apr tokenize`: train a tokenizer, or encode text into shards."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.commands import values
from pv_trainer.commands.answering import answer
from pv_trainer.commands.encode_progress import input_progress
from pv_trainer.errors import UsageError
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_MOST_WORKERS: Final = 16
"""By default: one process that reads keeps about as many busy that encode."""


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `apr tokenize train`."""
    _add_input(parser)
    parser.add_argument(
        "--vocab-size",
        type=values.vocabulary,
        required=True,
        metavar="N",
        help="from 257; a model from scratch needs as many as its --config has, 4096 for "
        "tiny-qwen2",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="the tokenizer.json to write"
    )


def add_encode_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `apr tokenize encode`."""
    _add_input(parser)
    parser.add_argument(
        "--tokenizer",
        type=Path,
        required=True,
        metavar="PATH",
        help="tokenizer.json, vocab.json with merges.txt beside it, or a folder with them",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="must be new, or empty"
    )
    parser.add_argument(
        "--shard-tokens",
        type=values.positive,
        default=10_000_000,
        metavar="N",
        help="tokens per file; default 10000000",
    )
    parser.add_argument(
        "--eos-policy",
        choices=("none", "between", "after"),
        default="after",
        help="where documents get an end-of-text token; default after each",
    )
    parser.add_argument(
        "--hold-out",
        type=values.share,
        default=0.0,
        metavar="SHARE",
        help="this share of the documents, by digest, goes to DIR/val; default 0",
    )
    parser.add_argument(
        "--split-seed",
        type=values.count,
        default=0,
        metavar="N",
        help="another number holds out other documents; default 0",
    )
    parser.add_argument(
        "--workers",
        type=values.processes,
        metavar="N",
        help="processes that encode; no byte depends on it; default one per core, at most "
        f"{_MOST_WORKERS}",
    )


def tokenize_train(args: argparse.Namespace) -> ExitStatus:
    """`apr tokenize train`: a byte-level BPE from text."""
    from pv_trainer.atomic import atomic_file
    from pv_trainer.data.documents import read_documents, total_size
    from pv_trainer.data.tokenizer import read_tokenizer, train_bpe

    if args.output.exists() or args.output.is_symlink():
        raise UsageError(error_ids.USAGE, f"--output {args.output} exists", "name a new file")
    with input_progress(lambda: total_size(args.input)) as progress:
        documents = read_documents(
            args.input, text_field=args.text_field, consumed=progress.read
        )
        text = train_bpe((document.text for document in documents), args.vocab_size)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(args.output) as file:
        file.write(text.encode())
    info = read_tokenizer(args.output)
    report = {
        "tokenizer": str(args.output),
        "tokenizer_sha256": info.digest,
        "vocab_size": info.vocab_size,
        "eos_token_id": info.eos_id,
    }
    answer(args, report, lambda r: f"{r['tokenizer']}: {r['vocab_size']} ids")
    return ExitStatus.BUDGET_END


def tokenize_encode(args: argparse.Namespace) -> ExitStatus:
    """`apr tokenize encode`: text into shards with a manifest, whole or not at all."""
    from pv_trainer.data.documents import read_documents, total_size
    from pv_trainer.data.encode import SplitShare, encode_corpus
    from pv_trainer.data.split_writer import EncodeOptions

    _refuse_inside(args.output, args.input)
    splits = [SplitShare("train", 1.0 - args.hold_out, ".")]
    if args.hold_out:
        splits.append(SplitShare("val", args.hold_out, "val"))
    options = EncodeOptions(
        shard_tokens=args.shard_tokens,
        eos_policy=args.eos_policy,
        seed=args.split_seed,
        workers=args.workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS),
    )
    with input_progress(lambda: total_size(args.input)) as progress:
        documents = read_documents(
            args.input, text_field=args.text_field, consumed=progress.read
        )
        place = (args.tokenizer, args.output)
        written = encode_corpus(documents, *place, splits, options, encoded=progress.encoded)
    report = {
        "output": str(args.output),
        "splits": [
            {
                "path": str(split.path),
                "manifest": asdict(split.manifest),
                "gates": [asdict(gate) for gate in split.gates],
            }
            for split in written
        ],
    }
    answer(args, report, _encode_text)
    return ExitStatus.BUDGET_END


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="UTF-8 text files, .jsonl, .parquet (needs pyarrow), or folders of them",
    )
    parser.add_argument(
        "--text-field",
        default="text",
        metavar="NAME",
        help="the member of .jsonl objects, or the column of .parquet, that is the text; "
        "default text",
    )


def _refuse_inside(output: Path, inputs: Sequence[Path]) -> None:
    for path in inputs:
        if path.is_dir() and output.resolve().is_relative_to(path.resolve()):
            raise UsageError(
                error_ids.USAGE,
                f"--output {output} is inside --input {path}, which would be read with it",
                "name a folder outside of it",
            )


def _encode_text(report: dict[str, Any]) -> str:
    lines = []
    for split in report["splits"]:
        manifest = split["manifest"]
        gates = ", ".join(f"{gate['metric']} {gate['value']:g}" for gate in split["gates"])
        counts = f"{manifest['total_tokens']} tokens of {manifest['documents']} documents"
        lines.append(f"{split['path']}: {counts}; {gates}")
    return "\n".join(lines)

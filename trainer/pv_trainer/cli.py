"""The `apr` command: a thin translation between a command line and the library."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import sys
import time
import traceback
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.arguments import make_parser
from pv_trainer.errors import AprError, Interrupted, UsageError
from pv_trainer.exit_status import CRASH_CODE, CRASHED, ExitStatus


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from pv_trainer.epochs import EpochRecord
    from pv_trainer.metrics import StepMetrics
    from pv_trainer.preflight import PretrainOptions

_PLACE: Final = "run again with --debug for the place"
_EXTRA: Final = frozenset({"torch", "numpy", "safetensors", "tokenizers"})
"""What the extra `trainer` brings: pv, of the same distribution, is installed without it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its process exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    with _logging_to_stderr(), _signals_as_interrupts():
        try:
            args = make_parser().parse_args(arguments)
            return _verb(args)(args).code
        except SystemExit as done:  # --help and --version
            return int(done.code or 0)
        except BrokenPipeError:  # whoever read our stdout has gone; nothing is left to tell
            _silence_stdout()
            return CRASH_CODE
        except ModuleNotFoundError as error:
            if debug:
                traceback.print_exception(error)
            return _fail_import(error, as_json="--json" in arguments)
        except (AprError, OSError, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exception(error)
            return _fail(_as_apr_error(error), as_json="--json" in arguments)
        except Exception as error:  # noqa: BLE001 - the last resort, and it says so
            if debug:
                traceback.print_exception(error)
            return _crash(error, as_json="--json" in arguments)


def pretrain(args: argparse.Namespace) -> ExitStatus:
    """`apr pretrain`: train a model, from a checkpoint or from scratch."""
    from pv_trainer.preflight import preflight  # noqa: PLC0415

    run_dir = args.run_dir or Path("runs") / _run_name()
    _refuse_existing(run_dir)
    plan = preflight(_pretrain_options(args))
    from pv_trainer.training import run_training  # noqa: PLC0415 - torch, after every check

    result = run_training(plan, run_dir, report=_make_report(args, plan.options.num_steps))
    _print(args, {"run_dir": str(run_dir), **result.record}, _pretrain_text)
    return result.status


def tokenize_train(args: argparse.Namespace) -> ExitStatus:
    """`apr tokenize train`: a byte-level BPE from text."""
    from pv_trainer.atomic import atomic_file  # noqa: PLC0415
    from pv_trainer.encode import read_documents  # noqa: PLC0415
    from pv_trainer.tokenizer import read_tokenizer, train_bpe  # noqa: PLC0415

    if args.output.exists():
        raise UsageError(error_ids.USAGE, f"--output {args.output} exists", "name a new file")
    text = train_bpe((d.text for d in read_documents(args.input)), args.vocab_size)
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
    _print(args, report, lambda r: f"{r['tokenizer']}: {r['vocab_size']} ids")
    return ExitStatus.BUDGET_END


def tokenize_encode(args: argparse.Namespace) -> ExitStatus:
    """`apr tokenize encode`: text into shards with a manifest, whole or not at all."""
    from pv_trainer.encode import (  # noqa: PLC0415
        EncodeOptions,
        SplitShare,
        encode_corpus,
        read_documents,
    )

    splits = [SplitShare("train", 1.0 - args.hold_out, ".")]
    if args.hold_out:
        splits.append(SplitShare("val", args.hold_out, "val"))
    options = EncodeOptions(shard_tokens=args.shard_tokens, eos_policy=args.eos_policy)
    documents = read_documents(args.input)
    written = encode_corpus(documents, args.tokenizer, args.output, splits, options)
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
    _print(args, report, _encode_text)
    return ExitStatus.BUDGET_END


def inspect(args: argparse.Namespace) -> ExitStatus:
    """`apr inspect`: what a checkpoint says about itself, from its headers."""
    from pv_trainer.inspection import inspect_checkpoint  # noqa: PLC0415

    _print(args, inspect_checkpoint(args.checkpoint), _inspect_text)
    return ExitStatus.BUDGET_END


def export(args: argparse.Namespace) -> ExitStatus:
    """`apr export`: a checkpoint as a Hugging Face directory."""
    from pv_trainer.encode import refuse_content  # noqa: PLC0415
    from pv_trainer.init import load_model  # noqa: PLC0415
    from pv_trainer.saving import save_huggingface  # noqa: PLC0415
    from pv_trainer.tokenizer import read_tokenizer  # noqa: PLC0415

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
    _print(args, report, lambda r: f"{r['output']}: {', '.join(r['files'])}")
    return ExitStatus.BUDGET_END


def embedded(args: argparse.Namespace) -> ExitStatus:
    """`apr embedded`: build the embedded corpus and model once; where they are."""
    from pv_trainer.embedded import build_embedded  # noqa: PLC0415

    report = build_embedded(_cache_dir()).to_json()
    _print(args, report, lambda r: "\n".join(f"{n:10} {v}" for n, v in r["parts"].items()))
    return ExitStatus.BUDGET_END


def _verb(args: argparse.Namespace) -> Callable[[argparse.Namespace], ExitStatus]:
    verbs = {
        ("pretrain", None): pretrain,
        ("tokenize", "train"): tokenize_train,
        ("tokenize", "encode"): tokenize_encode,
        ("inspect", None): inspect,
        ("export", None): export,
        ("embedded", None): embedded,
    }
    return verbs[args.verb, getattr(args, "step", None)]


def _pretrain_options(args: argparse.Namespace) -> PretrainOptions:
    from pv_trainer.preflight import PretrainOptions  # noqa: PLC0415

    given = vars(args) | {"cache": _cache_dir()}
    names = PretrainOptions.__dataclass_fields__.keys() & given.keys()
    return PretrainOptions(**{name: given[name] for name in names})


def _refuse_existing(run_dir: Path) -> None:
    if run_dir.exists():
        raise UsageError(
            error_ids.USAGE, f"--run-dir {run_dir} exists", "name a folder that is new"
        )


def _run_name() -> str:
    return f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(3)}"


def _cache_dir() -> Path:
    return Path(os.environ.get("APR_CACHE_DIR") or ".cache").absolute()


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
                _say(_epoch_text(asdict(event)))
        elif terminal and event.step % 10 == 0:
            text = f"step {event.step}/{num_steps}, loss {event.train_loss:.4f}"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return report


def _say(text: str) -> None:
    """Print a line, if anyone still reads; a run is not lost with its reader."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _silence_stdout()


def _silence_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _epoch_text(epoch: dict[str, Any]) -> str:
    train = "none" if epoch["train_loss"] is None else f"{epoch['train_loss']:.4f}"
    return (
        f"epoch {epoch['epoch']}: step {epoch['step']}, train loss {train}, val loss "
        f"{epoch['val_loss']:.4f} ± {epoch['val_loss_standard_error']:.4f} nats"
    )


def _pretrain_text(record: dict[str, Any]) -> str:
    return f"{record['status']}: {record['reason']}; {record['run_dir']}"


def _encode_text(report: dict[str, Any]) -> str:
    lines = []
    for split in report["splits"]:
        manifest = split["manifest"]
        gates = ", ".join(f"{gate['metric']} {gate['value']:g}" for gate in split["gates"])
        counts = f"{manifest['total_tokens']} tokens of {manifest['documents']} documents"
        lines.append(f"{split['path']}: {counts}; {gates}")
    return "\n".join(lines)


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


def _print(
    args: argparse.Namespace, report: dict[str, Any], text: Callable[[dict[str, Any]], str]
) -> None:
    print(json.dumps(report) if args.json else text(report), flush=True)


def _as_apr_error(error: AprError | OSError | KeyboardInterrupt) -> AprError:
    if isinstance(error, AprError):
        return error
    if isinstance(error, OSError):
        place = error.filename or "input or output"
        return UsageError(error_ids.USAGE, f"{place}: {error.strerror or error}")
    return Interrupted(error_ids.INTERRUPTED, "a signal ended the command")


def _fail_import(error: ModuleNotFoundError, *, as_json: bool) -> int:
    missing = (error.name or "").partition(".")[0]
    if missing not in _EXTRA:
        return _crash(error, as_json=as_json)
    what = f"apr needs the extra trainer: there is no {missing} here"
    remedy = 'pip install "pv-harness[trainer]"'
    return _fail(UsageError(error_ids.USAGE, what, remedy), as_json=as_json)


def _fail(error: AprError, *, as_json: bool) -> int:
    if as_json:
        body = {"id": error.id, "what": error.what, "remedy": error.remedy}
        report = {"status": error.status.value, "exit_code": error.status.code, "error": body}
        print(json.dumps(report), flush=True)
    print(f"apr: {error}", file=sys.stderr)
    return error.status.code


def _crash(error: Exception, *, as_json: bool) -> int:
    what = f"a defect of this program: {type(error).__name__}: {error}"
    if as_json:
        body = {"id": None, "what": what, "remedy": _PLACE}
        report = {"status": CRASHED, "exit_code": CRASH_CODE, "error": body}
        print(json.dumps(report), flush=True)
    print(f"apr: {what}; {_PLACE}", file=sys.stderr)
    return CRASH_CODE


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Let the library's few log lines appear, each under its level's name."""
    log = logging.getLogger("pv_trainer")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("apr: %(levelname)s: %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: with a status and a record."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread, where no handler can be set
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""A tiny checkpoint, data for it, and `apr pretrain --init` on them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pv_falsifiers import apr_bytes, architectures
from pv_falsifiers.architectures import Shape


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pv_falsifiers.apr_bytes import Array
    from pv_harness.fixtures import Cli, Measure

SHAPE: Final = Shape()
NO_UPDATES: Final = (
    *("--num-steps", "0", "--batch-size", "2", "--seq-length", "8", "--device", "cpu"),
)
"""The run that loads, measures step 0 and saves what it loaded."""

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1"}
"""Float sums are repeatable only on one number of threads, and checks run side by side."""

_LOG_IMPORTS: Final = {"PYTHONPROFILEIMPORTTIME": "1"}
_TORCH_IMPORT: Final = re.compile(r"^import time:.*\| +torch$", re.MULTILINE)
_ERROR_ID: Final = re.compile(r"^apr: \[([A-Z0-9-]+)\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a run needs, in one folder: a sound checkpoint, its tokenizer, data with val."""

    folder: Path
    checkpoint: Path
    tokenizer: Path
    dataset: Path


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one `apr pretrain --init` ended, and what it left behind."""

    init: Path
    run_dir: Path
    exit_code: int
    message: str
    imported_torch: bool

    @property
    def error_id(self) -> str:
        """The ID that the message on stderr starts with, or `none`."""
        found = _ERROR_ID.search(self.message)
        return found[1] if found else "none"

    @property
    def record(self) -> dict[str, Any]:
        """run.json; empty if there is none."""
        return read_record(self.run_dir)

    @property
    def saved(self) -> dict[str, Array]:
        """The tensors of the first epoch's checkpoint; empty if there is none."""
        return apr_bytes.read_apr(self.run_dir / "ckpt" / "epoch-000.apr")[1]


def make_weights(shape: Shape = SHAPE) -> dict[str, Array]:
    """Every tensor of a model of this shape, no value zero, one or repeated."""
    return dict(architectures.draw_weights(architectures.tensor_shapes(shape)))


def pack_model(
    shape: Shape = SHAPE,
    *,
    metadata: Mapping[str, Any] | bytes | None = None,
    tensors: Mapping[str, Array] | None = None,
    dtype: str = "F32",
) -> bytes:
    """An .apr file of this shape; metadata and tensors may be others than the shape's own."""
    described = architectures.apr_metadata(shape) if metadata is None else metadata
    weights = make_weights(shape) if tensors is None else tensors
    return apr_bytes.pack(described, {name: (dtype, w) for name, w in weights.items()})


def make_bench(folder: Path, vocabulary: int = SHAPE.vocab_size) -> Bench:
    """A bench whose tokenizer has that many ids."""
    tokenizer = architectures.write_tokenizer(folder / "tokenizer.json", vocabulary)
    return Bench(
        folder=folder,
        checkpoint=write_file(folder / "sound.apr", pack_model()),
        tokenizer=tokenizer,
        dataset=architectures.write_dataset(folder / "dataset", tokenizer),
    )


def write_file(path: Path, data: bytes) -> Path:
    """The path, after the bytes were written to it."""
    path.write_bytes(data)
    return path


def pretrain(
    cli: Cli, bench: Bench, init: Path | None, run_dir: Path, *flags: str, **env: str
) -> Attempt:
    """Run `apr pretrain` on the bench's data, and see whether it imported torch."""
    start = () if init is None else ("--init", init)
    done = cli(
        *("apr", "pretrain", *start, "--dataset", bench.dataset),
        *("--tokenizer", bench.tokenizer, "--run-dir", run_dir, *NO_UPDATES, *flags),
        env=ONE_THREAD | _LOG_IMPORTS | env,
    )
    lines = done.stderr.splitlines(keepends=True)
    return Attempt(
        init=run_dir if init is None else init,
        run_dir=run_dir,
        exit_code=done.returncode,
        message="".join(line for line in lines if not line.startswith("import time:")),
        imported_torch=_TORCH_IMPORT.search(done.stderr) is not None,
    )


def pretrain_from_each(cli: Cli, bench: Bench, inits: Iterable[Path]) -> list[Attempt]:
    """One attempt per checkpoint, each with a run folder of its own, up to the first success.

    All of them are to be refused; one that is not takes seconds, and refutes the claim.
    """
    attempts: list[Attempt] = []
    for number, init in enumerate(inits):
        run_dir = init.with_name(f"run-{number}-{init.name}")
        attempts.append(pretrain(cli, bench, init, run_dir))
        if attempts[-1].exit_code == 0:
            break
    return attempts


def measure_refusals(measure: Measure, attempts: Iterable[Attempt]) -> None:
    """Measure how attempts ended that had to be refused, and what they left behind."""
    made = list(attempts)
    measure("attempts", len(made))
    for exit_code in sorted({attempt.exit_code for attempt in made}):
        measure("exit_code", exit_code)
    for error_id in sorted({attempt.error_id for attempt in made}):
        measure("error_id", error_id)
    measure("messages_without_the_path", sum(str(a.init) not in a.message for a in made))
    measure("tracebacks", sum("Traceback" in a.message for a in made))
    measure("run_folders", sum(attempt.run_dir.exists() for attempt in made))


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is none."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_record(run_dir: Path) -> dict[str, Any]:
    """run.json of a run folder; empty if there is none."""
    return read_json(run_dir / "run.json")


def read_metrics(run_dir: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; none if there is no such file."""
    file = run_dir / "metrics.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def number_at(record: Mapping[str, Any], *keys: str) -> float:
    """The number under these keys of a record; NaN, which is within no bound, without one."""
    value: Any = record
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return float("nan") if value is None else value

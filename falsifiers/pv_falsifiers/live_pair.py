"""The embedded pair, a checkpoint and text it has not seen, and real runs of `apr` on it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pv_falsifiers import apr_bytes, forward_pass, held_out, tiny
from pv_falsifiers.tiny import number_at, read_metrics, read_record


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_falsifiers.apr_bytes import Array
    from pv_harness.fixtures import Cli, RecordSeries

SEQ_LENGTH: Final = 32
BATCH_SIZE: Final = 4
_FLAGS: Final = (
    *("--batch-size", f"{BATCH_SIZE}", "--seq-length", f"{SEQ_LENGTH}"),
    *("--steps-per-epoch", "250", "--device", "cpu", "--json"),
)


@dataclass(frozen=True, slots=True)
class LivePair:
    """The parts of the embedded input, and the windows that its runs validate on, (N, T)."""

    checkpoint: Path
    tokenizer: Path
    pretrain: Path
    finetune: Path
    val: Path
    ids: Array
    targets: Array

    @property
    def val_targets(self) -> int:
        """How many tokens a validation loss is a mean over."""
        return int(self.targets.size)

    @property
    def ln_vocab(self) -> float:
        """The loss of guessing among all ids, in nats."""
        return math.log(apr_bytes.read_apr(self.checkpoint)[0]["vocab_size"])

    @property
    def unigram_cross_entropy(self) -> float:
        """The loss in nats below which no model gets without looking at the context."""
        return held_out.unigram_cross_entropy(self.targets)

    def forward_loss(self, checkpoint: Path) -> float:
        """The validation loss of an .apr file, computed apart from the trainer.

        NaN if there is no whole file.
        """
        metadata, weights = apr_bytes.read_apr(checkpoint)
        if not weights:
            return math.nan
        return forward_pass.mean_loss(metadata, weights, self.ids, self.targets)

    def count_training_documents_seen_in_pretraining(self) -> int:
        """The documents of fine-tuning that the checkpoint was pretrained on."""
        seen = held_out.document_digests(self.pretrain)
        return len(seen & held_out.document_digests(self.finetune))

    def count_shared_documents(self) -> int:
        """The validation documents that pretraining or training reads as well."""
        seen = held_out.document_digests(self.pretrain) | held_out.document_digests(
            self.finetune
        )
        return len(seen & held_out.document_digests(self.val))


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that has ended, and what it left behind."""

    run_dir: Path
    exit_code: int
    stdout: str
    stderr: str
    wall_s: float

    @property
    def record(self) -> dict[str, Any]:
        """run.json; empty if there is none."""
        return read_record(self.run_dir)

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON object on stdout; empty if something else is there."""
        try:
            report = json.loads(self.stdout)
        except ValueError:
            return {}
        return report if isinstance(report, dict) else {}

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return read_metrics(self.run_dir)

    @property
    def step0_val_loss(self) -> float:
        """The validation loss before any update, in nats."""
        return number_at(self.record, "step0", "val_loss")

    @property
    def final_val_loss(self) -> float:
        """The validation loss after the last update, in nats."""
        return number_at(self.record, "final", "val_loss")

    @property
    def val_losses(self) -> list[tuple[float, float]]:
        """Updates done and the validation loss after them in nats: step 0, then each epoch."""
        written = sorted((self.run_dir / "ckpt").glob("epoch-*.metadata.json"))
        epochs = [json.loads(path.read_text(encoding="utf-8")) for path in written]
        later = [(number_at(epoch, "step"), number_at(epoch, "val_loss")) for epoch in epochs]
        return [(0.0, self.step0_val_loss), *later]

    @property
    def last_checkpoint(self) -> Path:
        """The checkpoint of the last epoch; a path where nothing is if there is none."""
        written = sorted((self.run_dir / "ckpt").glob("epoch-*.apr"))
        return written[-1] if written else self.run_dir / "ckpt" / "none.apr"


def open_pair(parts: Mapping[str, Path]) -> LivePair:
    """The embedded pair in these parts."""
    ids, targets = held_out.validation_windows(parts["val"], SEQ_LENGTH)
    return LivePair(
        checkpoint=parts["checkpoint"],
        tokenizer=parts["tokenizer"],
        pretrain=parts["pretrain"],
        finetune=parts["finetune"],
        val=parts["val"],
        ids=ids,
        targets=targets,
    )


def run_from_init(cli: Cli, pair: LivePair, run_dir: Path, updates: int) -> LiveRun:
    """So many updates of `apr pretrain --init` on the pair."""
    return _run(cli, pair, run_dir, updates, "--init", f"{pair.checkpoint}")


def run_from_random(cli: Cli, pair: LivePair, run_dir: Path, updates: int) -> LiveRun:
    """The same from random weights: same data, same batches, no checkpoint."""
    return _run(cli, pair, run_dir, updates, "--mode", "from-scratch")


def record_losses(record_series: RecordSeries, run: LiveRun, start: str) -> None:
    """Keep the loss curves of a run for people to look at; `start` says what it began from.

    Called once everything is measured: a run without losses is refuted by its numbers.
    """
    losses = [number_at(line, "train_loss") for line in run.metrics]
    if losses:
        steps = range(1, len(losses) + 1)
        record_series(f"train_loss_{start}", steps, losses, x_unit="step", unit="nats")
    steps_done, val_losses = zip(*run.val_losses, strict=True)
    record_series(f"val_loss_{start}", steps_done, val_losses, x_unit="step", unit="nats")


def _run(cli: Cli, pair: LivePair, run_dir: Path, updates: int, *start: str) -> LiveRun:
    done = cli(
        *("apr", "pretrain", *start, "--dataset", pair.finetune, "--val-shard", pair.val),
        *("--tokenizer", pair.tokenizer, "--run-dir", run_dir, "--num-steps", f"{updates}"),
        *_FLAGS,
        env=tiny.ONE_THREAD,
    )
    return LiveRun(run_dir, done.returncode, done.stdout, done.stderr, done.wall_s)

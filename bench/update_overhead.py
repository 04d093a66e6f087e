"""What a run does around each update: batch, digest, metrics, the questions of the loop.

    OMP_NUM_THREADS=1 python bench/update_overhead.py [--updates N] [--cache DIR]

A real run of the tiny benchmark shape on the embedded corpus, in one process. `train_step` is
timed from inside, the whole from one report of an update to the next; what is left is the
overhead. Checkpoints and validations are not in it: the run has one epoch.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from pv_trainer.training import loop
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.preflight import preflight
from pv_trainer.training.update import train_step
from timing import describe_machine


def main() -> None:
    """Time what the command line asks for and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="embedded corpus")
    args = parser.parse_args()
    threads = f"{torch.get_num_threads()} threads"
    print(f"{describe_machine()}, torch {torch.__version__}, {threads}\n")
    print("| shape | tokens | update ms | around it ms | share of the update |")
    print("|---|---|---|---|---|")
    for shape, batch, length in (("tiny-qwen2-256", 8, 256), ("tiny-qwen2", 8, 128)):
        whole, inside = _run(shape, batch, length, args)
        around = [a - b for a, b in zip(whole, inside, strict=True)]
        update, left = statistics.median(inside), statistics.median(around)
        print(
            f"| {shape} | {batch} x {length} | {1000 * update:.1f} | {1000 * left:.3f} | "
            f"{100 * left / update:.2f} % |"
        )


def _run(
    shape: str, batch: int, length: int, args: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Seconds from report to report, and those within `train_step`, update by update."""
    plan = preflight(
        PretrainOptions(
            config=shape,
            device="cpu",
            num_steps=args.updates + 1,
            steps_per_epoch=args.updates + 1,
            batch_size=batch,
            seq_length=length,
            val_tokens=1024,
            cycle=True,
            cache=args.cache,
        )
    )
    inside: list[float] = []
    moments: list[float] = []

    def timed(*given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return train_step(*given, **named)
        finally:
            inside.append(time.perf_counter() - started)

    def report(event: object) -> None:
        if not hasattr(event, "epoch"):
            moments.append(time.perf_counter())

    clocked = mock.patch.object(loop, "train_step", timed)  # the run's own step, timed
    with clocked, tempfile.TemporaryDirectory() as folder:
        loop.run_training(plan, Path(folder) / "run", report=report)
    return [b - a for a, b in itertools.pairwise(moments)], inside[1:]


if __name__ == "__main__":
    main()

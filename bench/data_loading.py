"""Tokens per second of our reader beside torch's DataLoader, and its share of a training step.

All read the same windows of the same shards in a shuffled order and make the same batches of
64-bit ids and targets; ours also digests each batch, as in training. The DataLoader's dataset
slices a memory map of the same files. Each contender reads for a while in turn, in one process;
the DataLoader's workers are its own.

The share of a step is that of the tiny benchmark model on this CPU, where a step is slow, and,
from the same reading, of a device that trains as many tokens per second as the goal of
speed.md says for one H100.

Run: python bench/data_loading.py [--rounds N] [--tokens N]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset as TorchDataset

from pv_trainer.checkpoints.init import fresh_model
from pv_trainer.data.batches import BatchPlan
from pv_trainer.data.manifest import Manifest, write_manifest
from pv_trainer.data.shard_writer import ShardWriter
from pv_trainer.data.shards import DOCUMENTS, SAMPLES, read_dataset
from pv_trainer.model.config import SHAPES
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.update import train_step
from timing import describe_machine


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VOCABULARY = 4096
H100_TOKENS_PER_S = 153_000
SHAPE = "tiny-qwen2-256"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=50_000_000, help="of the made dataset")
    parser.add_argument("--seconds", type=float, default=1.0, help="per contender and round")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{describe_machine()}, torch {torch.__version__}, 1 thread")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        make_dataset(folder, args.tokens)
        for batch_size, seq_length in ((8, 256), (16, 1024)):
            compare(folder, batch_size, seq_length, args.rounds, args.seconds)


def compare(
    folder: Path, batch_size: int, seq_length: int, rounds: int, seconds: float
) -> None:
    """Print the table of one shape of batch."""
    plan = BatchPlan(read_dataset(folder), batch_size, seq_length, seed=42, cycle=True)
    readers: dict[str, Callable[[], Iterator[Any]]] = {
        "ours": lambda: (plan.batch_at(step) for step in range(2**40)),
        "DataLoader, 0 workers": lambda: load(folder, batch_size, seq_length, 0),
        "DataLoader, 2 workers": lambda: load(folder, batch_size, seq_length, 2),
    }
    streams = {name: make() for name, make in readers.items()}
    found: dict[str, list[float]] = {name: [] for name in readers}
    steps: list[float] = []
    step = make_step(plan)
    for number in range(rounds + 1):
        for name, stream in streams.items():
            speed = batch_size * seq_length * batches_per_second(stream, seconds)
            if number:  # the first round warms pages and workers
                found[name].append(speed)
        if batch_size * seq_length <= 2048:
            steps += [step(number)] if number else []
    print_table(found, batch_size, seq_length, steps)


def print_table(
    found: dict[str, list[float]], batch_size: int, seq_length: int, steps: list[float]
) -> None:
    """Print medians, ratios and shares."""
    ours = statistics.median(found["ours"])
    print(f"\n{batch_size} x {seq_length} tokens per batch\n")
    print("| reader | M tokens/s | / ours |\n|---|---|---|")
    for name, speeds in found.items():
        speed = statistics.median(speeds)
        print(f"| {name} | {speed / 1e6:.1f} | {speed / ours:.2f} |")
    per_batch = batch_size * seq_length / ours
    if steps:
        step = statistics.median(steps)
        print(
            f"\nStep of {SHAPE} on one thread: {1e3 * step:.0f} ms; reading its batch: "
            f"{1e3 * per_batch:.3f} ms, {per_batch / step:.3%} of it."
        )
    print(
        f"\nAt {H100_TOKENS_PER_S:,} tokens/s reading would take "
        f"{H100_TOKENS_PER_S / ours:.3%} of the step."
    )


def batches_per_second(stream: Iterator[Any], seconds: float) -> float:
    """How many batches come per second, measured for about so long."""
    started = time.perf_counter()
    count = 0
    while (passed := time.perf_counter() - started) < seconds or not count:
        next(stream)
        count += 1
    return count / passed


def make_step(plan: BatchPlan) -> Callable[[int], float]:
    """A function that trains on a batch and says how long that took, reading left out."""
    config = SHAPES[SHAPE]
    generator = torch.Generator().manual_seed(0)
    model = fresh_model(config, generator, device="cpu", dtype=torch.float32)
    optimizer = make_optimizer(model)

    def step(number: int) -> float:
        batch = plan.batch_at(number)
        started = time.perf_counter()
        train_step(model, optimizer, batch, rate=1e-4, grad_accum=1)
        return time.perf_counter() - started

    return step


class Windows(TorchDataset[Any]):
    """The windows of a folder of shards, sliced from memory maps: what many a trainer has."""

    def __init__(self, folder: Path, seq_length: int) -> None:
        files = sorted(folder.glob("shard-*.bin"))
        self._maps = [np.memmap(file, dtype="<u4", mode="r") for file in files]
        self._per_map = [(len(found) - 1) // seq_length for found in self._maps]
        self._length = seq_length

    def __len__(self) -> int:
        return sum(self._per_map)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        for tokens, count in zip(self._maps, self._per_map, strict=True):
            if number < count:
                start = number * self._length
                window = tokens[start : start + self._length + 1].astype(np.int64)
                found = torch.from_numpy(window)
                return found[:-1], found[1:]
            number -= count
        raise IndexError(number)


def load(folder: Path, batch_size: int, seq_length: int, workers: int) -> Iterator[Any]:
    """Batches of a DataLoader, pass after pass."""
    loader = DataLoader(
        Windows(folder, seq_length),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        yield from loader


def make_dataset(folder: Path, tokens: int) -> None:
    """Write random tokens as a dataset; no tokenizer, since nothing decodes them."""
    folder.mkdir()
    writer = ShardWriter(folder, 10_000_000)
    generator = np.random.default_rng(0)
    while writer.total < tokens:
        count = min(1_000_000, tokens - writer.total)
        writer.add(generator.integers(0, VOCABULARY, count, dtype=np.uint32))
    digest = "0" * 64
    (folder / DOCUMENTS).write_text(f"{digest}\n")
    (folder / SAMPLES).write_text(json.dumps([]))
    shards = writer.close()
    write_manifest(
        folder,
        Manifest(
            tokenizer_sha256=digest,
            corpus_sha256=digest,
            documents_sha256=hashlib.sha256(f"{digest}\n".encode()).hexdigest(),
            samples_sha256=hashlib.sha256(b"[]").hexdigest(),
            shards=shards,
            total_tokens=tokens,
            vocab_size=VOCABULARY,
            eos_policy="none",
            eos_token_id=None,
            eos_token_count=0,
            documents=1,
            normalization="none",
            producer="bench/data_loading.py",
            version="0",
            seed=0,
            split="train",
        ),
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

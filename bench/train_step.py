"""Training steps of a tiny model on the CPU, ours and the peers' in turn; memory of the loss.

    OMP_NUM_THREADS=1 python bench/train_step.py [--rounds N] [--steps N] [--only eager,...]

Every contender trains the same architecture (Qwen2: hidden 256, 4 layers, heads 8/2, MLP 704,
vocabulary 4096) on the same batches of 8 x 256 tokens, with AdamW, decay on matrices and a clip
at 1. Contenders take turns, a few steps each, so a noisy minute falls on all of them alike. The
table has the median step: zero_grad, forward, backward, clip, update, and the loss read; ours
reads the gradient norm too and hashes its batch.

HF Trainer needs accelerate, which is no dependency of this project: put it on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pv_trainer.checkpoints.init import fresh_model
from pv_trainer.checkpoints.saving import huggingface_config
from pv_trainer.data.batches import Batch
from pv_trainer.model.config import SHAPES
from pv_trainer.model.loss import chunk_size, chunked_cross_entropy
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.torch_modes import compile_trunk, deterministic
from pv_trainer.training.update import train_step
from timing import describe_machine


if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[int], None]

BATCH, LENGTH = 8, 256
TOKENS = BATCH * LENGTH
SHAPE = "tiny-qwen2-256"
LR = 3e-4


@dataclass(frozen=True, slots=True)
class Kind:
    """What is compared with what: precision and compilation."""

    name: str
    bf16: bool
    compiled: bool
    goal: str


KINDS = (
    Kind("float32, eager", bf16=False, compiled=False, goal="1.0"),
    Kind("float32, compiled", bf16=False, compiled=True, goal="1.1"),
    Kind("bf16, eager", bf16=True, compiled=False, goal="-"),
    Kind("bf16, compiled", bf16=True, compiled=True, goal="1.5, on a CPU with AMX"),
)


def main() -> None:
    """Time what the command line asks for and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=3, help="per contender and round")
    parser.add_argument("--only", default="", help="text that a kind's name must contain")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--loss-memory", nargs=3, metavar=("WAY", "DTYPE", "TOKENS"))
    args = parser.parse_args()
    if args.loss_memory:
        print(_loss_memory(args.loss_memory[0], args.loss_memory[1], int(args.loss_memory[2])))
        return
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    threads = f"{torch.get_num_threads()} threads"
    print(f"{describe_machine()}, torch {torch.__version__}, {threads}\n")
    for kind in KINDS:
        if args.only in kind.name:
            _compare(kind, args.rounds, args.steps)
    if not args.no_memory:
        _compare_memory()


def _compare(kind: Kind, rounds: int, steps: int) -> None:
    contenders: dict[str, Step] = {}
    for name, make in (
        ("apr", _ours),
        ("transformers loop", _transformers_loop),
        ("HF Trainer", _hf_trainer),
    ):
        try:
            contenders[name] = make(kind)
        except ImportError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    number = 0
    for turn in range(rounds + 1):
        for name, step in contenders.items():
            for n in range(steps):
                wall, cpu = time.perf_counter(), time.process_time()
                step(number + n)
                if turn:  # the first turn compiles and warms up
                    spent = time.perf_counter() - wall, time.process_time() - cpu
                    times[name].append(spent)
        number += steps
    print(_table(kind, times))


def _table(kind: Kind, times: dict[str, list[tuple[float, float]]]) -> str:
    """The kind's table; processor time is what a busy machine disturbs least."""
    walls = {
        name: statistics.median(wall for wall, _ in spent) for name, spent in times.items()
    }
    cpus = {name: statistics.median(cpu for _, cpu in spent) for name, spent in times.items()}
    lines = [
        f"### {kind.name}",
        "",
        "| contender | median ms | CPU ms | tokens/s | ours / it | by CPU time |",
        "|---|---|---|---|---|---|",
    ]
    for name, wall in walls.items():
        cells = (
            f"{1000 * wall:.0f}",
            f"{1000 * cpus[name]:.0f}",
            f"{TOKENS / wall:,.0f}",
            f"{wall / walls['apr']:.2f}",
            f"{cpus[name] / cpus['apr']:.2f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    peers = [name for name in times if name != "apr"]
    if peers:
        by_wall, by_cpu = (min(of[p] for p in peers) / of["apr"] for of in (walls, cpus))
        told = f"{by_wall:.2f} of the fastest peer, {by_cpu:.2f} by CPU time (goal {kind.goal})"
        lines += ["", told]
    return "\n".join([*lines, ""])


def _windows(step: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    rng = np.random.Generator(np.random.PCG64(step))
    return rng.integers(0, 4096, (BATCH, LENGTH + 1), dtype=np.uint32)


def _ours(kind: Kind) -> Step:
    dtype = torch.bfloat16 if kind.bf16 else torch.float32
    model = fresh_model(SHAPES[SHAPE], torch.Generator().manual_seed(0), dtype=dtype)
    with deterministic("cpu"):
        if kind.compiled:
            compile_trunk(model)
    optimizer = make_optimizer(model)

    def step(number: int) -> None:
        rows = _windows(number)
        digest = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
        window = rows.astype(np.int64)
        with deterministic("cpu"):  # as a run has it
            batch = Batch(window[:, :-1], window[:, 1:], digest)
            train_step(model, optimizer, batch, rate=LR, grad_accum=1)

    return step


def _reference() -> Any:
    import transformers  # noqa: PLC0415 - the memory of the loss is measured without it

    described = huggingface_config(SHAPES[SHAPE], eos_token_id=None)
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**described, use_cache=False))


def _transformers_loop(kind: Kind) -> Step:
    model = _reference()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.01},
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=LR,
        fused=True,
    )
    forward = torch.compile(model) if kind.compiled else model

    def step(number: int) -> None:
        ids = torch.from_numpy(_windows(number).astype(np.int64))[:, :-1]
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind.bf16):
            loss = forward(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        float(loss.detach())

    return step


def _hf_trainer(kind: Kind) -> Step:
    """The Trainer's own training step, called step by step so that turns are fair."""
    importlib.import_module("accelerate")  # the Trainer refuses to start without it
    import transformers  # noqa: PLC0415 - as above

    model = _reference()
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.gettempdir(),  # it asks for a folder, and writes nothing there
        per_device_train_batch_size=BATCH,
        learning_rate=LR,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=kind.bf16,
        torch_compile=kind.compiled,
        use_cpu=True,
        report_to=[],
        optim="adamw_torch_fused",
        max_steps=10**6,
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(model=model, args=arguments)
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = 1  # train() sets it
    model, optimizer = trainer.accelerator.prepare(model, trainer.optimizer)
    model.train()

    def step(number: int) -> None:
        ids = torch.from_numpy(_windows(number).astype(np.int64))[:, :-1]
        loss = trainer.training_step(model, {"input_ids": ids, "labels": ids})
        trainer.accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.zero_grad()
        float(loss.detach())

    return step


def _compare_memory() -> None:
    """Peak memory of loss and logits at 151,936 words, each way in a process of its own."""
    print("### Loss at 151,936 words: peak MB beside inputs and gradients, hidden 896\n")
    print("| tokens | dtype | ours MB | naive MB | ours / naive |")
    print("|---|---|---|---|---|")
    for dtype in ("float32", "bfloat16"):
        for tokens in (2048, 4096):
            ours, naive = (
                float(
                    subprocess.run(
                        [sys.executable, __file__, "--loss-memory", way, dtype, str(tokens)],
                        capture_output=True,
                        text=True,
                        check=True,
                    ).stdout
                )
                for way in ("ours", "naive")
            )
            print(f"| {tokens:,} | {dtype} | {ours:,.0f} | {naive:,.0f} | {ours / naive:.3f} |")


def _loss_memory(way: str, dtype: str, tokens: int) -> float:
    """MB of peak resident memory that one loss with its gradients adds, beside these gradients.

    The gradients of hidden states and matrix are results, which both ways end with.
    """
    kind = getattr(torch, dtype)
    x = torch.randn(tokens, 896).to(kind).requires_grad_()
    weight = (0.02 * torch.randn(151_936, 896)).requires_grad_()
    targets = torch.randint(0, 151_936, (tokens,))
    before = _resident_mb()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the old peak
    if way == "ours":
        loss = chunked_cross_entropy(x, weight, targets, chunk_size(weight))
    else:
        logits = torch.nn.functional.linear(x, weight.to(kind)).float()
        loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    loss.backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert weight.grad is not None
    return _peak_mb() - before - (x.grad.nbytes + weight.grad.nbytes) / 2**20


def _resident_mb() -> float:
    return _status("VmRSS")


def _peak_mb() -> float:
    return _status("VmHWM")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


if __name__ == "__main__":
    main()

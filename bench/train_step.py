"""Training steps of one shape on one device, ours and the peers' in turn.

    OMP_NUM_THREADS=1 python bench/train_step.py [--rounds N] [--steps N] [--only eager,...]
    python bench/train_step.py --device cuda --shape qwen2-0.5b --batch 8 --length 2048

Every contender trains the same architecture on the same batches, with AdamW, decay on matrices
and a clip at 1; without flags it is Qwen2 with hidden 256, 4 layers, heads 8/2, MLP 704 and a
vocabulary of 4096, on 8 x 256 tokens on the CPU. Contenders take turns, a few steps each, so a
noisy minute falls on all of them alike. The table has the median step: zero_grad, forward,
backward, clip, update, and the loss read; ours reads the gradient norm too and hashes its
batch. The share is that of a matrix product in the same dtype on the same device.

HF Trainer needs accelerate, which is no dependency of this project: put it on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

import torch

from pv_trainer.model.config import SHAPES, parameter_count
from pv_trainer.model.flops import training_flops_per_token
from pv_trainer.speed.ceiling import finish, matmul_flops_per_s
from pv_trainer.training.device import resolve_device
from step_contenders import Kind, Work, hf_trainer, ours, transformers_loop
from timing import describe_machine


if TYPE_CHECKING:
    from collections.abc import Mapping

    Times = Mapping[str, list[tuple[float, float]]]

KINDS = {
    "cpu": (
        Kind("float32, eager", bf16=False, compiled=False, goal="1.0"),
        Kind("float32, compiled", bf16=False, compiled=True, goal="1.1"),
        Kind("bf16, eager", bf16=True, compiled=False, goal="-"),
        Kind("bf16, compiled", bf16=True, compiled=True, goal="1.5, on a CPU with AMX"),
    ),
    "cuda": (
        Kind("bf16, eager", bf16=True, compiled=False, goal="-"),
        Kind("bf16, compiled", bf16=True, compiled=True, goal="1.2 of HF Trainer"),
    ),
}


def main() -> None:
    """Time what the command line asks for and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=3, help="per contender and round")
    parser.add_argument("--only", default="", help="text that a kind's name must contain")
    parser.add_argument("--device", default="cpu", help="as for apr pretrain")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="tiny-qwen2-256")
    parser.add_argument("--batch", type=int, default=8, help="windows of a step")
    parser.add_argument("--length", type=int, default=256, help="tokens of a window")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    device = torch.device(resolve_device(args.device))
    work = Work(args.shape, args.batch, args.length, device)
    print(f"{_describe(work)}\n")
    for kind in KINDS[device.type]:
        if args.only in kind.name:
            print(_table(kind, work, _take_turns(kind, work, args.rounds, args.steps)))


def _describe(work: Work) -> str:
    """The machine and the work in one line."""
    place = f"{torch.get_num_threads()} threads"
    if work.device.type == "cuda":
        place = torch.cuda.get_device_name(work.device)
    count = parameter_count(SHAPES[work.shape])
    return (
        f"{describe_machine()}, torch {torch.__version__}, {place}; {work.shape}, {count:,} "
        f"parameters, {work.batch} x {work.length} tokens"
    )


def _take_turns(kind: Kind, work: Work, rounds: int, steps: int) -> Times:
    """Seconds of wall and of processor per step and contender."""
    contenders = {}
    for name, make in (
        ("apr", ours),
        ("transformers loop", transformers_loop),
        ("HF Trainer", hf_trainer),
    ):
        try:
            contenders[name] = make(kind, work)
        except ImportError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    number = 0
    for turn in range(rounds + 1):
        for name, step in contenders.items():
            for n in range(steps):
                wall, cpu = time.perf_counter(), time.process_time()
                step(number + n)
                finish(work.device)
                if turn:  # the first turn compiles and warms up
                    spent = time.perf_counter() - wall, time.process_time() - cpu
                    times[name].append(spent)
        number += steps
    return times


def _table(kind: Kind, work: Work, times: Times) -> str:
    """The kind's table; processor time is what a busy machine disturbs least."""
    walls = {
        name: statistics.median(wall for wall, _ in spent) for name, spent in times.items()
    }
    cpus = {name: statistics.median(cpu for _, cpu in spent) for name, spent in times.items()}
    per_token = training_flops_per_token(SHAPES[work.shape], work.length)
    ceiling = matmul_flops_per_s(work.device, torch.bfloat16 if kind.bf16 else torch.float32)
    lines = [
        f"### {kind.name}",
        "",
        "| contender | median ms | CPU ms | tokens/s | TFLOP/s | share | ours / it | by CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, wall in walls.items():
        speed = work.tokens / wall
        cells = (
            f"{1000 * wall:.0f}",
            f"{1000 * cpus[name]:.0f}",
            f"{speed:,.0f}",
            f"{speed * per_token / 1e12:.3g}",
            f"{100 * speed * per_token / ceiling:.0f} %",
            f"{wall / walls['apr']:.2f}",
            f"{cpus[name] / cpus['apr']:.2f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"A matrix product: {ceiling / 1e12:.3g} TFLOP/s."]
    peers = [name for name in times if name != "apr"]
    if peers:
        by_wall, by_cpu = (min(of[p] for p in peers) / of["apr"] for of in (walls, cpus))
        told = f"{by_wall:.2f} of the fastest peer, {by_cpu:.2f} by CPU time (goal {kind.goal})"
        lines.append(told)
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()

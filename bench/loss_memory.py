"""Peak memory of the loss at 151,936 words beside inputs and gradients: ours, and the naive.

    python bench/loss_memory.py

Each way runs in a process of its own, on the CPU.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from pv_trainer.model.loss import chunk_size, chunked_cross_entropy


def main() -> None:
    """Print the table; with arguments, measure one of its cells."""
    if len(sys.argv) > 1:
        print(_measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))
        return
    print("| tokens | dtype | ours MB | naive MB | ours / naive |")
    print("|---|---|---|---|---|")
    for dtype in ("float32", "bfloat16"):
        for tokens in (2048, 4096):
            ours, naive = (
                float(
                    subprocess.run(
                        [sys.executable, __file__, way, dtype, str(tokens)],
                        capture_output=True,
                        text=True,
                        check=True,
                    ).stdout
                )
                for way in ("ours", "naive")
            )
            print(f"| {tokens:,} | {dtype} | {ours:,.0f} | {naive:,.0f} | {ours / naive:.3f} |")


def _measure(way: str, dtype: str, tokens: int) -> float:
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

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pv_trainer.training.adamw import AdamW


SHAPES = ((7, 5), (5,), (3, 7), ())
BETAS, EPS = (0.9, 0.999), 1e-8


def parameters() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def groups(held: list[torch.Tensor]) -> list[dict[str, object]]:
    return [
        {"params": [p for p in held if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in held if p.ndim < 2], "weight_decay": 0.0},
    ]


@pytest.mark.parametrize("fused", [True, False])
def test_every_update_is_torch_s_bit_for_bit(fused: bool) -> None:  # noqa: FBT001
    ours, theirs = parameters(), parameters()
    own = AdamW(groups(ours), betas=BETAS, eps=EPS, fused=fused)
    reference = torch.optim.AdamW(
        groups(theirs), lr=0.0, betas=BETAS, eps=EPS, fused=fused, foreach=False
    )
    generator = torch.Generator().manual_seed(1)
    for update in range(20):
        for group in (*own.param_groups, *reference.param_groups):
            group["lr"] = 0.01 * (update + 1)
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        own.step()
        reference.step()
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other)
            for name, value in reference.state[other].items():
                assert torch.equal(own.state[mine][name], value)


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    held = parameters()
    before = [p.detach().clone() for p in held]
    optimizer = AdamW(groups(held), betas=BETAS, eps=EPS, fused=True)
    held[0].grad = torch.ones_like(held[0])
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    changed = [not torch.equal(p, b) for p, b in zip(held, before, strict=True)]
    assert changed == [True, False, False, False]
    assert list(optimizer.state) == [held[0]]
    optimizer.zero_grad()
    assert held[0].grad is None


def test_training_does_not_import_torch_s_compiler() -> None:
    code = (
        "import sys, torch\n"
        "from pv_trainer.checkpoints.init import fresh_model\n"
        "from pv_trainer.model.config import SHAPES\n"
        "from pv_trainer.training.optimizer import make_optimizer, clip_gradients\n"
        "from pv_trainer.model.loss import summed_loss\n"
        "model = fresh_model(SHAPES['tiny-qwen2'], torch.Generator().manual_seed(0))\n"
        "optimizer = make_optimizer(model)\n"
        "ids = torch.zeros((1, 8), dtype=torch.long)\n"
        "loss, _ = summed_loss(model, ids, ids)\n"
        "loss.backward()\n"
        "clip_gradients(model)\n"
        "optimizer.step()\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"

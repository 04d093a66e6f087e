from __future__ import annotations

from itertools import accumulate

import torch

from pv_trainer.speed.ceiling import matmul_flops_per_s


def test_it_is_the_fastest_of_the_products() -> None:
    # 4, 2, 8, 8, 8 and 8 seconds, of 2 x 64^3 operations.
    readings = accumulate([0, 4, 1, 2, 1, 8, 1, 8, 1, 8, 1, 8])
    found = matmul_flops_per_s(
        torch.device("cpu"), torch.float32, size=64, clock=lambda: next(readings)
    )
    assert found == 2 * 64**3 / 2

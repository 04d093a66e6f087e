"""Switches of torch that a run needs, each set back afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from pv_trainer import error_ids
from pv_trainer.errors import DeviceUnavailable


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_trainer.model.decoder import Decoder


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """Only repeatable kernels on the CPU, where they cost nothing; the old mode afterwards."""
    before = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    # The debug mode is the same switch as use_deterministic_algorithms without what that
    # imports: 1.5 s of torch._inductor.
    torch.set_deterministic_debug_mode("error" if device == "cpu" else before)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        memory.fill_uninitialized_memory = filled


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's own generator of the CPU at `seed`; where it was before, afterwards.

    Nothing here draws from it. If something ever does, then the same numbers in each run.
    """
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


@contextmanager
def enough_memory(device: str) -> Iterator[None]:
    """Tell a full device from a defect.

    Raises:
        DeviceUnavailable: the block ran out of the device's memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceUnavailable(
            error_ids.DEVICE_UNAVAILABLE,
            f"{device}: its memory does not hold the run: {str(error).partition('.')[0]}",
            "lower --batch-size or --seq-length, or raise --grad-accum",
        ) from error


def compile_trunk(model: Decoder) -> None:
    """Compile the trunk in place; its kernels repeat bit for bit on the CPU then too.

    It is one graph, and a second one serves every other size of a batch. The loss stays as it
    is: beside its products, which a library computes either way, compiling it would save 0.3 %
    of a tiny model's step.
    """
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled())
    model.hidden = torch.compile(model.hidden)  # type: ignore[method-assign]


@contextmanager
def eager(compiled: bool) -> Iterator[None]:
    """Validate with the kernels that also evaluate a checkpoint that was read back."""
    if not compiled:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield

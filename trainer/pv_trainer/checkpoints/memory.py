"""Whether a checkpoint fits into this machine's memory, asked before any of it is taken."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from pv_trainer import error_ids
from pv_trainer.errors import DeviceUnavailable
from pv_trainer.formats.apr_layout import DTYPE_BY_NAME


if TYPE_CHECKING:
    from pv_trainer.formats.checkpoint_view import Checkpoint


def refuse_too_large(checkpoint: Checkpoint, dtype: str | None = None) -> None:
    """Establish that the memory of this machine, used or not, can hold every tensor.

    A file may claim terabytes that no disk holds. What other processes use is not looked at.

    Args:
        checkpoint: its headers are enough.
        dtype: what every tensor becomes, by its .apr name; by default what it is in the file.

    Raises:
        DeviceUnavailable: GPUTRAIN-002 it cannot.
    """
    wanted = sum(
        math.prod(info.shape) * DTYPE_BY_NAME[dtype or info.dtype].block_bytes
        for info in checkpoint.tensors.values()
    )
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if wanted > there:
        raise DeviceUnavailable(
            error_ids.DEVICE_UNAVAILABLE,
            f"{checkpoint.path}: its tensors take {wanted / 2**30:,.1f} GiB of memory, this "
            f"machine has {there / 2**30:,.1f} GiB",
            "take a machine with more memory, or a smaller model",
        )

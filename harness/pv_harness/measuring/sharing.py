"""How the claims of a run are shared out, so that no two workers use one GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.measuring.devices import workers_with_a_device


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Falsifier


@dataclass(frozen=True, slots=True)
class Share:
    """Falsifiers whose checks run side by side, the number of workers, and their GPUs."""

    falsifiers: tuple[Falsifier, ...]
    jobs: int
    devices: tuple[str, ...] | None


def share_out(
    falsifiers: Sequence[Falsifier], jobs: int, gpus: tuple[str, ...]
) -> tuple[Share, ...]:
    """How a run is divided so that no two workers use one GPU; empty shares are left out.

    A single worker sees every GPU. Of several, those that run claims about a GPU get one each,
    and no more run than there are GPUs; the other claims run on all workers, which see none.
    """
    if jobs == 1 or not gpus:
        everything = (Share(tuple(falsifiers), jobs, None),)
        return tuple(share for share in everything if share.falsifiers)
    on_gpu = tuple(f for f in falsifiers if _asks_for_gpu(f))
    others = tuple(f for f in falsifiers if not _asks_for_gpu(f))
    workers = workers_with_a_device(gpus, jobs)
    shares = (
        # One worker runs without xdist, and sees what it would see alone.
        Share(on_gpu, workers, gpus[:workers] if workers > 1 else None),
        Share(others, jobs, ()),
    )
    return tuple(share for share in shares if share.falsifiers)


def _asks_for_gpu(falsifier: Falsifier) -> bool:
    return falsifier.requires == "cuda" or any(
        rule.device == "cuda" for rule in falsifier.levels
    )

"""Which part of the machine each worker of a parallel run gets: one GPU, and a few cores.

Two workers on one GPU would measure each other: their memory peaks, their timings and, at the
limit, their out-of-memory errors. So a worker gets one GPU for itself or none.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"


def visible_devices(environment: Mapping[str, str], count: int) -> tuple[str, ...]:
    """The GPUs that this process may use, each as `CUDA_VISIBLE_DEVICES` names it.

    The variable's own names are kept, be they numbers or UUIDs. As for the driver, the list
    ends at the first entry that can't be a device.

    Args:
        environment: the variables of this process.
        count: how many GPUs the driver shows.

    Source: CUDA C++ Programming Guide, CUDA Environment Variables.
    """
    listed = environment.get(VISIBLE)
    if listed is None:
        return tuple(str(number) for number in range(count))
    names: list[str] = []
    for name in (part.strip() for part in listed.split(",")):
        if not name or name.startswith("-") or name in names:
            break
        names.append(name)
    return tuple(names[:count])


def workers_with_a_device(devices: tuple[str, ...], jobs: int) -> int:
    """How many workers can run checks that need a GPU, with none shared; at least one."""
    return max(1, min(jobs, len(devices)))


def threads_per_worker(cores: int, jobs: int) -> int:
    """Threads for each of several workers, so that together they fill the cores once."""
    return max(1, cores // jobs)


def available_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Slot:
    """A number below `count` that no other living process has: a worker's place at a device.

    The system gives it back when the process ends, however it ends. A worker that replaces a
    crashed one thus gets its place; by the worker's own number it might get that of another.
    """

    def __init__(self, folder: Path, count: int) -> None:
        """Take the first free place.

        Raises:
            BlockingIOError: all places are taken.
        """
        self.number = -1
        for number in range(count):
            descriptor = os.open(folder / f"slot-{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            self.number, self._descriptor = number, descriptor
            return
        raise BlockingIOError(f"all {count} places in {folder} are taken")

    def release(self) -> None:
        """Give the place back before the process ends."""
        os.close(self._descriptor)

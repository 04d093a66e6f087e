"""A small process that outlives a `pv` that was killed, and ends what that one had started.

Its standard input is a pipe that only `pv` holds open. When that ends without a word, `pv` is
gone without having cleaned up: the process groups that are noted in its folder are killed, and
the folder is removed. It runs alone, as a script, and imports nothing of pv.
"""

from __future__ import annotations

import os
import sys


def reap(folder: str) -> None:
    """Wait for the end of standard input; then clean up after an owner that died."""
    if os.read(0, 1):
        return
    import contextlib  # noqa: PLC0415 - a reaper hardly ever gets this far
    import pathlib  # noqa: PLC0415
    import shutil  # noqa: PLC0415
    import signal  # noqa: PLC0415

    place = pathlib.Path(folder)
    # A killed group may have started another one just before: look until nothing is new.
    killed: set[int] = set()
    while True:
        marks = [*place.glob("group-*"), *place.glob("records*/group-*")]
        groups = {int(m.name[6:]) for m in marks if m.name[6:].isdecimal()} - killed
        if not groups:
            break
        for group in groups:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        killed |= groups
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    reap(sys.argv[1])

"""Whatever ends this process, what it started ends too, and its temporary folder goes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.temporary_folders import owned_folder


if TYPE_CHECKING:
    from collections.abc import Iterator

_REAPER = Path(__file__).with_name("reaper.py")


@contextlib.contextmanager
def guarded_folder(prefix: str) -> Iterator[Path]:
    """A fresh folder that is removed when the block ends, or when this process is killed.

    Process groups that are noted in it, as `record.group_path` does in the folder itself and in
    subfolders named `records...`, are killed along with this process.

    Raises:
        InfrastructureError: the system's temporary folder can't be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(owned_folder(prefix))
            reaper = _start_reaper(folder)
        except OSError as error:
            raise InfrastructureError(f"no temporary folder can be made: {error}") from error
        stack.callback(_dismiss, reaper)
        yield folder


def _start_reaper(folder: Path) -> subprocess.Popen[bytes]:
    # A session of its own: what is sent to our group, or typed at our terminal, spares it.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-I", "-S", str(_REAPER), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _dismiss(reaper: subprocess.Popen[bytes]) -> None:
    assert reaper.stdin is not None
    with contextlib.suppress(OSError):  # it may have been killed itself
        reaper.stdin.write(b".")
        reaper.stdin.flush()
    with contextlib.suppress(OSError):
        reaper.stdin.close()
    reaper.wait()

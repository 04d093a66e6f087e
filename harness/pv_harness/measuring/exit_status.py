"""How a process ended, in words, and the notes of it that pytest's own workers can't leave."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from pv_harness.measuring.record import node_key
from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from pathlib import Path

_MAX_SIZE_BYTES = 16
_PATIENCE_S = 5.0


def describe_exit(code: int) -> str:
    """`exit code 3`, or for a negative code the signal by its name: `killed by SIGSEGV`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    # The kernel kills what asks for more memory than there is, and says so to nobody.
    perhaps = ", perhaps out of memory" if -code == signal.SIGKILL else ""
    return f"killed by {name}{perhaps}"


def exit_code_of(worker: Any) -> int | None:
    """The exit code of a worker of xdist that is gone; None where nobody knows it.

    Only the process that started a worker can learn it, and xdist has no public name for it.
    """
    with contextlib.suppress(AttributeError, TypeError, subprocess.TimeoutExpired):
        return int(worker.gateway._io.popen.wait(_PATIENCE_S))  # noqa: SLF001 - see above
    return None


def write_exit(record_dir: Path, node: str, code: int) -> None:
    """Note how the process ended that was running this check."""
    _exit_path(record_dir, node).write_text(str(code), encoding="ascii")


def read_exit(record_dir: Path, node: str) -> int | None:
    """What `write_exit` noted of this check; None without a note.

    It is only ever told: nothing is judged by it, whoever wrote it.
    """
    with contextlib.suppress(OSError, ValueError):
        return int(read_regular(_exit_path(record_dir, node), _MAX_SIZE_BYTES))
    return None


def forget_exit(record_dir: Path, node: str) -> None:
    """Take away the note on a check that is about to run again."""
    _exit_path(record_dir, node).unlink(missing_ok=True)


def _exit_path(record_dir: Path, node: str) -> Path:
    return record_dir / f"ended-{node_key(node)}"

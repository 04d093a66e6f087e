"""`apr`, which is `python -m pv_trainer`: what runs before anything else is imported."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run one command; its process exit code.

    Ctrl-C ends the process as it would any other, without a word, until the command can say
    something of its own, and changes nothing once it has.
    """
    asked_to_ignore = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not asked_to_ignore:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pv_trainer.cli import main as run_command  # noqa: PLC0415 - takes the most time

    code = run_command()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(main())

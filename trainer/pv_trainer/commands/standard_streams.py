"""The three streams of a process, whatever was done to them before it began."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from typing import TextIO

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def prepare_streams() -> None:
    """Let each stream be one that can be used: closed ones go nowhere, any text can be printed.

    The number of a closed stream would be given to the next file that is opened, and what is
    meant for the stream would be written into a checkpoint.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - kept open
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str, stream: TextIO | None = None) -> bool:
    """Print a line on stdout or `stream`; False if it went nowhere: nobody reads, no space.

    A run is not lost with its reader, and a failure keeps its exit code.
    """
    stream = stream or sys.stdout
    try:
        print(printable(text), file=stream, flush=True)
    except OSError:
        silence(stream)
        return False
    return True


def printable(text: str) -> str:
    """The text, with what a terminal would obey instead of showing it spelled out.

    Names of files and tensors come from whoever made them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def silence(stream: TextIO) -> None:
    """Let what is still printed go nowhere, so that the end of the process raises nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

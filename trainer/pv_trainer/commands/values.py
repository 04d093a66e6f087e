"""Values of flags: texts from a command line as numbers, within their limits."""

from __future__ import annotations

import argparse
import math
from functools import partial
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.training.options import Kind

_SMALLEST_VOCABULARY: Final = 257
"""Every byte, and the end of text."""
_MOST_PROCESSES: Final = 256
_LARGEST_VOCABULARY: Final = 2**20
"""The tokenizers library reserves memory for all of it, and aborts if it gets none."""


def count(text: str) -> int:
    """A whole number from 0.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    return _whole_number(text, minimum=0)


def positive(text: str) -> int:
    """A whole number from 1.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    return _whole_number(text, minimum=1)


def processes(text: str) -> int:
    """A number of processes.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = _whole_number(text, minimum=1)
    if value > _MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text} is above {_MOST_PROCESSES}")
    return value


def vocabulary(text: str) -> int:
    """The number of ids of a tokenizer.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = _whole_number(text, minimum=_SMALLEST_VOCABULARY)
    if value > _LARGEST_VOCABULARY:
        raise argparse.ArgumentTypeError(f"{text} is above {_LARGEST_VOCABULARY}")
    return value


def _whole_number(text: str, minimum: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not minimum <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {minimum}")
    return value


def number_of(kind: Kind) -> Callable[[str], float]:
    """What reads the text of an option that is a number, and keeps to its limits."""
    limits = kind.limits
    assert limits is not None  # what has none is no number
    if kind.base is int:
        return partial(_whole_number, minimum=int(limits.least))

    def read(text: str) -> float:
        value = _number(text)
        if value not in limits:
            least, most = limits.least, limits.most
            raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
        return value

    return read


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def share(text: str) -> float:
    """A share, from 0 up to 1 and without 1.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = _number(text)
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 up to 1")
    return value

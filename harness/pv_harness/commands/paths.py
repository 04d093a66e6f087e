"""Paths on a command line: what no file can be called is refused before anything is done."""

from __future__ import annotations

import os
from pathlib import Path


TYPE_CHECKING = False  # typing itself costs 4 ms, and every verb asks for its --root here
if TYPE_CHECKING:
    from argparse import ArgumentTypeError


def given_path(text: str) -> Path:
    """The value of an option that names a file or a folder, which need not be there.

    Raises:
        argparse.ArgumentTypeError: it is empty or holds a NUL; or the system can't look it up,
            since it is too long, leads in a circle, or goes on below a file or a closed folder.
    """
    _look_up(text)
    return Path(text)


def written_file(text: str) -> Path:
    """The value of an option that names a file to be written: a new one, or a regular one.

    Anything else would be replaced by a file, which nobody wants of a device.

    Raises:
        argparse.ArgumentTypeError: as for `given_path`, or something else is there.
    """
    import stat

    facts = _look_up(text)
    if facts is not None and not stat.S_ISREG(facts.st_mode):
        from pv_harness.regular_file import kind_of

        raise _refusal(f"is {kind_of(facts.st_mode)}; name a file to write", text)
    return Path(text)


def existing_file(text: str) -> Path:
    """The value of an option that names a file which is read only where it is needed.

    Raises:
        argparse.ArgumentTypeError: as for `given_path`, or no regular file is there.
    """
    import stat

    facts = _look_up(text)
    if facts is None:
        raise _refusal("is not there; name a file", text)
    if not stat.S_ISREG(facts.st_mode):
        from pv_harness.regular_file import kind_of

        raise _refusal(f"is {kind_of(facts.st_mode)}; name a file", text)
    return Path(text)


def _look_up(text: str) -> os.stat_result | None:
    """What the system says of a path; None where nothing is."""
    if not text:
        raise _refusal("is empty; the current folder is called .", text)
    if "\0" in text:
        raise _refusal("holds a NUL character, which no path can", text)
    try:
        return os.stat(text)  # noqa: PTH116 - a Path says no more
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refusal(_why(error), text) from error


def _why(error: OSError) -> str:
    import errno

    from pv_harness.regular_file import reason

    known = {
        errno.ENAMETOOLONG: "is longer than a path, or one name in it, can be",
        errno.ELOOP: "is a link that leads to itself",
        errno.ENOTDIR: "goes on below a file; only folders hold others",
    }
    return known.get(error.errno or 0, f"can't be looked up: {reason(error)}")


def _refusal(what: str, text: str) -> ArgumentTypeError:
    import argparse

    from pv_harness.wording import show

    return argparse.ArgumentTypeError(f"{show(text)} {what}")

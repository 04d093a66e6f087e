"""What a set-up does to a folder, first as values; nothing is overwritten."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.atomic_file import write_atomically
from pv_harness.errors import InfrastructureError, UsageError
from pv_harness.regular_file import read_regular, reason


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MAX_SIZE_BYTES = 4 << 20


class Action(Enum):
    """What happens to one file."""

    CREATE = "create"
    EXTEND = "extend"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Change:
    """One file, what happens to it, and its whole new text.

    Attributes:
        name: the path from the root, with forward slashes.
        before: the text that is there now; None for a file that is not there.
        note: what the file is for, or why it is left as it is.
    """

    name: str
    action: Action
    note: str
    text: str = ""
    before: str | None = None


def render_changes(changes: Sequence[Change], *, dry_run: bool) -> str:
    """One line per file: what became of it, or would, and why. Ends without a newline."""
    words = _FUTURE if dry_run else _PAST
    width = max((len(change.name) for change in changes), default=0)
    verb = max(map(len, words.values()))
    return "\n".join(
        f"{words[c.action]:<{verb}}  {c.name:<{width}}  {c.note}".rstrip() for c in changes
    )


_PAST = {Action.CREATE: "created", Action.EXTEND: "extended", Action.KEEP: "kept"}
_FUTURE = {
    Action.CREATE: "would create",
    Action.EXTEND: "would extend",
    Action.KEEP: "would keep",
}


def read_text(path: Path) -> str | None:
    """The text of a file that may be extended, or None where there is nothing.

    Raises:
        UsageError: something is there that can't be read as a text file.
    """
    try:
        # Not read_text(): that would turn the line ends of the file into those of this system.
        return read_regular(path, _MAX_SIZE_BYTES).decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text; save it as UTF-8 first") from error


def write_changes(root: Path, changes: Iterable[Change]) -> None:
    """Make the changes, each file whole or not at all, in the order given.

    Raises:
        UsageError: a link leads out of `root`; nothing is written then.
        InfrastructureError: a file can't be written, or is no longer what the change was
            worked out for; the files before it are written.
    """
    due = [change for change in changes if change.action is not Action.KEEP]
    targets = [_place_within(root, change.name) for change in due]
    for change, path in zip(due, targets, strict=True):
        if read_text(path) != change.before:
            raise InfrastructureError(f"{path}: changed meanwhile; run the command again")
        try:
            mode = None if change.before is None else stat.S_IMODE(path.stat().st_mode)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, change.text.encode("utf-8"))
            if mode is not None:
                path.chmod(mode)
        except OSError as error:
            raise InfrastructureError(f"{path}: can't be written: {reason(error)}") from error


def _place_within(root: Path, name: str) -> Path:
    """Where a file of the project really lies: a link stays one, what it leads to changes."""
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"{root / name}: a link that leads nowhere; remove it first"
        ) from error
    if not path.is_relative_to(root.resolve()):
        raise UsageError(
            f"{root / name}: leads out of the project, to {path}; "
            "nothing was written, as a link there may not decide what is changed"
        )
    return path

"""What several verbs share: the project, the falsifiers that names mean, the board of those."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.commands.paths import given_path
from pv_harness.errors import UsageError
from pv_harness.wording import printable


if TYPE_CHECKING:
    from typing import TextIO

    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.project import Project
    from pv_harness.workflow.declared import Declared


def add_names(verb: argparse.ArgumentParser) -> None:
    """`[ID...]`: the falsifiers that a verb is about, all without any."""
    verb.add_argument(
        "names",
        nargs="*",
        metavar="ID",
        help="falsifiers or contracts, patterns too (default: all)",
    )


def add_signing(verb: argparse.ArgumentParser) -> None:
    """`--sign KEYFILE`: for a verb that stores evidence."""
    text = "sign what is stored with this ed25519 private key, in PEM"
    verb.add_argument("--sign", type=given_path, metavar="KEYFILE", help=text)


def positive(text: str) -> int:
    """The value of an option that counts something, at least 1."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def whole_number(text: str) -> int:
    """The value of an option that takes a whole number.

    Raises:
        ArgumentTypeError: it is none; argparse's own words would name a function of ours.
    """
    try:
        return int(text)
    except ValueError as error:
        what = f"{printable(text[:40])!r} is not a whole number"
        raise argparse.ArgumentTypeError(what) from error


def find_project(args: argparse.Namespace) -> Project:
    """The project that a command line is about: `--root`, or the one around the current folder.

    Raises:
        UsageError: there is no such folder, or its configuration is wrong.
    """
    from pv_harness.project import find_root, load_project

    start = args.root or Path.cwd()
    if not start.is_dir():
        what = "is a file; give the folder of a project" if start.exists() else "no such folder"
        raise UsageError(f"--root {printable(str(start))}: {what}")
    project = load_project(find_root(start))
    key = getattr(args, "sign", None)
    return project if key is None else _signing_with(project, key)


def read_selected(args: argparse.Namespace) -> tuple[Declared, tuple[Falsifier, ...]]:
    """What the project declares, and the falsifiers that the command line names.

    Raises:
        ContractError: the contracts can't be judged.
        UsageError: a name means nothing.
    """
    from pv_harness.contracts.selection import select_falsifiers
    from pv_harness.workflow.declared import read_declared

    declared = read_declared(find_project(args))
    return declared, select_falsifiers(declared.contracts, args.names)


def select_board(
    declared: Declared, args: argparse.Namespace, *, history: bool = False
) -> Scoreboard:
    """The scoreboard of the falsifiers that the command line names.

    With `history`, rows hold every record that there is, not only what statuses rest on.

    Raises:
        EvidenceError: evidence is unreadable or altered.
    """
    from pv_harness.contracts.selection import select_falsifiers
    from pv_harness.workflow.declared import read_board

    wanted = {f.id for f in select_falsifiers(declared.contracts, args.names)}
    return read_board(declared, history=history).of(wanted)


def note(text: str) -> None:
    """Say something beside the answer: on standard error, where no program reads a document."""
    print(f"pv: {text}", file=sys.stderr)


def print_board(board: Scoreboard) -> None:
    """Print the terminal board, as wide as the terminal."""
    from pv_harness.board.terminal import render_scoreboard

    print(render_scoreboard(board, width=width(), now_s=time.time(), color=color(sys.stdout)))


def width() -> int:
    """Columns of the terminal; 100 where there is none."""
    import shutil  # 3 ms, with all its archive formats

    return shutil.get_terminal_size((100, 24)).columns


def color(stream: TextIO) -> bool:
    """Whether a stream is a terminal that takes colours, and nobody asked for none.

    Source: no-color.org.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _signing_with(project: Project, key: Path) -> Project:
    from dataclasses import replace

    from pv_harness.evidence.signing import read_signer

    # Read now: a key that can't sign should be told before the measuring, not after it.
    read_signer(key)
    return replace(project, signing_key=key.resolve())

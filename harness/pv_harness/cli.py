"""The `pv` command: arguments in, text and an exit code out. The verbs are in `commands`.

Start-up is felt at every prompt and in every hook, so this module imports what `pv --version`
needs, and the rest where it is used.
"""

from __future__ import annotations

import sys

from pv_harness import __version__
from pv_harness.commands import VERBS


TYPE_CHECKING = False  # typing itself costs 4 ms
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_EXIT_CODES = """\
exit codes:
  0  satisfied, with something judged
  1  denied: refuted, vacuous, or below what the gate asks
  2  cannot judge: usage, invalid contract or policy, nothing to judge
  3  unknown: missing, stale or incomplete evidence, which running may cure
  4  infrastructure: a crash, unreadable or altered evidence
  130  interrupted, by Ctrl-C or a signal
  141  nobody reads the output any more
"""


_STORED = "; what was complete is stored, the rest is due again"
_KEPT = {"run": _STORED, "prove": _STORED}
"""What an interrupt leaves of what a verb has done, where it stores as it goes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; errors are printed, not raised.

    With --debug they are raised.
    """
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    finally:
        _leave_garbage()


def _run(words: list[str]) -> int:
    """The same for the words behind `pv`."""
    if words == ["--version"]:
        print(f"pv {__version__}")
        return 0
    if words[:1] == ["validate"] and (code := _recall(words)) is not None:
        return code
    if not words or (words[0][:1] not in {"", "-"} and words[0] not in VERBS):
        return _refuse(words)
    parser = make_parser(words)
    args, unknown = parser.parse_known_args(words)
    args.words = words
    if unknown:
        # Not parser.error(), which shows the usage of pv instead of the verb's.
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        _prepare_process()
        code = int(args.run(args))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"pv: interrupted{_KEPT.get(words[0], '')}", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        return _tell(error)
    return code


def _recall(words: Sequence[str]) -> int | None:
    """The exit code of an answer that was kept and still holds, which is printed; or None.

    Reading the command line alone would take longer.
    """
    import os

    from pv_harness.workflow.recalled_answers import find_caches, recall_answer, request_of

    _collect_rarely()
    caches, request = find_caches(os.environ), request_of(words, os.environ)
    kept = recall_answer(caches, request) if caches and request and sys.stdout else None
    if kept is None:
        return None
    text, code = kept
    try:
        try:
            print(text)
        except UnicodeEncodeError:
            _prepare_process()
            print(text)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if "--debug" in words:
            raise
        return _tell(error)
    return code


def _prepare_process() -> None:
    """Let signals end us as Ctrl-C does, and let no character stop us from printing.

    Raises:
        InfrastructureError: standard output is closed.
    """
    import io
    import signal

    from pv_harness.plain_characters import HANDLER, register_handler

    _collect_rarely()
    _open_streams()
    register_handler()
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _collect_rarely() -> None:
    """Look for garbage almost never: a command keeps nearly all that it reads until it ends.

    Of a large project a third of the time went into that.
    """
    import gc

    gc.set_threshold(1_000_000)


def _leave_garbage() -> None:
    """Leave what is in memory to the system, which takes it all at once when we end.

    Python itself looks for garbage among all of it, several times: 8 ms of a short command.
    """
    import gc

    gc.freeze()


def _open_streams() -> None:
    """Have descriptors 0 to 2 taken, so that no file of ours is what a child writes to."""
    import os

    from pv_harness.errors import InfrastructureError

    for wanted in range(3):
        try:
            os.fstat(wanted)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        raise InfrastructureError(
            "standard output is closed; where nobody is to read it, send it to /dev/null"
        )


def make_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line of pv: the verb that `words` begin with, and its options; or all."""
    import argparse
    import importlib

    from pv_harness.commands.paths import given_path

    parser = argparse.ArgumentParser(
        prog="pv",
        description="Contracts declare falsifiers; checks try to refute them; "
        "the scoreboard is derived from evidence.",
        epilog=_EXIT_CODES,
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pv {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    # Each parser costs half a millisecond, and a verb's own needs none but itself.
    first = words[0] if words else ""
    named = {first: VERBS[first]} if first in VERBS else VERBS
    for name, text in named.items():
        verb = verbs.add_parser(
            name,
            help=text,
            description=text,
            epilog=_EXIT_CODES,
            formatter_class=_formatter,
            allow_abbrev=False,
        )
        verb.set_defaults(parser=verb)
        verb.add_argument(
            "--root", type=given_path, metavar="DIR", help="the project (default: here)"
        )
        verb.add_argument("--debug", action="store_true", help="show an error's traceback")
        if name in words:
            module = importlib.import_module(f"pv_harness.commands.{name}")
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
    return parser


def _refuse(words: Sequence[str]) -> int:
    """Say that a verb is missing, or which one was meant; the exit code."""
    if not words:
        make_parser().print_help(sys.stderr)
        print("\npv: name a VERB", file=sys.stderr)
        return 2
    from pv_harness.wording import meant, show

    near = meant(words[0], VERBS) or "; `pv --help` lists them"
    print(f"pv: there is no verb {show(words[0])}{near}", file=sys.stderr)
    return 2


def _formatter(prog: str) -> argparse.HelpFormatter:
    """A formatter as wide as the terminal.

    Left to itself argparse asks shutil for the width, once for each option: 5 ms.
    """
    import argparse
    import os

    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdecimal() else 0
        width = width or os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no standard output, closed, or no terminal
        width = 0
    return argparse.RawDescriptionHelpFormatter(prog, width=(width or 80) - 2)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _tell(error: Exception) -> int:
    """Print an error for people, and choose the exit code that it means."""
    import io

    if isinstance(error, BrokenPipeError):
        import signal

        # The reader of our output has gone: nobody is left to tell, not at exit either.
        sys.stdout = io.StringIO()
        # As a shell reports a command that SIGPIPE ended: neither a pass nor a defect.
        return 128 + signal.SIGPIPE
    text, code = _explain(error)
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = io.StringIO()  # full as well: at exit it would be tried again
    return code


def _explain(error: Exception) -> tuple[str, int]:
    """What people are told of an error, and its exit code."""
    from pv_harness.errors import ContractError, PvError
    from pv_harness.exit_code import ExitCode

    if isinstance(error, ContractError):
        count = len(error.problems)
        noun = "problem" if count == 1 else "problems"
        return f"{error}\npv: {count} {noun}; nothing was judged", error.exit_code
    if isinstance(error, PvError):
        return f"pv: {error}", error.exit_code
    if isinstance(error, OSError):
        explained = _explain_surroundings(error)
        if explained is not None:
            return explained
    what = f"{type(error).__name__}: {error}"
    text = f"pv: a defect of pv itself, or of this machine: {what}\n"
    return f"{text}pv: --debug shows where; nothing more was judged", ExitCode.INFRASTRUCTURE


def _explain_surroundings(error: OSError) -> tuple[str, int] | None:
    """What to say of an error of the system that comes from where we were started."""
    import errno
    import io
    import os

    from pv_harness.exit_code import ExitCode

    # Files are written by functions that say which: what has no name is what we print to.
    if error.filename is None and error.errno in {errno.ENOSPC, errno.EIO, errno.EBADF}:
        sys.stdout = io.StringIO()  # at exit it would be tried again
        why = os.strerror(error.errno).lower()
        return f"pv: standard output can't be written: {why}", ExitCode.INFRASTRUCTURE
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same
    except OSError:
        text = "the current folder is gone; change to one that is there, or into it again"
        return f"pv: {text}", ExitCode.CANNOT_JUDGE
    return None


if __name__ == "__main__":
    sys.exit(main())

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

    from pv_harness.exit_code import ExitCode

_EXIT_CODES = """\
exit codes:
  0  satisfied, with something judged
  1  denied: refuted, vacuous, or below what the gate asks
  2  cannot judge: usage, invalid contract or policy, nothing to judge
  3  unknown: missing, stale or incomplete evidence, which running may cure
  4  infrastructure: a crash, unreadable or altered evidence
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; errors are printed, not raised.

    With --debug they are raised.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["--version"]:
        print(f"pv {__version__}")
        return 0
    args = make_parser(words).parse_args(words)
    _prepare_process()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("pv: interrupted; what was not yet stored is not stored", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        return int(_tell(error))
    return code


def _prepare_process() -> None:
    """Let signals end us as Ctrl-C does, and let no character stop us from printing."""
    import io
    import signal

    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def make_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line of pv: all verbs, and the options of those that `words` name."""
    import argparse
    import importlib
    from pathlib import Path

    parser = argparse.ArgumentParser(
        prog="pv",
        description="Contracts declare falsifiers; checks try to refute them; "
        "the scoreboard is derived from evidence.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pv {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, text in VERBS.items():
        verb = verbs.add_parser(
            name,
            help=text,
            description=text,
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_argument(
            "--root", type=Path, metavar="DIR", help="the project (default: here)"
        )
        verb.add_argument("--debug", action="store_true", help="show an error's traceback")
        if name in words:
            module = importlib.import_module(f"pv_harness.commands.{name}")
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
    return parser


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _tell(error: Exception) -> ExitCode:
    """Print an error for people, and choose the exit code that it means."""
    from pv_harness.errors import ContractError, PvError
    from pv_harness.exit_code import ExitCode

    if isinstance(error, ContractError):
        count = len(error.problems)
        noun = "problem" if count == 1 else "problems"
        print(error, file=sys.stderr)
        print(f"pv: {count} {noun}; nothing was judged", file=sys.stderr)
        return error.exit_code
    if isinstance(error, PvError):
        print(f"pv: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone: nobody is left to tell, not at exit either.
        import io

        sys.stdout = io.StringIO()
        return ExitCode.INFRASTRUCTURE
    what = f"{type(error).__name__}: {error}"
    print(f"pv: a defect of pv itself, or of this machine: {what}", file=sys.stderr)
    print("pv: --debug shows where; nothing more was judged", file=sys.stderr)
    return ExitCode.INFRASTRUCTURE


if __name__ == "__main__":
    sys.exit(main())

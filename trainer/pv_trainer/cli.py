"""The `apr` command: a thin translation between a command line and the library."""

from __future__ import annotations

import json
import logging
import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.commands.parser import make_parser
from pv_trainer.commands.standard_streams import prepare_streams, say, silence
from pv_trainer.errors import AprError, Interrupted, UsageError
from pv_trainer.exit_status import CRASH_CODE, CRASHED


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_PLACE: Final = "run again with --debug for the place"
_EXTRA: Final = frozenset({"torch", "numpy", "safetensors", "tokenizers"})
"""What the extra `trainer` brings: pv, of the same distribution, is installed without it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its process exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    prepare_streams()
    with _logging_to_stderr():
        try:
            with _signals_as_interrupts():
                args = make_parser().parse_args(arguments)
                return int(args.run(args).code)
        except SystemExit as done:  # --help and --version
            return int(done.code or 0)
        except BrokenPipeError:  # whoever read our stdout has gone; nothing is left to tell
            silence(sys.stdout)
            return CRASH_CODE
        except ModuleNotFoundError as error:
            if debug:
                traceback.print_exception(error)
            return _fail_import(error, as_json="--json" in arguments)
        except (AprError, OSError, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exception(error)
            return _fail(_as_apr_error(error), as_json="--json" in arguments)
        except Exception as error:  # noqa: BLE001 - the last resort, and it says so
            if debug:
                traceback.print_exception(error)
            return _crash(error, as_json="--json" in arguments)


def _as_apr_error(error: AprError | OSError | KeyboardInterrupt) -> AprError:
    if isinstance(error, AprError):
        return error
    if isinstance(error, OSError):
        place = error.filename or "input or output"
        what = f"{place}: {error.strerror or error}"
        return UsageError(error_ids.USAGE, what, "check the path, the rights and the space")
    return Interrupted(error_ids.INTERRUPTED, "a signal ended the command")


def _fail_import(error: ModuleNotFoundError, *, as_json: bool) -> int:
    missing = (error.name or "").partition(".")[0]
    if missing not in _EXTRA:
        return _crash(error, as_json=as_json)
    what = f"apr needs the extra trainer: there is no {missing} here"
    remedy = 'pip install "pv-harness[trainer]"'
    return _fail(UsageError(error_ids.USAGE, what, remedy), as_json=as_json)


def _fail(error: AprError, *, as_json: bool) -> int:
    if as_json:
        body = {"id": error.id, "what": error.what, "remedy": error.remedy}
        report = {"status": error.status.value, "exit_code": error.status.code, "error": body}
        say(json.dumps(report))
    say(f"apr: {error}", sys.stderr)
    return error.status.code


def _crash(error: Exception, *, as_json: bool) -> int:
    what = f"a defect of this program: {type(error).__name__}: {error}"
    if as_json:
        body = {"id": None, "what": what, "remedy": _PLACE}
        report = {"status": CRASHED, "exit_code": CRASH_CODE, "error": body}
        say(json.dumps(report))
    say(f"apr: {what}; {_PLACE}", sys.stderr)
    return CRASH_CODE


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Let the library's few log lines appear, each under its level's name."""
    log = logging.getLogger("pv_trainer")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("apr: %(levelname)s: %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a run with a status and a record."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            # Whoever started the command may have asked for Ctrl-C to be ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    except ValueError:  # not in the main thread, where no handler can be set
        yield
        return
    try:
        yield
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)

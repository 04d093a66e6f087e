"""A process that has started Python and imported what is slow, and forks once per request.

Starting Python and importing torch takes more than a second, a fork takes milliseconds. The
template imports the modules that `[tool.pv] preload` names and nothing of the project. Each
fork becomes the program that was asked for, as if it had been started anew: arguments, folder,
variables, streams, path, recorder and `__main__` are its own, and it ends as Python ends, with
its exit handlers, its traceback and its exit code.

It says no, and the caller starts a real process, where a fork would not be the same: threads
run (a fork of a process whose thread pools have started can deadlock), a module that is already
imported would be hidden by one of the project, or the processors, limits or ignored signals
differ. What is the same for every fork and would not be for processes, such as the seed of
hashes, is why the prover asks real processes before it says that a defect survived.

Protocol, over a Unix socket: the client sends the length of a JSON object as 8 bytes, with the
descriptors of its three streams, then the object that `forked.start_forked` makes. One JSON
object per line comes back: {"pid"} and, at the end, {"returncode"}; or {"refused"}. A client
that hangs up has its process group killed. All have when the template's owner dies.

Run as a script, with nothing of the harness imported: the copy's own may be the subject.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import gc
import importlib
import importlib.machinery
import json
import os
import random
import resource
import runpy
import selectors
import signal
import site
import socket
import sys
import tokenize
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_PATIENCE_S = 10.0
_STREAMS = 3


def serve(socket_path: str, lifeline: int, preload: Sequence[str]) -> dict[str, Any]:
    """Fork for every request; returns in the forks alone, with the request.

    The template itself ends when the other end of `lifeline` is closed.
    """
    _import_quietly(preload)
    base_path = list(sys.path)
    # What is imported here is never garbage: no fork need look through it again.
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    # Bound under another name first: who finds the socket can connect.
    listener.bind(f"{socket_path}.new")
    listener.listen(64)
    Path(f"{socket_path}.new").rename(socket_path)
    with selectors.DefaultSelector() as selector:
        forks = _Forks(selector)
        selector.register(listener, selectors.EVENT_READ, forks.accept)
        selector.register(lifeline, selectors.EVENT_READ, forks.end)
        while True:
            for key, _events in selector.select():
                if key.fd not in selector.get_map():
                    continue  # gone through an event before it
                request = key.data(key.fileobj)
                if request is not None:
                    listener.close()
                    os.close(lifeline)
                    return {**request, "base_path": base_path}


class _Forks:
    """The processes that the template has made and that have not ended."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._clients: dict[int, tuple[int, socket.socket]] = {}

    def accept(self, listener: socket.socket) -> dict[str, Any] | None:
        """Take in one request; returns it in the fork, and None in the template."""
        client, _address = listener.accept()
        client.settimeout(_PATIENCE_S)
        streams: list[int] = []
        try:
            request, streams = _receive(client, streams)
            refusal = _why_not(request)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            request, refusal = {}, f"not understood: {error}"
        pid = 0 if refusal else os.fork()
        if pid == 0 and not refusal:
            self._leave(client, streams)
            return request
        for stream in streams:
            os.close(stream)
        if refusal:
            _answer(client, {"refused": refusal})
            client.close()
        else:
            self._watch(pid, client)
        return None

    def end(self, _lifeline: int) -> None:
        """Kill everything that runs, and stop: the owner is gone."""
        for pid, _client in self._clients.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        os._exit(0)

    def _watch(self, pid: int, client: socket.socket) -> None:
        handle = os.pidfd_open(pid)
        self._clients[handle] = (pid, client)
        self._selector.register(handle, selectors.EVENT_READ, self._ended)
        self._selector.register(client, selectors.EVENT_READ, lambda c: self._hung_up(c, pid))
        _answer(client, {"pid": pid})

    def _ended(self, handle: int) -> None:
        pid, client = self._clients.pop(handle)
        self._selector.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        _answer(client, {"returncode": os.waitstatus_to_exitcode(status)})
        if client.fileno() in self._selector.get_map():
            self._selector.unregister(client)
        client.close()

    def _hung_up(self, client: socket.socket, pid: int) -> None:
        # A client says nothing after its request: what can be read is its end.
        self._selector.unregister(client)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def _leave(self, client: socket.socket, streams: Sequence[int]) -> None:
        """In the fork: a session, the three streams, and nothing else of the template."""
        try:
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            for handle, (_pid, other) in self._clients.items():
                os.close(handle)
                other.close()
            client.close()
        except BaseException:  # noqa: BLE001 - whatever it is, this process must go
            os._exit(70)  # never a second server


def become(request: Mapping[str, Any]) -> None:
    """Run the program of a request in this process, which ends as Python ends."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.umask(request["umask"])
    _skip_the_undoing_of_libraries()
    sys.executable = request["executable"]
    sys.argv = list(request["argv"])
    sys.orig_argv = [sys.executable, *_command_of(request)]
    _draw_anew()
    roots = [r for r in request["environment"].get("PYTHONPATH", "").split(os.pathsep) if r]
    kept = dict.fromkeys(str(Path.cwd() / root) for root in roots)
    sys.path[:] = [*kept, *(p for p in request["base_path"] if p not in kept)]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    # As at every start: the recorder is in here.
    for name in ("sitecustomize", "usercustomize"):
        sys.modules.pop(name, None)
    site.execsitecustomize()
    if site.ENABLE_USER_SITE:
        site.execusercustomize()
    sys.excepthook = _tell_without_template
    sys.modules["__main__"] = main = _fresh_main()
    match request["kind"]:
        case "module":
            _put_first(str(Path.cwd()))
            runpy._run_module_as_main(request["what"])  # type: ignore[attr-defined]  # noqa: SLF001 - what `python -m` calls
        case "script":
            # Python resolves links of the script to find its folder, and of nothing else.
            _put_first(str(Path(request["what"]).resolve().parent))
            _run_script(request["what"], main)
        case _:
            main.__loader__ = importlib.machinery.BuiltinImporter
            _put_first("")
            exec(compile(request["what"], "<string>", "exec"), main.__dict__)  # noqa: S102 - `python -c`


def _fresh_main() -> ModuleType:
    """The module that a program begins with; all others have no more than its `__dict__`."""
    main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=builtins)
    return main


def _run_script(file: str, main: ModuleType) -> None:
    # As Python does, which keeps the dots that a Path would take out.
    main.__file__ = file if file.startswith("/") else f"{Path.cwd()}/{file}"
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", file)
    main.__dict__["__cached__"] = None
    with tokenize.open(file) as stream:
        code = compile(stream.read(), file, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - `python FILE`


def _put_first(folder: str) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)


def _command_of(request: Mapping[str, Any]) -> list[str]:
    flag = {"module": ["-m"], "code": ["-c"], "script": []}[request["kind"]]
    return [*flag, request["what"], *request["argv"][1:]]


def _skip_the_undoing_of_libraries() -> None:
    """Let the process end once Python has: without what the template's libraries undo then.

    Taking torch's libraries apart is a tenth of a second, and says nothing. Handlers of exit
    run last one first, so what the program itself loads is still taken apart.
    """
    libc = ctypes.CDLL(None)
    with contextlib.suppress(AttributeError):  # of glibc alone
        libc.on_exit(libc["_exit"], None)
        libc["__cxa_atexit"](libc.fflush, None, None)


def _draw_anew() -> None:
    """Give the fork randomness of its own, where a new process would have it."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _tell_without_template(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an uncaught exception as Python does, without the frames of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def _why_not(request: Mapping[str, Any]) -> str:
    """Why a fork would not be the same as a process; empty if it is."""
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        return "threads have started"
    if sorted(os.sched_getaffinity(0)) != request["affinity"]:
        return "the processors differ"
    if [list(resource.getrlimit(int(n))) for n, _ in request["limits"]] != [
        pair for _, pair in request["limits"]
    ]:
        return "the limits differ"
    if _signals() != request["signals"]:
        return "the signals differ that are blocked or ignored"
    first = {
        "module": [request["cwd"]],
        "code": [request["cwd"]],
        "script": [str(Path(request["cwd"], request["what"]).resolve().parent)],
    }[request["kind"]]
    roots = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    for root in (*first, *(r for r in roots if r)):
        hidden = _hidden_by(Path(request["cwd"], root))
        if hidden:
            return f"{hidden} is imported, and would be another from {root}"
    return ""


def _signals() -> list[str]:
    """The signals that are blocked and those that are ignored: a process inherits both."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    pairs = dict(line.split(":", 1) for line in lines.splitlines())
    return [pairs[name].strip() for name in ("SigBlk", "SigIgn")]


def _hidden_by(folder: Path) -> str:
    """A module that is imported here, and that a process would find in `folder` instead."""
    try:
        found = set(os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return ""
    imported = {module.partition(".")[0] for module in sys.modules} - _FOUND_NOWHERE
    for entry in found:
        name, dot, suffix = entry.partition(".")
        is_module = dot + suffix in _SUFFIXES or (folder / entry / "__init__.py").exists()
        if name not in imported or not is_module:
            continue
        file = getattr(sys.modules.get(name), "__file__", None)
        if not (isinstance(file, str) and Path(file).is_relative_to(folder)):
            return name
    return ""


_SUFFIXES = frozenset(importlib.machinery.all_suffixes())
_FOUND_NOWHERE = {"__main__", "sitecustomize", "usercustomize", *sys.builtin_module_names}


def _receive(client: socket.socket, streams: list[int]) -> tuple[dict[str, Any], list[int]]:
    header, received, _flags, _address = socket.recv_fds(client, 8, _STREAMS)
    streams.extend(received)
    size = int.from_bytes(header, "big")
    data = b""
    while len(data) < size:
        part = client.recv(min(size - len(data), 1 << 16))
        if not part:
            raise ValueError("the client hung up")
        data += part
    return json.loads(data), streams


def _answer(client: socket.socket, answer: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the client has gone
        client.sendall(json.dumps(answer).encode() + b"\n")


def _import_quietly(names: Sequence[str]) -> None:
    """Import what can be imported; what modules print meanwhile is nobody's output."""
    kept = [os.dup(1), os.dup(2)]
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        for name in names:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (*kept, silence):
            os.close(descriptor)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    become(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))

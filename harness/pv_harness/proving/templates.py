"""The templates of one proving run: started when they are wished for, ended with the run."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.measuring import template
from pv_harness.measuring.command import kill_group
from pv_harness.measuring.forked import (
    TEMPLATES_VARIABLE,
    start_forked,
    start_up_key,
    start_up_variables,
)
from pv_harness.measuring.launch import start_fresh


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pv_harness.measuring.launch import RunningProcess

_MOST = 4
"""Templates at once: each holds in memory what it has imported."""
_POLL_S = 0.02
_START_S = 60.0
_END_S = 10.0


class Templates:
    """The owner of a folder of templates.

    Args:
        folder: an empty folder with a short path, since sockets lie in it.
        preload: what each template imports before it forks.
    """

    def __init__(self, folder: Path, preload: Sequence[str]) -> None:
        self.folder = folder
        self._preload = tuple(preload)
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._real: list[RunningProcess] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        # Whoever holds this end keeps the templates alive: they end when we are killed.
        self._lifeline, self._our_end = os.pipe()
        # Pipes, as the streams of a check's command are: Python buffers by what they are. What
        # little a template says at its start stays in there.
        self._reading_end, self._unread = os.pipe()
        self._watcher = threading.Thread(target=self._grant_wishes, daemon=True)
        self._watcher.start()

    def variables(self) -> dict[str, str]:
        """What a check's process must know to have its own commands forked."""
        return {TEMPLATES_VARIABLE: str(self.folder)}

    def check_open(self) -> None:
        """Nothing, while proving goes on.

        Raises:
            InfrastructureError: it was stopped.
        """
        if self._closed.is_set():
            raise InfrastructureError("proving was stopped")

    def start(
        self, args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
    ) -> RunningProcess:
        """Run pytest in a fork, or in a new interpreter if a fork would not be the same."""
        self.check_open()
        self._ensure(start_up_key(environment), start_up_variables(environment), wait=True)
        words = [sys.executable, "-m", "pytest", *args]
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
            streams = [nothing.fileno(), output.fileno(), output.fileno()]
            forked = start_forked(
                self.folder, words, cwd=cwd, environment=environment, streams=streams
            )
        return forked or self.start_real(args, cwd, environment, output)

    def start_real(
        self, args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
    ) -> RunningProcess:
        """Run pytest in a new interpreter, which ends with this owner."""
        with self._lock:
            self.check_open()
            process = start_fresh(args, cwd, environment, output)
            self._real = [p for p in self._real if p.returncode is None]
            self._real.append(process)
        return process

    def close(self) -> None:
        """End every template, and with them whatever they have forked."""
        self._closed.set()
        with self._lock:
            for real in self._real:
                if real.returncode is None:
                    kill_group(real.pid)
            os.close(self._our_end)
            for key, process in self._started.items():
                # One that serves kills its forks and goes; one that still imports has none.
                if (self.folder / f"{key}.sock").exists():
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_END_S)
                process.kill()
                process.wait()
        self._watcher.join()
        for descriptor in (self._lifeline, self._reading_end, self._unread):
            os.close(descriptor)

    def _ensure(self, key: str, variables: Mapping[str, str], *, wait: bool) -> None:
        with self._lock:
            if (
                not self._closed.is_set()
                and key not in self._started
                and len(self._started) < _MOST
            ):
                self._started[key] = self._launch(key, variables)
            process = self._started.get(key)
        ready = self.folder / f"{key}.sock"
        deadline = time.monotonic() + _START_S
        while wait and process is not None and not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                return
            self._closed.wait(_POLL_S)

    def _launch(self, key: str, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [
                *(sys.executable, template.__file__, str(self.folder / f"{key}.sock")),
                *(str(self._lifeline), *self._preload),
            ],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=self._unread,
            stderr=self._unread,
            pass_fds=[self._lifeline],
            start_new_session=True,
        )

    def _grant_wishes(self) -> None:
        granted: set[Path] = set()
        while not self._closed.wait(_POLL_S):
            for wish in set(self.folder.glob("*.wish")) - granted:
                granted.add(wish)
                with contextlib.suppress(OSError, ValueError):
                    self._ensure(wish.stem, json.loads(wish.read_text()), wait=False)
            for wish in granted:
                process = self._started.get(wish.stem)
                if process is None or process.poll() is not None:
                    # Nobody need wait for it any longer.
                    wish.with_suffix(".gone").touch()

"""Starting pytest for a plan, in a process that knows nothing of the project yet."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.command import clean_environment
from pv_harness.measuring.devices import THREADS, available_cores, threads_per_worker
from pv_harness.measuring.plan import PLAN_VARIABLE
from pv_harness.measuring.running_checks import group_path


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.measuring.plan import Plan
    from pv_harness.measuring.record import CheckRecord

_PYTEST_OPTIONS = (
    "-q",
    # This plugin, also where the environment tells pytest to load none by itself.
    "-p",
    "pv",
    # pytest would rewrite the assertions of the subject too: what is measured is what is there.
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    # It imports hypothesis for its summary, a second that no check needs.
    "-p",
    "no:hypothesispytest",
    # What fails in a thread of a check would be no more than a warning.
    "-W",
    "error::pytest.PytestUnhandledThreadExceptionWarning",
)


class RunningProcess(Protocol):
    """What is asked of a process that runs pytest: it leads a process group of its own."""

    pid: int
    returncode: int | None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, or raise subprocess.TimeoutExpired."""
        ...


class Starter(Protocol):
    """A way to run `pytest.main(args)` in a process that knows nothing of the project yet."""

    def __call__(
        self, args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
    ) -> RunningProcess:
        """Start it; everything that it prints goes to `output`."""
        ...


def start_fresh(
    args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
) -> RunningProcess:
    """Run pytest in a new interpreter.

    Raises:
        InfrastructureError: it can't be started.
    """
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and planned node IDs
            [sys.executable, "-m", "pytest", *args],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise InfrastructureError(f"pytest can't be started: {error}") from error


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start pytest for a plan.

    Attributes:
        plan: what is judged.
        jobs: processes that share the checks.
        timeouts_s: planned node ID -> seconds that one check may take.
        environment: variables beyond those of this process.
        starter: how the process is made.
        enough: a record after which nothing more is asked: also of a check that still runs,
            which is killed then. No process that runs checks is told whether there is one.
        on_running: told every few hundredths of a second which checks run just now.
    """

    plan: Plan
    jobs: int = 1
    timeouts_s: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    starter: Starter = start_fresh
    enough: Callable[[CheckRecord], bool] | None = None
    on_running: Callable[[frozenset[str]], None] = lambda _: None


def start_pytest(nodes: Sequence[str], launch: Launch, output: IO[bytes]) -> RunningProcess:
    """Start pytest for these checks; its mark lies beside the records while it runs.

    Raises:
        InfrastructureError: it can't be started.
    """
    plan = launch.plan
    plan_file = plan.record_dir / "plan.json"
    plan.write(plan_file)
    roots = os.pathsep.join(str(root) for root in plan.source_roots)
    inherited = os.environ.get("PYTHONPATH")
    environment = {
        **clean_environment(),
        "PYTHONPATH": os.pathsep.join([roots, inherited]) if inherited else roots,
        PLAN_VARIABLE: str(plan_file),
        **launch.environment,
    }
    parallel: list[str] = []
    if launch.jobs > 1:
        parallel = ["-p", "xdist", "-n", str(launch.jobs), "--dist", "loadscope"]
        threads = threads_per_worker(available_cores(), launch.jobs)
        environment.setdefault(THREADS, str(threads))
    # In a copy the folders of `tmp_path` go with the records: pytest removes none of them if it
    # is killed. The name is short, since sockets may lie in there.
    temporary = [] if plan.in_place else ["--basetemp", str(plan.record_dir / "t")]
    where = ["--rootdir", str(plan.root), *temporary]
    args = [*_PYTEST_OPTIONS, *where, *parallel, *nodes]
    process = launch.starter(args, plan.root, environment, output)
    # Whoever cleans up after us, should we be killed, finds the group by this.
    group_path(plan.record_dir, process.pid).touch()
    return process

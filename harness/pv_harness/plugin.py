"""The pytest plugin: the marker `falsifies`, and the fixtures that checks measure with.

measure          report a number, which the contract judges
record_series    keep a curve for people to look at
seed             the seed to use, one after another of those that the contract lists
cli, shared_cli  run a command, recorded
reached          which entry points were reached
inputs           the parts of a declared input

A check measures; this plugin holds what it measured against the bounds of its falsifier, fails
it where one is broken, and writes one record per check. Under `pv run` the plan says what is
judged and where records go. Under a plain `pytest` it makes the plan from the project's
contracts, and prints the scoreboard in the summary.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.errors import PvError
from pv_harness.measuring.blame import subject_place
from pv_harness.measuring.command import CommandTimeoutError
from pv_harness.measuring.devices import VISIBLE, Slot
from pv_harness.measuring.exit_status import exit_code_of, write_exit
from pv_harness.measuring.forked import take_templates
from pv_harness.measuring.plan import PLAN_VARIABLE, read_plan
from pv_harness.measuring.record import write_collected
from pv_harness.measuring.session import CheckSession, Reached


if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from pv_harness.measuring.command import CompletedCommand
    from pv_harness.measuring.plan import Plan

MARKER = "falsifies"
_SESSION = pytest.StashKey[CheckSession]()
_OWN_PLAN = pytest.StashKey[bool]()
_SLOT = pytest.StashKey[Slot]()
_COLLECTED = pytest.StashKey[list[pytest.Item]]()
_LAST_DOWN = pytest.StashKey[int | None]()
_WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
_NO_ASYNC = "async def functions are not natively supported"
"""How pytest begins to say that a check was not run at all, though it calls that a failure."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Take the plan of a runner if there is one, before any code of the project runs."""
    file = os.environ.get(PLAN_VARIABLE)
    if file:
        take_templates()
        plan = read_plan(Path(file))
        if plan.devices is not None and _WORKER_VARIABLE in os.environ:
            _take_device(early_config, plan)
        _begin(early_config, plan)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", f'{MARKER}("ID"): this check tries to refute the falsifier with that ID'
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a check that asks for `seed` once with each seed that its contract lists."""
    falsifier_id = falsifier_of(metafunc.definition)
    if falsifier_id is None or "seed" not in metafunc.fixturenames:
        return
    target = _session_of(metafunc.config).plan.targets.get(falsifier_id)
    if target is not None and target.seeds is not None:
        values = target.seeds.values
        # Fixtures of any scope may ask for it: a training that several checks look at.
        names = [f"seed{value}" for value in values]
        metafunc.parametrize("seed", values, ids=names, scope="session")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take in one item at once: the project's own hooks can leave any out later."""
    item.config.stash.setdefault(_COLLECTED, []).append(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config) -> Generator[None, object, object]:
    """Note what was collected before anything is deselected, so that what is left out shows.

    Where checks run without a runner, make the plan from the project's contracts.
    """
    items = config.stash.get(_COLLECTED, [])
    checks = [item.nodeid for item in items if falsifier_of(item)]
    if checks:
        write_collected(_session_of(config).plan.record_dir, checks)
    return (yield)


def falsifier_of(item: pytest.Item | pytest.Collector) -> str | None:
    """The ID that a check is bound to, or None for an ordinary test."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return None
    if len(marker.args) != 1 or not isinstance(marker.args[0], str):
        raise pytest.UsageError(f"{item.nodeid}: the marker falsifies takes one ID, a string")
    return marker.args[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record everything from the set-up of a check to its teardown."""
    session = item.config.stash.get(_SESSION, None)
    falsifier_id = falsifier_of(item)
    if session is None or falsifier_id is None:
        return (yield)
    session.begin(item.nodeid, falsifier_id, _fixtures_of(item), _seed_of(item))
    try:
        return (yield)
    finally:
        session.end()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop a check that can't be judged: an unknown falsifier, an absent device, no seed."""
    session = item.config.stash.get(_SESSION, None)
    if session is None or session.current is None:
        return
    current = session.current
    if current.target is None:
        pytest.fail(f"{current.falsifier_id} is declared in no contract", pytrace=False)
    if current.target.blocked:
        current.blocked = current.target.blocked
        pytest.skip(f"BLOCKED({current.target.blocked})")
    if current.target.seeds is not None and current.seed is None:
        what = "the contract lists seeds, and the check does not ask for the fixture `seed`"
        pytest.fail(f"[{current.falsifier_id}] {what}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the measurements once the check's body has ended, and note every phase."""
    report = yield
    session = item.config.stash.get(_SESSION, None)
    if session is None or session.current is None:
        return report
    text = _text_of(report, call)
    asserted = call.excinfo is not None and call.excinfo.errisinstance(
        (AssertionError, pytest.fail.Exception)
    )
    trace = call.excinfo.tb if call.excinfo is not None and asserted else None
    place = subject_place(trace, item.path, session.plan)
    if place is not None:
        text = f"{place}: an assertion of the subject, not of the check, failed: {text}"
    refuted = asserted and place is None and not text.startswith(f"Failed: {_NO_ASYNC}")
    if report.when == "call":
        broken = session.current.broken_bounds()
        verdict = "\n".join(f"[{session.current.falsifier_id}] {j}" for j in broken)
        if broken and report.passed:
            report.outcome, report.longrepr, text = "failed", verdict, verdict
        elif broken:
            text = f"{verdict}\n{text}"
    timed_out = call.excinfo is not None and _is_timeout(call.excinfo.value)
    session.current.note_phase(
        report.when, report.outcome, text, refuted=refuted, timed_out=timed_out
    )
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Learn how a worker of xdist ended that died: the check that it ran comes next."""
    node.config.stash[_LAST_DOWN] = exit_code_of(node) if error else None


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, sched: Any) -> None:
    """Note for the runner how the process of this check ended."""
    session = sched.config.stash.get(_SESSION, None)
    code = sched.config.stash.get(_LAST_DOWN, None)
    if session is not None and code is not None:
        write_exit(session.plan.record_dir, crashitem, code)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the scoreboard after a plain pytest run."""
    if config.stash.get(_OWN_PLAN, False):
        from pv_harness.workflow.plain_session import render_own_scoreboard  # noqa: PLC0415

        session = config.stash[_SESSION]
        width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest has no public name for it
        terminalreporter.section("scoreboard")
        terminalreporter.write_line(render_own_scoreboard(session.plan, width))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Know which fixture is being set up, so that what it runs counts for its users alone."""
    session = request.config.stash.get(_SESSION, None)
    if session is None:
        return (yield)
    with session.setting_up(_fixture_key(fixturedef)):
        return (yield)


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`measure(metric, value, unit=None, samples=None)`: report one number, bool or string.

    The bound stands in the contract; a value outside it fails the check after its body has
    ended, so that everything else is still measured.
    """
    return _current_session(request).measure


@pytest.fixture
def record_series(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`record_series(name, x, y, x_unit=None, unit=None)`: keep a curve, a loss by step say.

    People look at it; it is never judged. Long curves are thinned, their spikes kept.
    """
    return _current_session(request).record_series


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed that this run of the check is to use, one of those that its contract lists."""
    session = request.config.stash.get(_SESSION, None)
    current = session.current if session else None
    name = f"[{current.falsifier_id}] " if current else ""
    raise pytest.UsageError(f"{name}asks for `seed`, and its contract lists no `seeds`")


@pytest.fixture
def reached(request: pytest.FixtureRequest) -> Reached:
    """Entry points that this check has reached so far: `"pkg.cli:train" in reached`."""
    return Reached(_current_session(request))


@pytest.fixture
def cli(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., CompletedCommand]:
    """`cli("apr", "pretrain", ..., timeout_s=..., env=..., cwd=...)`: run a command, recorded.

    It runs in a process of its own, in a fresh folder unless `cwd` says otherwise.
    """
    session = _current_session(request)

    def run(*args: str | Path, **options: Any) -> CompletedCommand:
        options.setdefault("cwd", tmp_path)
        return session.run(tuple(str(a) for a in args), **options)

    return run


@pytest.fixture(scope="session")
def inputs(request: pytest.FixtureRequest) -> Callable[[str], Mapping[str, Path]]:
    """`inputs("embedded")["checkpoint"]`: the parts of a declared input, as paths."""
    session = request.config.stash[_SESSION]
    return session.input_parts


@pytest.fixture(scope="session")
def shared_cli(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., CompletedCommand]:
    """Like `cli`, for a fixture that several checks share: what it reaches counts for each."""
    session = request.config.stash[_SESSION]

    def run(*args: str | Path, **options: Any) -> CompletedCommand:
        options.setdefault("cwd", tmp_path_factory.mktemp("shared"))
        return session.run_shared(tuple(str(a) for a in args), **options)

    return run


def _fixture_key(fixturedef: pytest.FixtureDef[Any]) -> str:
    return f"{fixturedef.baseid}::{fixturedef.argname}"


def _fixtures_of(item: pytest.Item) -> list[str]:
    """The fixtures that a check uses, each with where it is defined: names alone collide."""
    definitions = getattr(item, "_fixtureinfo", None)
    found = definitions.name2fixturedefs.values() if definitions is not None else ()
    return [_fixture_key(definition) for several in found for definition in several]


def _seed_of(item: pytest.Item) -> int | None:
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get("seed") if callspec is not None else None
    return value if isinstance(value, int) else None


def _begin(config: pytest.Config, plan: Plan) -> None:
    config.stash[_SESSION] = CheckSession(plan, time.monotonic)


def _take_device(config: pytest.Config, plan: Plan) -> None:
    """See the one GPU that is this worker's; none, if the plan has none for each."""
    visible = ""
    if plan.devices:
        config.stash[_SLOT] = slot = Slot(plan.record_dir, len(plan.devices))
        visible = plan.devices[slot.number]
    os.environ[VISIBLE] = visible


def _session_of(config: pytest.Config) -> CheckSession:
    """The session of this process; without a runner its plan is made from the contracts."""
    if _SESSION not in config.stash:
        from pv_harness.workflow.plain_session import make_own_plan  # noqa: PLC0415 - plain pytest only

        config.stash[_OWN_PLAN] = True
        folder = Path(tempfile.mkdtemp(prefix="pv-records-"))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        try:
            _begin(config, make_own_plan(config.rootpath, folder))
        except PvError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[_SESSION]


def _is_timeout(error: BaseException | None) -> bool:
    """True for a command's time limit, also where a check has wrapped it in an error."""
    while error is not None:
        if isinstance(error, CommandTimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _current_session(request: pytest.FixtureRequest) -> CheckSession:
    session = request.config.stash.get(_SESSION, None)
    if session is None or session.current is None:
        raise pytest.UsageError(
            f"{request.node.nodeid}: the fixtures of pv need the marker falsifies(ID)"
        )
    return session


def _text_of(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    """What happened, the exception itself on the first line and its context below."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[-1])
    headline = call.excinfo.exconly() if call.excinfo is not None else ""
    if call.excinfo is not None and headline == "AssertionError":
        # A bare `assert`: what it asserted says more than that it did.
        statement = str(call.excinfo.traceback[-1].statement).strip()
        headline = f"AssertionError: {statement.splitlines()[0]}" if statement else headline
    return f"{headline}\n{report.longrepr or ''}".strip()

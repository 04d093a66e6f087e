"""The pytest plugin: marker `falsifies`, fixtures `measure`, `reached`, `cli`, `inputs`.

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


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and take the plan of a runner if there is one."""
    config.addinivalue_line(
        "markers", f'{MARKER}("ID"): this check tries to refute the falsifier with that ID'
    )
    file = os.environ.get(PLAN_VARIABLE)
    if file:
        _begin(config, read_plan(Path(file)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note what was collected before anything is deselected, so that what is left out shows.

    Where checks run without a runner, make the plan from the project's contracts.
    """
    checks = [item.nodeid for item in items if falsifier_of(item)]
    if checks and _SESSION not in config.stash:
        from pv_harness.measuring.plain_session import make_own_plan  # noqa: PLC0415 - plain pytest only

        config.stash[_OWN_PLAN] = True
        folder = Path(tempfile.mkdtemp(prefix="pv-records-"))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        try:
            _begin(config, make_own_plan(config.rootpath, folder))
        except PvError as error:
            raise pytest.UsageError(str(error)) from error
    if checks:
        write_collected(config.stash[_SESSION].plan.record_dir, checks)


def falsifier_of(item: pytest.Item) -> str | None:
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
    session.begin(item.nodeid, falsifier_id, _fixtures_of(item))
    try:
        return (yield)
    finally:
        session.end()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop a check that can't be judged: an unknown falsifier, a device that is absent."""
    session = item.config.stash.get(_SESSION, None)
    if session is None or session.current is None:
        return
    current = session.current
    if current.target is None:
        pytest.fail(f"{current.falsifier_id} is declared in no contract", pytrace=False)
    if current.target.blocked:
        current.blocked = current.target.blocked
        pytest.skip(f"BLOCKED({current.target.blocked})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the measurements once the check's body has ended, and note every phase."""
    report = yield
    session = item.config.stash.get(_SESSION, None)
    if session is None or session.current is None:
        return report
    refuted = call.excinfo is not None and call.excinfo.errisinstance(
        (AssertionError, pytest.fail.Exception)
    )
    text = _text_of(report, call)
    if report.when == "call":
        broken = session.current.broken_bounds()
        verdict = "\n".join(f"[{session.current.falsifier_id}] {j}" for j in broken)
        if broken and report.passed:
            report.outcome, report.longrepr, text = "failed", verdict, verdict
        elif broken:
            text = f"{verdict}\n{text}"
    session.current.note_phase(report.when, report.outcome, text, refuted=refuted)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the scoreboard after a plain pytest run."""
    if config.stash.get(_OWN_PLAN, False):
        from pv_harness.measuring.plain_session import render_own_scoreboard  # noqa: PLC0415

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


def _begin(config: pytest.Config, plan: Plan) -> None:
    config.stash[_SESSION] = CheckSession(plan, time.monotonic)


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
    return f"{headline}\n{report.longrepr or ''}".strip()

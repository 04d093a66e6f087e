"""The line that says how far a run has come."""

from __future__ import annotations

import io

from hypothesis import given, strategies as st

from pv_harness.commands.progress import Phase, Reporter, render_line
from pv_harness.evidence.records import PatchOutcome, PatchRecord
from pv_harness.fingerprint.manifest import Manifest
from pv_harness.measuring.record import CheckRecord, Outcome


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def passed(node: str, outcome: Outcome = Outcome.PASSED) -> CheckRecord:
    return CheckRecord(node, "FALSIFY-A-001", outcome, duration_s=2.0)


def test_the_line_says_how_far_how_long_and_what_runs() -> None:
    phase = Phase(
        "checks",
        planned=3,
        jobs=1,
        expected={"a": 10.0, "b": 20.0, "c": 30.0},
        done={"a"},
        not_green=1,
        running={"b": 10.0},
    )
    assert render_line(phase, 15.0, 80) == (
        "checks 1/3 · 1 not green · 15s, about 45s left · running b"
    )


def test_nothing_is_promised_where_nothing_is_known() -> None:
    assert render_line(Phase("checks", planned=2), 3.0, 80) == "checks 0/2 · 3s"


def test_what_was_done_so_far_is_the_measure_of_what_is_new() -> None:
    phase = Phase("checks", planned=5, done={"a", "b"}, took_s=120.0, jobs=3)
    assert render_line(phase, 4000.0, 80) == "checks 2/5 · 1h06m, about 1m00s left"


@given(
    st.integers(0, 60),
    st.dictionaries(st.text(max_size=8), st.floats(0, 1e6)),
    st.sets(st.text(max_size=8)),
    st.dictionaries(st.text(max_size=30), st.floats(0, 1e6)),
    st.integers(1, 200),
)
def test_the_line_fits_and_never_promises_less_than_nothing(
    planned: int,
    expected: dict[str, float],
    done: set[str],
    running: dict[str, float],
    width: int,
) -> None:
    phase = Phase("checks", planned=planned, expected=expected, done=done, running=running)
    line = render_line(phase, 1e6, width)
    assert len(line) <= width
    assert line.isprintable()
    left_s = phase.seconds_left(1e6)
    assert left_s is None or left_s >= 0


def test_a_node_id_can_not_drive_the_terminal() -> None:
    phase = Phase("checks", planned=1, running={"t.py::test_x\x1b[2J": 0.0})
    assert "\x1b" not in render_line(phase, 1.0, 80)


def test_on_a_terminal_only_what_is_not_green_stays() -> None:
    stream = Terminal()
    with Reporter(stream, clock=lambda: 0.0) as reporter:
        reporter.expect({"a": 1.0}, 2)
        reporter.plan("checks", 2)
        reporter.running(frozenset({"t.py::a[1]", "t.py::a[2]"}))
        reporter.check(passed("t.py::a"))
        reporter.check(passed("t.py::b", Outcome.FAILED))
        reporter.plan("planted changes", 1)
    stays = [line.rpartition("\033[K")[2] for line in stream.getvalue().split("\n")]
    assert stays == [
        "FALSIFY-A-001 failed 2.0s",
        "checks: 2 of 2 in 0s",
        "planted changes: 0 of 1 in 0s",
        "",
    ]


def test_what_is_expected_of_a_phase_is_said_before_it_begins() -> None:
    stream = Terminal()
    with Reporter(stream, clock=lambda: 0.0) as reporter:
        reporter.expect({"a": 30.0, "b": 50.0}, 2)
        reporter.plan("checks", 2)
        reporter.check(passed("b", Outcome.ERROR))
        reporter.plan("planted changes", 1)
        reporter.check(passed("c", Outcome.ERROR))
    lines = [line.split("\r\033[K") for line in stream.getvalue().split("\n")]
    assert "checks 1/2 · 1 not green · 0s, about 15s left" in lines[1]
    assert "planted changes 1/1 · 1 not green · 0s" in lines[3]


def test_elsewhere_each_result_is_a_line() -> None:
    stream = io.StringIO()
    patch = PatchRecord("FALSIFY-A-001", "minus", "d", PatchOutcome.KILLED, Manifest(()))
    with Reporter(stream) as reporter:
        reporter.plan("checks", 2)
        reporter.check(passed("t.py::a[1]"))
        reporter.check(passed("t.py::a[2]"))
        reporter.plan("planted changes", 1)
        reporter.patch(patch)
    assert stream.getvalue().splitlines() == [
        "checks: 2",
        "[1/2] FALSIFY-A-001 passed 2.0s",
        "[1/2] FALSIFY-A-001 passed 2.0s",
        "planted changes: 1",
        "[1/1] FALSIFY-A-001 minus: KILLED 0.0s",
    ]

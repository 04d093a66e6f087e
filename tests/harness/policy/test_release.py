from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import Level
from pv_harness.documents.loading import load
from pv_harness.exit_code import ExitCode
from pv_harness.policy.policy import Requirement
from pv_harness.policy.release import Release, ReleaseStanding, Step, StepState, assess_release
from pv_harness.policy.release_reading import read_release
from pv_harness.policy.release_report import (
    render_release_json,
    render_release_markdown,
    render_release_text,
)


if TYPE_CHECKING:
    from tests.harness.policy.conftest import Build

    from pv_harness.board.scoreboard import Row

VALID = """\
apiVersion: pv/v1
kind: release
id: r
version: 1.0.0
metadata: {title: t}
requires:
- {falsifier: FALSIFY-A-*, level: ceiling}
steps:
- {id: a, title: t, falsifiers: [FALSIFY-A-001], command: make a}
- {id: b, title: t, falsifiers: [FALSIFY-A-002], command: make b, needs: [a]}
"""


def problems_of(text: str) -> list[str]:
    release, problems = read_release(load(text.encode(), "contracts/r.yaml"))
    assert (release is None) is bool(problems)
    return [str(problem).removeprefix("contracts/r.yaml:") for problem in problems]


def release(
    requires: dict[str, str | None], steps: dict[str, tuple[str, ...]] | None = None
) -> Release:
    """Requirements by pattern, and steps with what they need; step x rests on FALSIFY-X-001."""
    return Release(
        "r",
        "1.0.0",
        "t",
        "contracts/r.yaml",
        tuple(Requirement(p, Level(w) if w else None) for p, w in requires.items()),
        tuple(
            Step(
                name,
                f"title of {name}",
                (f"FALSIFY-{name.upper()}-001",),
                f"make {name}",
                needs,
            )
            for name, needs in (steps or {"a": ()}).items()
        ),
    )


def states(standing: ReleaseStanding) -> str:
    return " ".join(f"{s.step.id}:{s.state.value}" for s in standing.steps)


def rows(build: Build, **levels: str) -> list[Row]:
    return [
        build.row(*([build.run(level)] if level else []), name=f"FALSIFY-{name.upper()}-001")
        for name, level in levels.items()
    ]


def test_a_valid_file_has_no_problem_and_is_read_whole() -> None:
    read, problems = read_release(load(VALID.encode(), "contracts/r.yaml"))
    assert problems == ()
    assert read is not None
    assert read.requires == (Requirement("FALSIFY-A-*"),)
    assert [(s.id, s.needs, s.command) for s in read.steps] == [
        ("a", (), "make a"),
        ("b", ("a",), "make b"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: r\n", "id: s\n", ["3:5: PV020 id is 's'; it should be the file's stem, 'r'"]),
        (
            "needs: [a]",
            "needs: [c]",
            ["10:75: PV071 the step 'b' needs 'c', which is no step"],
        ),
        ("id: b", "id: a", ["10:8: PV070 the step 'a' is given twice; first at line 9"]),
        (
            "command: make a",
            "needs: [b], command: make a",
            ["9:57: PV072 steps wait for each other: a needs b needs a"],
        ),
        ("needs: [a]", "needs: [b]", ["10:74: PV072 steps wait for each other: b needs b"]),
        ("[FALSIFY-A-001]", "[]", ["9:33: PV010 steps[0].falsifiers is a list of 0"]),
        (
            "metadata: {title: t}",
            "metadata: {title: t, status: DONE}",
            [
                (
                    "5:22: PV023 metadata.status types a status by hand; statuses are derived, "
                    "remove the key"
                )
            ],
        ),
        (
            "command: make b",
            "comand: make b",
            ["10:50: PV011 steps[1].comand is an unknown key; did you mean 'command'?"],
        ),
        ("requires:", "requires: []\nrequired:", ["6:11: PV010 requires is a list of 0"]),
    ],
)
def test_every_problem_has_its_place(old: str, new: str, expected: list[str]) -> None:
    assert VALID.count(old) == 1
    found = problems_of(VALID.replace(old, new))
    for problem in expected:
        assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize("value", ["[]", "5", "{kind: release, steps: 3, requires: {a: b}}"])
def test_what_is_no_release_is_a_problem_and_no_crash(value: str) -> None:
    assert problems_of(value)


def test_a_long_chain_and_a_large_circle_are_judged_in_no_time() -> None:
    lines = [
        f"- {{id: s{i}, title: t, falsifiers: [A], command: c, needs: [s{i + 1}]}}"
        for i in range(3000)
    ]
    head = VALID.partition("- {id: a")[0]
    last = "- {id: s3000, title: t, falsifiers: [A], command: c}\n"
    text = "\n".join([head.rstrip("\n"), *lines, last])
    read, problems = read_release(load(text.encode(), "contracts/r.yaml"))
    assert problems == ()
    assert read is not None
    assert assess_release(read, []).steps[-1].state is StepState.NEXT
    circle = text.replace("command: c}", "command: c, needs: [s0]}")
    assert problems_of(circle)[0].startswith("9:")


def test_the_fraction_counts_each_falsifier_once_and_what_is_not_written_as_missing(
    build: Build,
) -> None:
    board = [
        *rows(build, a="INTEGRATION", b="PARTIAL"),
        build.row(name="FALSIFY-C-001", counted=False),
    ]
    standing = assess_release(
        release({"*": None, "FALSIFY-A-*": "PARTIAL", "FALSIFY-X-001": None, "later-v1": None}),
        board,
    )
    assert [need.name for need in standing.needs] == [
        "FALSIFY-A-001",
        "FALSIFY-B-001",
        "FALSIFY-X-001",
        "later-v1",
    ]
    assert (len(standing.met), len(standing.needs), standing.percent) == (1, 4, 25)
    assert [need.name for need in standing.missing] == ["FALSIFY-X-001", "later-v1"]
    assert standing.needs[1].why == "PARTIAL is below INTEGRATION: a.cli:main was not reached"


def test_of_several_entries_for_one_falsifier_the_strictest_counts(build: Build) -> None:
    for requires in ({"*": "PARTIAL", "a-v1": None}, {"a-v1": None, "*": "PARTIAL"}):
        standing = assess_release(release(requires), rows(build, a="PARTIAL"))
        assert [need.required for need in standing.needs] == [Level.INTEGRATION]


def test_a_lowered_ceiling_does_not_lower_what_a_release_needs(build: Build) -> None:
    board = [build.row(build.run("PARTIAL"), name="FALSIFY-A-001", ceiling="PARTIAL")]
    standing = assess_release(release({"FALSIFY-A-001": "INTEGRATION"}), board)
    assert standing.needs[0].why == "PARTIAL is below INTEGRATION: its ceiling is PARTIAL"
    assert standing.exit_code is ExitCode.DENIED


def test_a_name_that_is_almost_another_asks_what_was_meant(build: Build) -> None:
    board = [build.row(name="FALSIFY-APR-PRETRAIN-INIT-007")]
    standing = assess_release(release({"FALSIFY-APR-PRETRIAN-INIT-007": None}), board)
    assert standing.needs[0].why == (
        "no contract declares it yet; did you mean FALSIFY-APR-PRETRAIN-INIT-007?"
    )


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ("", "a:next b:blocked c:blocked d:ready"),
        ("a", "a:done b:next c:blocked d:ready"),
        ("ab", "a:done b:done c:next d:ready"),
        ("b", "a:next b:blocked c:blocked d:ready"),
        ("abcd", "a:done b:done c:done d:done"),
    ],
)
def test_the_first_step_whose_prerequisites_are_done_is_next(
    build: Build, done: str, expected: str
) -> None:
    board = rows(build, **{name: "INTEGRATION" if name in done else "" for name in "abcd"})
    steps: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("a", "b"), "d": ()}
    assert states(assess_release(release({"*": None}, steps), board)) == expected


def test_prerequisites_may_stand_below_what_needs_them(build: Build) -> None:
    board = rows(build, a="INTEGRATION", b="INTEGRATION")
    steps: dict[str, tuple[str, ...]] = {"a": ("b",), "b": ()}
    assert states(assess_release(release({"*": None}, steps), board)) == "a:done b:done"


@pytest.mark.parametrize(
    ("levels", "requires", "code"),
    [
        ({"a": "INTEGRATION"}, {"*": None}, 0),
        ({"a": "PARTIAL"}, {"*": None}, 1),
        ({"a": ""}, {"*": None}, 3),
        ({"a": "INTEGRATION"}, {"*": None, "later-v1": None}, 3),
        ({"a": "INTEGRATION"}, {"*": None, "later-v1": "PARTIAL"}, 3),
        ({"b": "INTEGRATION"}, {"*": None}, 3),
        ({"a": "PARTIAL", "b": ""}, {"*": None}, 1),
    ],
)
def test_the_exit_code_is_that_of_what_is_not_met(
    build: Build, levels: dict[str, str], requires: dict[str, str | None], code: int
) -> None:
    assert assess_release(release(requires), rows(build, **levels)).exit_code == code


GRAPHS = st.integers(1, 6).flatmap(
    lambda count: st.fixed_dictionaries(
        {
            f"s{i}": st.lists(
                st.sampled_from([f"s{j}" for j in range(i)]), unique=True, max_size=3
            ).map(tuple)
            if i
            else st.just(())
            for i in range(count)
        }
    )
)


@given(steps=GRAPHS, shown=st.sets(st.integers(0, 5)))
def test_steps_stand_as_their_prerequisites_and_falsifiers_say(
    build: Build, steps: dict[str, tuple[str, ...]], shown: set[int]
) -> None:
    board = rows(build, **{f"s{i}": "INTEGRATION" if i in shown else "" for i in range(6)})
    standing = assess_release(release({"*": None}, steps), board)
    done = {s.step.id for s in standing.steps if s.state is StepState.DONE}
    for s in standing.steps:
        assert (s.step.id in done) is (done.issuperset(s.step.needs) and not s.open_needs)
        assert (s.state is StepState.BLOCKED) is bool(s.open_steps)
    following = [s for s in standing.steps if s.state in {StepState.NEXT, StepState.READY}]
    assert [s.state for s in following][:1] in ([], [StepState.NEXT])
    assert (standing.next_step is None) is (len(done) == len(steps))


@given(shown=st.sets(st.sampled_from("abcd")), more=st.sampled_from("abcd"))
def test_more_evidence_never_lowers_the_fraction_or_undoes_a_step(
    build: Build, shown: set[str], more: str
) -> None:
    steps: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}
    asked = release({"*": None}, steps)

    def at(names: set[str]) -> ReleaseStanding:
        return assess_release(
            asked, rows(build, **{n: "INTEGRATION" if n in names else "" for n in "abcd"})
        )

    before, after = at(shown), at(shown | {more})
    assert len(before.met) <= len(after.met)
    done = [{s.step.id for s in x.steps if s.state is StepState.DONE} for x in (before, after)]
    assert done[0] <= done[1]


def test_the_text_says_fraction_next_step_and_why_others_wait(build: Build) -> None:
    steps: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",)}
    standing = assess_release(
        release({"*": None, "later-v1": None}, steps), rows(build, a="PARTIAL", b="INTEGRATION")
    )
    assert render_release_text(standing, width=80) == (
        "r 1.0.0: t\n"
        "\n"
        "  next     a  title of a\n"
        "           ↳ PARTIAL is below INTEGRATION: a.cli:main was not reached:\n"
        "             FALSIFY-A-001\n"
        "           → make a\n"
        "  blocked  b  title of b\n"
        "           ↳ needs a\n"
        "\n"
        "not met: 2 of 3\n"
        "  PARTIAL is below INTEGRATION: a.cli:main was not reached (1):\n"
        "      FALSIFY-A-001\n"
        "  no contract declares it yet (1): later-v1\n"
        "\n"
        "1 of 3 requirements met (33 %) · 1 of them not written yet · 0 of 2 steps done\n"
        "next: a, title of a: make a\n"
    )


def test_the_markdown_has_a_row_for_every_requirement(build: Build) -> None:
    asked = release(
        {"FALSIFY-A-*": "PARTIAL", "FALSIFY-B-*": None, "late": None, "next": "DISCHARGED"}
    )
    standing = assess_release(asked, rows(build, a="PARTIAL", b="PARTIAL"))
    shown = render_release_markdown(standing).partition("## Requirements\n\n")[2]
    assert shown.replace("\\", "").splitlines() == [
        "| requirement | asked | met | why not |",
        "|---|---|---|---|",
        "| FALSIFY-A-001 | PARTIAL | yes |  |",
        (
            "| FALSIFY-B-001 | INTEGRATION | no | PARTIAL is below INTEGRATION: a.cli:main was "
            "not reached |"
        ),
        "| late | ceiling | no | no contract declares it yet |",
        "| next | DISCHARGED | no | no contract declares it yet |",
    ]


def test_the_json_has_the_counts_and_every_requirement(build: Build) -> None:
    standing = assess_release(release({"*": None, "later-v1": None}), rows(build, a="PARTIAL"))
    document: dict[str, Any] = json.loads(render_release_json(standing, derived="now"))
    assert document["counts"] == {"met": 0, "required": 2, "percent": 0, "not_written": 1}
    assert (document["next_step"], document["exit_code"]) == ("a", 1)
    assert [r["written"] for r in document["requirements"]] == [True, False]
    assert document["steps"][0]["state"] == "next"


def test_hostile_text_stays_text_in_markdown_and_on_a_terminal(build: Build) -> None:
    evil = "<script>alert(1)</script> | `x` \x1b[31m \u202e"
    asked = Release(
        "r", "1.0.0", evil, "r.yaml", (Requirement(evil),), (Step("a", evil, (evil,), evil),)
    )
    standing = assess_release(asked, [])
    shown = render_release_markdown(standing)
    assert "<script" not in shown
    assert "| `x`" not in shown
    text = render_release_text(standing, width=80)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert build.now_s

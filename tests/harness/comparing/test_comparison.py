"""Where statuses went, which falsifiers came and went, and what the versions should be."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.comparison_markdown import render_markdown
from pv_harness.board.comparison_text import render_text
from pv_harness.comparing.change import Effect
from pv_harness.comparing.comparison import Comparison, compare_documents
from pv_harness.comparing.json_document import render_json
from pv_harness.comparing.standing import Course
from pv_harness.comparing.versions import Step, next_version
from pv_harness.errors import UsageError
from pv_harness.insight.schemas import find_schema, list_schemas


Make = Callable[..., dict[str, Any]]
A, B = "FALSIFY-X-001", "FALSIFY-X-002"
HOSTILE = "<script>alert(1)</script> | `x` \x1b[31m\n# \u202e&"


@pytest.mark.parametrize(
    ("old", "new", "course", "regression"),
    [
        ("PARTIAL", "DISCHARGED", Course.PROMOTED, False),
        ("NOT_RUN", "PARTIAL", Course.PROMOTED, False),
        ("FAILED", "PARTIAL", Course.PROMOTED, False),
        ("STALE", "PARTIAL", Course.PROMOTED, False),
        ("DISCHARGED", "PARTIAL", Course.DEMOTED, True),
        ("PARTIAL", "NOT_RUN", Course.DEMOTED, True),
        ("PARTIAL", "BLOCKED", Course.DEMOTED, True),
        ("PARTIAL", "STALE", Course.NEWLY_STALE, True),
        ("NOT_RUN", "STALE", Course.NEWLY_STALE, False),
        ("FAILED", "STALE", Course.NEWLY_STALE, False),
        ("PARTIAL", "FAILED", Course.NEWLY_FAILED, True),
        ("PARTIAL", "VACUOUS", Course.NEWLY_FAILED, True),
        ("PARTIAL", "FLAKY", Course.NEWLY_FAILED, True),
        ("PARTIAL", "ERROR", Course.NEWLY_FAILED, True),
        ("NOT_RUN", "FAILED", Course.NEWLY_FAILED, True),
        ("FAILED", "VACUOUS", Course.SHIFTED, False),
        ("FAILED", "NOT_RUN", Course.SHIFTED, False),
        ("NOT_RUN", "BLOCKED", Course.SHIFTED, False),
        ("PARTIAL", "WAIVED", Course.DEMOTED, True),
    ],
)
def test_a_status_goes_somewhere(
    scoreboard: Make, old: str, new: str, course: Course, *, regression: bool
) -> None:
    (move,) = compare_documents(scoreboard({A: old}), scoreboard({A: new})).moves
    assert (move.course, move.is_regression) == (course, regression)


@pytest.mark.parametrize("status", ["PARTIAL", "STALE", "FAILED", "NOT_RUN"])
def test_a_status_that_stays_is_no_move(scoreboard: Make, status: str) -> None:
    assert compare_documents(scoreboard({A: status}), scoreboard({A: status})).is_empty


def test_a_new_falsifier_is_added_and_a_red_one_is_a_new_failure(scoreboard: Make) -> None:
    old = scoreboard({A: "PARTIAL"})
    good = compare_documents(old, scoreboard({A: "PARTIAL", B: "PARTIAL"}))
    assert [change.falsifier for change in good.added] == [B]
    assert good.moves == ()
    bad = compare_documents(old, scoreboard({A: "PARTIAL", B: "FAILED"}))
    assert [move.falsifier for move in bad.regressions] == [B]


def test_a_falsifier_that_is_gone_is_removed(scoreboard: Make) -> None:
    found = compare_documents(
        scoreboard({A: "PARTIAL", B: "FAILED"}), scoreboard({A: "PARTIAL"})
    )
    assert [str(change.difference) for change in found.removed] == [
        f"falsifier removed: rule of {B}"
    ]
    assert found.moves == ()
    assert found.claims == (2, 1)


def edited(document: dict[str, Any], **parts: object) -> dict[str, Any]:
    document = copy.deepcopy(document)
    document["falsifiers"][0].update(parts)
    return document


@pytest.mark.parametrize(
    ("parts", "step", "suggested"),
    [
        ({"counted": False}, Step.MAJOR, "2.0.0"),
        ({"covers": ["m", "n"]}, Step.MINOR, "1.3.0"),
        ({"prediction": "q"}, Step.PATCH, "1.2.4"),
        (
            {"controls": [{"id": "c", "digest": "0" * 64, "file": "m.py", "note": None}]},
            Step.PATCH,
            "1.2.4",
        ),
    ],
)
def test_the_version_step_follows_the_gravest_change(
    scoreboard: Make, parts: dict[str, object], step: Step, suggested: str
) -> None:
    old = scoreboard({A: "PARTIAL", B: "PARTIAL"})
    (advice,) = compare_documents(old, edited(old, **parts)).versions
    assert (advice.step, advice.suggested, advice.is_enough) == (step, suggested, False)
    raised = edited(scoreboard({A: "PARTIAL", B: "PARTIAL"}, version=suggested), **parts)
    (advice,) = compare_documents(old, raised).versions
    assert advice.is_enough


def test_a_removed_falsifier_asks_for_a_major_step_and_a_new_one_for_a_minor(
    scoreboard: Make,
) -> None:
    one, two = scoreboard({A: "PARTIAL"}), scoreboard({A: "PARTIAL", B: "PARTIAL"})
    assert compare_documents(two, one).versions[0].step is Step.MAJOR
    assert compare_documents(one, two).versions[0].step is Step.MINOR


def test_a_falsifier_that_went_to_another_contract_is_a_loss_for_the_first(
    scoreboard: Make,
) -> None:
    old = scoreboard({A: "PARTIAL", B: "PARTIAL"})
    old["contracts"].append({**old["contracts"][0], "id": "y-v1"})
    found = compare_documents(old, edited(old, contract="y-v1"))
    assert {(a.contract, a.step) for a in found.versions} == {
        ("x-v1", Step.MAJOR),
        ("y-v1", Step.MINOR),
    }
    assert [str(c.difference) for c in found.changes] == ["contract: x-v1 → y-v1"]


def test_a_contract_in_which_nothing_changed_gets_no_advice(scoreboard: Make) -> None:
    old = scoreboard({A: "PARTIAL", B: "PARTIAL"})
    old["contracts"].append({**old["contracts"][0], "id": "y-v1"})
    old["falsifiers"][1]["contract"] = "y-v1"
    found = compare_documents(old, edited(old, counted=False))
    assert [advice.contract for advice in found.versions] == ["x-v1"]


@pytest.mark.parametrize(
    ("old", "new", "enough"),
    [
        ("1.0.0", "2.0.0", True),
        ("1.0.0", "3.1.4", True),
        ("1.0.0", "1.9.9", False),
        ("1.0.0", "0.9.0", False),
        ("0.3.0", "0.4.0", True),
        ("0.3.0", "0.3.1", False),
        ("2.0.0-rc.1", "2.0.0", True),
        ("2.0.0-rc.1", "2.0.0-rc.2", True),
    ],
)
def test_versions_below_one_and_before_a_release_have_their_own_rules(
    scoreboard: Make, old: str, new: str, *, enough: bool
) -> None:
    then = scoreboard({A: "PARTIAL"}, version=old)
    now = edited(scoreboard({A: "PARTIAL"}, version=new), counted=False)
    assert compare_documents(then, now).versions[0].is_enough is enough


def test_no_step_keeps_the_version() -> None:
    assert next_version("1.2.3", Step.NONE) == "1.2.3"


def test_another_title_is_reworded(scoreboard: Make) -> None:
    old = scoreboard({A: "PARTIAL"})
    new = copy.deepcopy(old)
    new["contracts"][0]["title"] = "u"
    (change,) = compare_documents(old, new).changes
    assert (change.subject, str(change.difference)) == ("x-v1", "title: t → u")


def test_each_text_of_an_equation_that_differs_is_reworded(scoreboard: Make) -> None:
    old = scoreboard({A: "PARTIAL"})
    old["contracts"][0]["equations"] = [
        equation("loss", invariants=["never below 0", "counts tokens"]),
        equation("gone"),
    ]
    new = copy.deepcopy(old)
    new["contracts"][0]["equations"] = [
        equation("loss", formula="sum", domain="tokens", invariants=["counts tokens", "finite"])
    ]
    found = compare_documents(old, new)
    assert [str(change.difference) for change in found.changes] == [
        "equation loss formula: mean → sum",
        "equation loss domain added: tokens",
        "equation loss invariant removed: never below 0",
        "equation loss invariant added: finite",
        "equation gone formula removed: mean",
    ]
    assert {change.effect for change in found.changes} == {Effect.REWORDED}
    assert compare_documents(old, old).is_empty


def test_the_order_of_invariants_says_nothing(scoreboard: Make) -> None:
    old, new = scoreboard({A: "PARTIAL"}), scoreboard({A: "PARTIAL"})
    old["contracts"][0]["equations"] = [equation("loss", invariants=["a", "b"])]
    new["contracts"][0]["equations"] = [equation("loss", invariants=["b", "a"])]
    assert compare_documents(old, new).is_empty


def equation(name: str, **texts: object) -> dict[str, object]:
    return {
        "name": name,
        "formula": "mean",
        "domain": "",
        "codomain": "",
        "invariants": [],
        **texts,
    }


def long_comparison(scoreboard: Make) -> Comparison:
    old = scoreboard({A: "PARTIAL", B: "PARTIAL", "FALSIFY-X-003": "NOT_RUN"})
    new = edited(scoreboard({A: "FAILED", "FALSIFY-X-003": "BLOCKED"}), rule="word " * 60)
    new["falsifiers"][0]["bounds"][0]["threshold"] = 1.0
    return compare_documents(old, new)


def test_the_text_says_everything_and_the_worst_last(scoreboard: Make) -> None:
    text = render_text(long_comparison(scoreboard), old="v1", new="this tree", width=80)
    assert text.splitlines()[0] == "v1 → this tree"
    headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert headings[1:] == [
        "shifted 1  another status, neither better nor worse",
        "reworded 1  read it: it may say less",
        "loosened 1  asks for less: something passes that was refuted before",
        "removed 1  claimed no longer",
        "versions too low 1  for what changed",
        "newly failed 1  refuted, vacuous or broken, and was not",
        "3 falsifiers before, 2 now · 1 regression · 1 removed · 1 loosened · 1 reworded",
        "· 1 version too low",
    ]
    assert "    bound gap: ≥ 3.0 nats → ≥ 1.0 nats" in text
    assert "    1.2.3, should be 2.0.0 (major: FALSIFY-X-002: falsifier removed)" in text
    told = f"\n  {A}\n    PARTIAL/DISCHARGED → FAILED\n    ↳ because it is FAILED\n"
    assert told in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_reason_that_the_status_tells_already_is_told_once(scoreboard: Make) -> None:
    old, new = scoreboard({A: "PARTIAL", B: "NOT_RUN"}), scoreboard({A: "STALE", B: "PARTIAL"})
    stale, risen = new["falsifiers"]
    stale.update(status="STALE(was PARTIAL, because m.py changed)", why="m.py changed")
    risen["why"] = ""
    text = render_text(compare_documents(old, new), old="v1", new="now", width=100)
    assert "    PARTIAL/DISCHARGED → STALE(was PARTIAL, because m.py changed)\n" in text
    assert "↳" not in text


@given(st.text(), st.text(), st.integers(40, 200))
def test_no_text_of_a_contract_drives_the_terminal(rule: str, title: str, width: int) -> None:
    from tests.harness.comparing.conftest import make_document

    old = make_document({A: "PARTIAL"})
    new = edited(old, rule=rule + HOSTILE)
    new["contracts"][0]["title"] = title + HOSTILE
    found = compare_documents(old, new)
    text = render_text(found, old=HOSTILE, new="n", width=width)
    assert all(c.isprintable() or c == "\n" for c in text)
    page = render_markdown(found, old=HOSTILE, new="n")
    assert "<script" not in page
    json.loads(render_json(found, old=HOSTILE, new="n"))


def test_markdown_has_the_worst_first_and_no_more_than_its_room(scoreboard: Make) -> None:
    found = long_comparison(scoreboard)
    page = render_markdown(found, old="v1", new="this tree")
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings[:2] == [
        "# v1 → this tree",
        "## newly failed 1: refuted, vacuous or broken, and was not",
    ]
    assert r"<del>≥ 3.0 nats</del> <ins>≥ 1.0 nats</ins>" in page
    short = render_markdown(found, old="v1", new="this tree", max_bytes=600)
    assert len(short.encode()) <= 600
    assert "more, not shown" in short


def test_the_json_document_keeps_to_its_schema(scoreboard: Make) -> None:
    import jsonschema

    schema = json.loads(find_schema("comparison", list_schemas()).text)
    document = json.loads(render_json(long_comparison(scoreboard), old="v1", new="."))
    jsonschema.validate(document, schema)
    assert document["counts"]["regressions"] == 1
    assert document["old"] == {"name": "v1", "falsifiers": 3}


def test_a_wrong_document_is_a_usage_error(scoreboard: Make) -> None:
    with pytest.raises(UsageError, match="the new scoreboard: its format is null"):
        compare_documents(scoreboard({A: "PARTIAL"}), {})

"""Suggestions as text: what is printed can be pasted, wherever it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Control,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.documents.loading import load
from pv_harness.proving.extreme import Function, Skipped
from pv_harness.proving.stubs import Place, find_places, render_suggestions
from pv_harness.proving.suggestions import Suggestion, SuggestReport


CLAIM = Falsifier(
    id="A-001",
    rule="r",
    prediction="p",
    if_fails="f",
    covers=("m",),
    bounds=(Bound("loss", Comparator.LE, 1),),
    levels=(LevelRule(Level.PARTIAL),),
)
FILE = PurePosixPath("src/m.py")
PLACE = Place("contracts/a.yaml", 12, 2)


def suggestion(
    name: str = "f", find: str = "x = 1", claims: tuple[Falsifier, ...] = (CLAIM,)
) -> Suggestion:
    patches = tuple(
        Patch(f"{name}-returns-nothing", FILE, find, f"return{value}\n    {find}")
        for value in ("", " 1")
    )
    return Suggestion(Function(FILE, name, 3, find, "    ", patches), claims)


def report(*suggestions: Suggestion, **facts: object) -> SuggestReport:
    empty = SuggestReport(1, 9, 7, 0, 5, 50, suggestions, (), {})
    return replace(empty, **facts)  # type: ignore[arg-type]


def test_an_entry_says_where_it_belongs_and_what_was_tried() -> None:
    assert render_suggestions(report(suggestion()), {"A-001": PLACE}) == (
        "# contracts/a.yaml:12 below `defects:` of A-001\n"
        "  # src/m.py:3 f: no check notices `return` or `return 1` as its first line\n"
        "  - id: f-returns-nothing\n"
        '    file: "src/m.py"\n'
        '    find: "x = 1"\n'
        '    replace: "return\\n    x = 1"\n'
        "    expect: loss\n"
        "\n"
        "sharpen a check until it notices, and keep the entry as the proof;\n"
        "or leave both as they are, if the claim is not about that function\n"
        "9 functions covered by 1 falsifier · 7 entered by a check · 5 tried · 4 noticed · "
        "1 not noticed · 2 left out by --limit 50"
    )


def test_what_was_left_out_is_said() -> None:
    skipped = (Skipped(FILE, "g", 8, "its body stands on the line of its def"),)
    red = {"B-001": "loss is 2\nand more", "A-002": " "}
    nothing = report(skipped=skipped, red=red, tried=0, entered=3, declared=3)
    *notes, counts = render_suggestions(nothing, {}).splitlines()
    assert notes == [
        "A-002: not asked, since it does not pass as it is: no reason was given",
        "B-001: not asked, since it does not pass as it is: loss is 2",
        "src/m.py:8 g: skipped: its body stands on the line of its def",
        "nothing was tried, so nothing is known",
    ]
    assert counts == (
        "9 functions covered by 1 falsifier · 3 entered by a check · 0 tried · 0 noticed · "
        "0 not noticed · 3 declared already"
    )


def test_others_that_would_see_it_are_named() -> None:
    both = (CLAIM, replace(CLAIM, id="A-002"))
    text = render_suggestions(report(suggestion(claims=both)), {})
    assert "as its first line; A-002 would see it too\n" in text
    assert text.startswith("# for the defects of A-001\n")


def test_a_list_in_brackets_can_not_be_pasted_into_and_that_is_said() -> None:
    text = render_suggestions(report(suggestion()), {"A-001": Place("a.yaml", 4, None)})
    assert text.startswith(
        "# a.yaml:4 for `defects` of A-001, which stand in brackets: a line each first\n"
    )


def test_a_metric_is_chosen_and_the_others_are_named() -> None:
    bounds = tuple(Bound(m, Comparator.EQ, 1) for m in ("loss", "loss", "steps", "exit"))
    claim = replace(CLAIM, bounds=bounds)
    text = render_suggestions(report(suggestion(claims=(claim,))), {})
    assert "    expect: loss  # or steps, exit: the one to break\n" in text


def entries(text: str) -> list[dict[str, str]]:
    """What a YAML reader makes of the printed entries."""
    block = text.partition("\n\n")[0]
    document = load(f"defects:\n{block}\n".encode(), "a.yaml")
    assert not document.problems
    found: list[dict[str, str]] = document.value["defects"]
    return found


def test_names_are_unique_in_their_falsifier() -> None:
    taken = Control(Patch("f-returns-nothing", FILE, "a", "b"))
    claim = replace(CLAIM, controls=(taken,))
    three = [suggestion(claims=(claim,)) for _ in range(3)]
    names = [entry["id"] for entry in entries(render_suggestions(report(*three), {}))]
    assert names == [f"f-returns-nothing-{n}" for n in (2, 3, 4)]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 6))
def test_any_source_text_arrives_as_it_was(find: str, indent: int) -> None:
    places = {"A-001": Place("a.yaml", 1, indent)}
    text = render_suggestions(report(suggestion(find=find)), places)
    (entry,) = entries(text)
    assert entry["find"] == find
    assert entry["replace"] == f"return\n    {find}"
    assert all(c.isprintable() or c == "\n" for c in text)
    block = text.partition("\n\n")[0]
    assert yaml.safe_load(f"defects:\n{block}\n")["defects"] == [entry]


BLOCK = """\
apiVersion: pv/v1
falsifiers:
- id: A-001
  defects:
  - {id: a}
  - id: b
- id: A-002
  defects:      # none yet
    # a comment
    -   id: c
- id: A-003
  defects: []
- id: A-004
  defects: [{id: d}]
- id: A-005
  defects: [
    {id: e}]
- id: A-006
  rule: no list
- broken
"""


def test_places_are_read_from_the_layout() -> None:
    assert find_places(BLOCK.encode(), "a.yaml") == {
        "A-001": Place("a.yaml", 4, 2),
        "A-002": Place("a.yaml", 8, 4),
        "A-003": Place("a.yaml", 12, None),
        "A-004": Place("a.yaml", 14, None),
        "A-005": Place("a.yaml", 16, None),
    }


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"falsifiers: 3", b"falsifiers: {a: b}"])
def test_what_is_no_contract_has_no_places(data: bytes) -> None:
    assert find_places(data, "a.yaml") == {}

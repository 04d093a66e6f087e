"""The graph of what rests on what, read back from each language that it is written in."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Falsifier,
    Level,
    LevelRule,
)
from pv_harness.insight.graph import EdgeKind, Graph, NodeKind, build_graph
from pv_harness.insight.graph_faces import render_dot, render_json, render_mermaid


HOSTILE = '</script><script>alert("1")</script> [x] {y} (z) | # ; %% --> `end` \\" \\n \x1b[0m'
TEXTS = st.text(max_size=30) | st.just(HOSTILE) | st.text('"\\[]{}()|#;&<>%\n-', max_size=20)


def claim(name: str, rule: str = "r", covers: tuple[str, ...] = ("m",)) -> Falsifier:
    return Falsifier(
        id=name,
        rule=rule,
        prediction="p",
        if_fails="f",
        covers=covers,
        bounds=(Bound("gap", Comparator.GE, 3.0),),
        levels=(LevelRule(Level.PARTIAL),),
    )


def contract(
    name: str, *claims: Falsifier, title: str = "t", depends_on: tuple[str, ...] = ()
) -> Contract:
    path = PurePosixPath("contracts") / f"{name}.yaml"
    return Contract(name, "1.0.0", title, path, claims, depends_on=depends_on)


def check(name: str) -> Check:
    return Check(name, "checks/t.py", 1, "test_x", "checks/t.py::test_x")


ONE, TWO = claim("F-001", covers=("m", "n")), claim("F-002")
BASE = contract("base-v1", ONE)
TOP = contract("top-v1", TWO, depends_on=("base-v1", "far-v1"))


def make(title: str = "t", rule: str = "r") -> Graph:
    named = contract("top-v1", claim("F-002", rule), title=title, depends_on=("base-v1",))
    return build_graph([BASE, named], {"F-001": (check("F-001"),)}, [ONE, TWO])


def test_everything_that_rests_on_something_has_an_edge() -> None:
    graph = build_graph([BASE, TOP], {"F-001": (check("F-001"),)}, [ONE, TWO])
    assert [(e.source.name, e.kind, e.target.name) for e in graph.edges] == [
        ("base-v1", EdgeKind.CLAIMS, "F-001"),
        ("F-001", EdgeKind.CHECKED_BY, "checks/t.py::test_x"),
        ("F-001", EdgeKind.COVERS, "m"),
        ("F-001", EdgeKind.COVERS, "n"),
        ("top-v1", EdgeKind.DEPENDS_ON, "base-v1"),
        ("top-v1", EdgeKind.DEPENDS_ON, "far-v1"),
        ("top-v1", EdgeKind.CLAIMS, "F-002"),
        ("F-002", EdgeKind.COVERS, "m"),
    ]
    assert len(graph.nodes) == len(set(graph.nodes)) == 8


def test_only_what_is_asked_about_is_drawn_with_what_it_depends_on() -> None:
    graph = build_graph([BASE, TOP], {}, [TWO])
    assert [(node.kind, node.name) for node in graph.nodes] == [
        (NodeKind.CONTRACT, "top-v1"),
        (NodeKind.CONTRACT, "base-v1"),
        (NodeKind.CONTRACT, "far-v1"),
        (NodeKind.FALSIFIER, "F-002"),
        (NodeKind.MODULE, "m"),
    ]


# The whole of the DOT language that is used here: a small grammar, so that nothing else passes.
_STRING = r'"(?:[^"\\\n]|\\["\\n])*"'
_STATEMENTS = (
    re.compile(r"digraph contracts \{"),
    re.compile(r"  rankdir=LR;"),
    re.compile(r'  node \[fontname="sans-serif"\];'),
    re.compile(rf"  n\d+ \[shape=[a-z0-9]+, label={_STRING}\];"),
    re.compile(rf"  n\d+ -> n\d+ \[label={_STRING}\];"),
    re.compile(r"\}"),
)


def dot_labels(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    assert lines[0] == "digraph contracts {"
    assert lines[-1] == "}"
    for line in lines:
        assert any(pattern.fullmatch(line) for pattern in _STATEMENTS), line
    found = re.findall(rf"shape=[a-z0-9]+, label=({_STRING})", text)
    unescaped = {r"\n": "\n", r"\"": '"', r"\\": "\\"}
    return [re.sub(r"\\.", lambda m: unescaped[m[0]], label[1:-1]) for label in found]


_MERMAID_NODE = re.compile(r"  n\d+[\[(/]+\"([A-Za-z0-9 \-_.,:/#;]|<br/>)*\"[\])/]+")
_MERMAID_EDGE = re.compile(r"  n\d+ (==>|-->|-\.->)\|[a-z ]+\| n\d+")


def mermaid_labels(text: str) -> list[str]:
    first, *lines = text.removesuffix("\n").split("\n")
    assert first == "flowchart LR"
    labels = []
    for line in lines:
        if not _MERMAID_EDGE.fullmatch(line):
            assert _MERMAID_NODE.fullmatch(line), line
            inner = line[line.index('"') + 1 : line.rindex('"')].replace("<br/>", "\n")
            labels.append(re.sub(r"#(\d+);", lambda m: chr(int(m[1])), inner))
    return labels


def expected(graph: Graph) -> list[str]:
    from pv_harness.board.phrases import harmless

    def short(text: str) -> str:
        return text if len(text) <= 120 else f"{text[:119]}…"

    parts = ([node.name, node.text] if node.text else [node.name] for node in graph.nodes)
    return ["\n".join(short(harmless(part)) for part in part_list) for part_list in parts]


@given(TEXTS, TEXTS)
def test_every_language_reads_back_what_was_written(title: str, rule: str) -> None:
    graph = make(title, rule)
    assert dot_labels(render_dot(graph)) == expected(graph)
    assert mermaid_labels(render_mermaid(graph)) == expected(graph)
    document = json.loads(render_json(graph))
    assert [node["text"] for node in document["nodes"]] == [n.text for n in graph.nodes]
    keys = {node["key"] for node in document["nodes"]}
    assert {e["from"] for e in document["edges"]} | {e["to"] for e in document["edges"]} <= keys


def test_a_script_tag_is_text_in_every_language() -> None:
    graph = make(HOSTILE)
    assert "<script" not in render_mermaid(graph)
    assert "#60;script#62;" in render_mermaid(graph)
    assert r"alert(\"1\")" in render_dot(graph)


@pytest.mark.parametrize("render", [render_mermaid, render_dot, render_json])
def test_one_graph_is_one_text(render: object) -> None:
    assert callable(render)
    assert render(make()) == render(make())


def test_long_texts_are_cut() -> None:
    (label,) = [text for text in dot_labels(render_dot(make("x" * 500))) if "xxx" in text]
    assert label == f"top-v1\n{'x' * 119}…"

"""A graph in the languages that draw it: Mermaid, DOT, and JSON.

Names and titles are text of contracts and may hold anything; each language has its own way to
say so. Nodes are called `n0`, `n1` ... in all of them, so that no name is ever syntax.
"""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING

from pv_harness.board.phrases import harmless
from pv_harness.insight.graph import EdgeKind, NodeKind


if TYPE_CHECKING:
    from pv_harness.insight.graph import Graph, Node

FORMAT = "pv-graph/1"
_LONGEST = 120
_MERMAID_SHAPES = {
    NodeKind.CONTRACT: ('[["', '"]]'),
    NodeKind.FALSIFIER: ('["', '"]'),
    NodeKind.CHECK: ('(["', '"])'),
    NodeKind.MODULE: ('[/"', '"/]'),
}
_MERMAID_ARROWS = {
    EdgeKind.DEPENDS_ON: "==>",
    EdgeKind.CLAIMS: "-->",
    EdgeKind.CHECKED_BY: "-.->",
    EdgeKind.COVERS: "-->",
}
_DOT_SHAPES = {
    NodeKind.CONTRACT: "box3d",
    NodeKind.FALSIFIER: "box",
    NodeKind.CHECK: "ellipse",
    NodeKind.MODULE: "component",
}
_MERMAID_PLAIN = frozenset(string.ascii_letters + string.digits + " -_.,:/")


def render_mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart; every other character than plain ones is an entity.

    Source: mermaid.js.org, "Flowcharts - Basic Syntax", entity codes to escape characters.
    """
    names = _names(graph)
    lines = ["flowchart LR"]
    for node, name in names.items():
        opening, closing = _MERMAID_SHAPES[node.kind]
        label = "<br/>".join(_mermaid(part) for part in _label(node))
        lines.append(f"  {name}{opening}{label}{closing}")
    for edge in graph.edges:
        arrow = _MERMAID_ARROWS[edge.kind]
        lines.append(f"  {names[edge.source]} {arrow}|{edge.kind.value}| {names[edge.target]}")
    return "\n".join(lines) + "\n"


def render_dot(graph: Graph) -> str:
    """The graph as a DOT digraph; labels are double-quoted strings.

    Source: graphviz.org, "DOT Language" and "escString": in a quoted string a quote and a
    backslash are escaped, and no other character means anything.
    """
    names = _names(graph)
    lines = ["digraph contracts {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    for node, name in names.items():
        label = r"\n".join(_dot(part) for part in _label(node))
        lines.append(f'  {name} [shape={_DOT_SHAPES[node.kind]}, label="{label}"];')
    for edge in graph.edges:
        ends = f"{names[edge.source]} -> {names[edge.target]}"
        lines.append(f'  {ends} [label="{edge.kind.value}"];')
    return "\n".join([*lines, "}"]) + "\n"


def render_json(graph: Graph) -> str:
    """The graph as JSON text: nodes, and edges between their keys; ASCII, ends in a newline."""
    names = _names(graph)
    document = {
        "format": FORMAT,
        "nodes": [
            {"key": key, "kind": node.kind.value, "name": node.name, "text": node.text}
            for node, key in names.items()
        ],
        "edges": [
            {"kind": e.kind.value, "from": names[e.source], "to": names[e.target]}
            for e in graph.edges
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _names(graph: Graph) -> dict[Node, str]:
    return {node: f"n{index}" for index, node in enumerate(graph.nodes)}


def _label(node: Node) -> tuple[str, ...]:
    parts = (node.name, node.text) if node.text else (node.name,)
    return tuple(_shortened(harmless(part)) for part in parts)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _mermaid(text: str) -> str:
    return "".join(c if c in _MERMAID_PLAIN else f"#{ord(c)};" for c in text)


def _dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

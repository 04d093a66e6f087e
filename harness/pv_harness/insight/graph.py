"""What rests on what: contracts, their falsifiers, the checks, and the modules they cover."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier


class NodeKind(Enum):
    """What a node stands for."""

    CONTRACT = "contract"
    FALSIFIER = "falsifier"
    CHECK = "check"
    MODULE = "module"


class EdgeKind(Enum):
    """What an edge says of the node that it starts from."""

    DEPENDS_ON = "depends on"
    CLAIMS = "claims"
    CHECKED_BY = "is checked by"
    COVERS = "covers"


@dataclass(frozen=True, slots=True)
class Node:
    """One node; kind and name together are unique.

    Attributes:
        name: a contract's or falsifier's ID, a node ID of pytest, a dotted module.
        text: what is said of it beside its name; may be empty.
    """

    kind: NodeKind
    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge between two nodes of the same graph."""

    kind: EdgeKind
    source: Node
    target: Node


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges, each once, in the order of the contracts."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def build_graph(
    contracts: Sequence[Contract],
    checks: Mapping[str, Iterable[Check]],
    falsifiers: Iterable[Falsifier],
) -> Graph:
    """The graph of these falsifiers, with the contracts that theirs depend on.

    Args:
        contracts: all contracts of the project.
        checks: falsifier ID -> the checks bound to it.
        falsifiers: those that are asked about.
    """
    wanted = {falsifier.id for falsifier in falsifiers}
    headings = {c.id: Node(NodeKind.CONTRACT, c.id, c.title) for c in contracts}
    edges: list[Edge] = []
    for contract in contracts:
        own = [f for f in contract.falsifiers if f.id in wanted]
        if not own:
            continue
        heading = headings[contract.id]
        for name in contract.depends_on:
            other = headings.get(name, Node(NodeKind.CONTRACT, name))
            edges.append(Edge(EdgeKind.DEPENDS_ON, heading, other))
        for falsifier in own:
            edges += _edges_of(heading, falsifier, checks.get(falsifier.id, ()))
    # Every falsifier that is asked about has an edge, and so has every node of the graph.
    nodes = dict.fromkeys(node for edge in edges for node in (edge.source, edge.target))
    return Graph(tuple(nodes), tuple(dict.fromkeys(edges)))


def _edges_of(contract: Node, falsifier: Falsifier, checks: Iterable[Check]) -> list[Edge]:
    claim = Node(NodeKind.FALSIFIER, falsifier.id, falsifier.rule)
    edges = [Edge(EdgeKind.CLAIMS, contract, claim)]
    edges += [
        Edge(EdgeKind.CHECKED_BY, claim, Node(NodeKind.CHECK, check.node_id))
        for check in checks
    ]
    edges += [
        Edge(EdgeKind.COVERS, claim, Node(NodeKind.MODULE, module))
        for module in falsifier.covers
    ]
    return edges

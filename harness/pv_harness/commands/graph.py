"""`pv graph [ID...]`: contracts, falsifiers, checks and covered modules as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.commands.asking import add_names, read_selected
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv graph`."""
    add_names(verb)
    verb.add_argument(
        "--format",
        choices=("mermaid", "dot", "json"),
        default="mermaid",
        help="mermaid for Markdown on GitHub (default), dot for graphviz",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the graph in the language that is asked for."""
    from pv_harness.insight.graph import build_graph
    from pv_harness.insight.graph_faces import render_dot, render_json, render_mermaid

    declared, selected = read_selected(args)
    graph = build_graph(declared.contracts, declared.checks, selected)
    faces = {"mermaid": render_mermaid, "dot": render_dot, "json": render_json}
    print(faces[args.format](graph), end="")
    return ExitCode.SATISFIED

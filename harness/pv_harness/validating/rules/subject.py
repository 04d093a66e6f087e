"""The subject that a claim names: modules and entry points that are really there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.documents.problem import Severity
from pv_harness.fingerprint.syntax import FunctionNode, statements_of
from pv_harness.validating.rules.texts import TO_DO
from pv_harness.wording import meant


if TYPE_CHECKING:
    from ast import Module
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pv_harness.documents.problem import Problem
    from pv_harness.validating.rules.world import Claim, World


def covered_modules_exist(claim: Claim, world: World) -> Iterator[Problem]:
    """PV035: what a claim covers has a source file, or nothing could make it stale.

    PV093: a claim that counts nowhere may still say that its subject is to be named.
    """
    for index, name in enumerate(claim.falsifier.covers):
        if name == TO_DO and not claim.falsifier.counted:
            what = f"covers {TO_DO}: the modules that the claim is about are still to be named"
            yield claim.problem("PV093", what, "covers", index, severity=Severity.WARNING)
        elif world.tree.find_module(name) is None:
            near = meant(name, _modules_beside(name, world))
            what = f"covers {name!r}; no such module below {_roots(world)}{near}"
            yield claim.problem("PV035", what, "covers", index)


def entry_points_exist(claim: Claim, world: World) -> Iterator[Problem]:
    """PV036: an entry point that is not there, or can't be watched, is never reached."""
    for rule in claim.falsifier.levels:
        for index, target in enumerate(rule.reached):
            keys = ("levels", rule.level.value, "reached", index)
            module, _, function = target.partition(":")
            path = world.tree.find_module(module)
            if path is None:
                near = meant(module, _modules_beside(module, world))
                what = f"reached {target!r}; no module {module!r} below {_roots(world)}{near}"
                yield claim.problem("PV036", what, *keys)
            elif reason := _unwatchable(function, path, world):
                what = f"reached {target!r}; {world.project.relative(path)} {reason}"
                yield claim.problem("PV036", what, *keys)


def _modules_beside(name: str, world: World) -> Iterator[str]:
    """The modules in the folder where a module would be, the innermost that is there."""
    parts = name.split(".")[:-1]
    while parts and world.tree.find_module(".".join(parts)) is None:
        parts.pop()
    for root in world.project.source_roots:
        folder = root.joinpath(*parts)
        stems = [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]
        stems += [file.parent.name for file in folder.glob("*/__init__.py")]
        # What is no identifier can't be imported, and is nothing that kept answers rest on.
        yield from (".".join((*parts, stem)) for stem in stems if stem.isidentifier())


def _unwatchable(function: str, path: Path, world: World) -> str:
    """Why calls of a function can't be seen; empty if they can."""
    functions = _functions(path, world)
    if not functions and _parsed(path, world) is None:
        return (
            "does not parse as Python, so that its functions are not known; correct that file"
        )
    if function not in functions:
        return f"has no top-level function {function!r}{meant(function, functions)}"
    if functions[function]:
        # The name then holds what the decorator returned: a closure, whose code can't be
        # swapped, or no function at all.
        return f"has a decorator on {function!r}, so that its calls can't be watched"
    return ""


def _parsed(path: Path, world: World) -> Module | None:
    try:
        return world.tree.read(path).tree
    except OSError:
        return None


def _functions(path: Path, world: World) -> Mapping[str, bool]:
    if path not in world.functions:
        found: dict[str, bool] = {}
        tree = _parsed(path, world)
        try:
            for node in statements_of(tree.body if tree else ()):
                if isinstance(node, FunctionNode):
                    found[node.name] = bool(node.decorator_list) or found.get(node.name, False)
        except RecursionError:  # a thousand elifs
            found = {}
        world.functions[path] = found
    return world.functions[path]


def _roots(world: World) -> str:
    return ", ".join(map(world.project.relative, world.project.source_roots))

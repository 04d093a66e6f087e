"""The subject that a claim names: modules and entry points that are really there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.syntax import SYNTAX_ERRORS, parse, top_level_functions


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pv_harness.problem import Problem
    from pv_harness.rules.world import Claim, World


def covered_modules_exist(claim: Claim, world: World) -> Iterator[Problem]:
    """PV035: what a claim covers has a source file, or nothing could make it stale."""
    for index, name in enumerate(claim.falsifier.covers):
        if world.tree.find_module(name) is None:
            what = f"covers {name!r}; no such module below {_roots(world)}"
            yield claim.problem("PV035", what, "covers", index)


def entry_points_exist(claim: Claim, world: World) -> Iterator[Problem]:
    """PV036: an entry point that does not exist is never reached."""
    for rule in claim.falsifier.levels:
        for index, target in enumerate(rule.reached):
            keys = ("levels", rule.level.value, "reached", index)
            module, _, function = target.partition(":")
            path = world.tree.find_module(module)
            if path is None:
                what = f"reached {target!r}; no module {module!r} below {_roots(world)}"
                yield claim.problem("PV036", what, *keys)
            elif function not in _functions(path, world):
                name = world.project.relative(path)
                what = f"reached {target!r}; {name} has no top-level function {function!r}"
                yield claim.problem("PV036", what, *keys)


def _functions(path: Path, world: World) -> frozenset[str]:
    if path not in world.functions:
        try:
            world.functions[path] = top_level_functions(parse(path.read_bytes()))
        except (OSError, *SYNTAX_ERRORS):
            world.functions[path] = frozenset()
    return world.functions[path]


def _roots(world: World) -> str:
    return ", ".join(map(world.project.relative, world.project.source_roots))

"""Planted defects and controls: changes that can be made, that change something, that run."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from pv_harness.fingerprint.sources import syntax_digest
from pv_harness.fingerprint.syntax import (
    SYNTAX_ERRORS,
    compile_source,
    describe_syntax_error,
    parse,
)
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pv_harness.contracts.contract import Patch
    from pv_harness.contracts.rules.world import Claim, World
    from pv_harness.documents.problem import Problem

_MAX_SIZE_BYTES = 4 << 20
_MIN_DEFECTS = 2
_LAYOUT = re.compile(r"#[^\n]*|\s+")


def planted_names_are_unique(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV050: results are kept by the name of the change."""
    first: dict[str, str] = {}
    for kind, index, patch in _patches(claim):
        if patch.id in first:
            what = f"{patch.id!r} is declared twice; first among its {first[patch.id]}"
            yield claim.problem("PV050", what, kind, index, "id")
        first.setdefault(patch.id, kind)


def planted_changes_apply(claim: Claim, world: World) -> Iterator[Problem]:
    """PV051 to PV054: file there, anchor in it once, the result different and compiling."""
    for kind, index, patch in _patches(claim):
        text = _text_of(patch, world)
        if isinstance(text, OSError):
            what = f"{patch.id} changes {show(str(patch.file))}, which {reason(text)}"
            yield claim.problem("PV051", what, kind, index, "file")
            continue
        count = _occurrences(text, patch.find)
        if count != 1:
            what = f"{patch.id}: {_anchor_message(text, patch, count)}"
            yield claim.problem("PV052", what, kind, index, "find")
            continue
        yield from _judge_change(claim, kind, index, patch, text)


def planted_changes_hit_the_subject(claim: Claim, world: World) -> Iterator[Problem]:
    """PV058: only a change to what the claim covers shows that its check looks there."""
    try:
        subject = _subject_of(claim, world)
    except (OSError, *SYNTAX_ERRORS) as error:
        why = reason(error) if isinstance(error, OSError) else "nested too deeply"
        what = f"the sources that it covers can't be read: {why}"
        yield claim.problem("PV058", what, "covers")
        return
    for kind, index, patch in _patches(claim):
        if isinstance(_text_of(patch, world), OSError):
            continue  # has its own problem
        fault = _off_subject(claim, patch, subject, world)
        if fault:
            what = f"{patch.id} changes {show(str(patch.file))}, which {fault}"
            yield claim.problem("PV058", what, kind, index, "file")


def defects_expect_a_bound_metric(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV055: a kill is by the declared reason, which is a metric with a bound."""
    metrics = list(dict.fromkeys(bound.metric for bound in claim.falsifier.bounds))
    for index, defect in enumerate(claim.falsifier.defects):
        if defect.expect not in metrics:
            known = ", ".join(metrics)
            what = f"{defect.id} expects {show(defect.expect)} to break; bounds has {known}"
            yield claim.problem("PV055", what, "defects", index, "expect")


def counted_claims_have_defects(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV056: a check that kills one defect may know nothing but that defect."""
    count = len(claim.falsifier.defects)
    if claim.falsifier.counted and count < _MIN_DEFECTS:
        what = f"has {count} planted defect{'s' * (count != 1)}; a counted claim has 2 or more"
        yield claim.problem("PV056", what, "defects")


def defects_differ(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV057: one change under two names is one defect."""
    first: dict[str, str] = {}
    for kind, index, patch in _patches(claim):
        if patch.digest in first:
            what = f"{patch.id} makes the same change as {first[patch.digest]}"
            yield claim.problem("PV057", what, kind, index)
        first.setdefault(patch.digest, patch.id)


def _patches(claim: Claim) -> Iterator[tuple[str, int, Patch]]:
    for index, defect in enumerate(claim.falsifier.defects):
        yield "defects", index, defect.patch
    for index, control in enumerate(claim.falsifier.controls):
        yield "controls", index, control.patch


def _off_subject(
    claim: Claim, patch: Patch, subject: frozenset[Path] | None, world: World
) -> str:
    """Why a change there shows nothing about the claim; empty if it can."""
    path = (world.project.root / patch.file).resolve()
    if any(path.is_relative_to(folder.resolve()) for folder in world.project.checks):
        return "is a file of the checks; plant the change in what they judge"
    if subject is None or path in subject:
        return ""
    if path.suffix == ".py":
        return f"is neither covered ({', '.join(claim.falsifier.covers)}) nor imported there"
    if claim.falsifier.counted:
        return "is no Python; a counted claim is shown to fail by the code that it covers"
    return ""


def _subject_of(claim: Claim, world: World) -> frozenset[Path] | None:
    """The files that the covered modules are and import; None if that can't be told."""
    covers = claim.falsifier.covers
    if covers not in world.subjects:
        files = [world.tree.find_module(name) for name in covers]
        if None in files:
            return None  # has its own problem
        closure = world.tree.closure(file for file in files if file is not None)
        world.subjects[covers] = frozenset(path.resolve() for path in closure)
    return world.subjects[covers]


def _text_of(patch: Patch, world: World) -> str | OSError:
    """The text of the file that a patch changes, or why it can't be had."""
    root = world.project.root
    try:
        path = (root / patch.file).resolve()
        if patch.file.is_absolute() or not path.is_relative_to(root.resolve()):
            return OSError(0, "lies outside the project")
        if path not in world.texts:
            world.texts[path] = read_regular(path, _MAX_SIZE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        return OSError(0, "is not UTF-8 text")
    except ValueError:
        return OSError(0, "is not a path: it holds a NUL character")
    except FileNotFoundError:
        return OSError(0, "does not exist")
    except OSError as error:
        return OSError(0, f"can't be read: {reason(error)}")
    return world.texts[path]


def _judge_change(
    claim: Claim, kind: str, index: int, patch: Patch, text: str
) -> Iterator[Problem]:
    changed = text.replace(patch.find, patch.replace)
    is_python = patch.file.suffix == ".py"
    if changed == text:
        what = f"{patch.id} changes nothing: find and replace are the same text"
        yield claim.problem("PV053", what, kind, index, "replace")
        return
    if not is_python:
        return
    try:
        compile_source(changed, str(patch.file))
    except SYNTAX_ERRORS as error:
        line, _, message = describe_syntax_error(error)
        what = f"{patch.id}: {patch.file} no longer compiles: {message} (line {line})"
        yield claim.problem("PV054", what, kind, index, "replace")
        return
    if kind == "defects" and _is_layout_only(text, changed, patch):
        what = f"{patch.id} changes only comments or layout, which no check can notice"
        yield claim.problem("PV053", what, kind, index, "replace")


def _is_layout_only(text: str, changed: str, patch: Patch) -> bool:
    # Trees are slow to compare; only a change that looks like layout is worth it.
    if _LAYOUT.sub("", patch.find) != _LAYOUT.sub("", patch.replace):
        return False
    return syntax_digest(parse(text)) == syntax_digest(parse(changed))


def _occurrences(text: str, anchor: str) -> int:
    """How often the anchor stands in the text, overlaps included: either could be meant."""
    count, start = 0, text.find(anchor)
    while start >= 0:
        count, start = count + 1, text.find(anchor, start + 1)
    return count


def _anchor_message(text: str, patch: Patch, count: int) -> str:
    if count:
        return f"the text to find stands {count} times in {patch.file}; it should stand once"
    wanted = next((line.strip() for line in patch.find.splitlines() if line.strip()), "")
    lines = {line.strip(): number for number, line in enumerate(text.splitlines(), 1)}
    close = difflib.get_close_matches(wanted, lines, n=1)
    nearest = f"; nearest is line {lines[close[0]]}: {show(close[0])}" if close else ""
    cure = "copy it as the file has it now, or take the change out of the contract"
    return f"the text to find does not stand in {patch.file}{nearest}; {cure}"

"""Planted defects and controls: changes that can be made, that change something, that run."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.fingerprint.spelling import syntax_digest
from pv_harness.fingerprint.syntax import (
    SYNTAX_ERRORS,
    compile_source,
    describe_syntax_error,
    parse,
)
from pv_harness.regular_file import read_regular, reason
from pv_harness.validating.rules.world import survey
from pv_harness.wording import HOLDS, meant, show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path, PurePosixPath

    from pv_harness.contracts.contract import Falsifier, Patch
    from pv_harness.documents.problem import Problem
    from pv_harness.project import Project
    from pv_harness.validating.rules.world import Claim, World

_MAX_SIZE_BYTES = 4 << 20
_MIN_DEFECTS = 2
_LEAST_TELLING = 4
"""A shorter text stands in any file by chance."""
UNPLANTABLE = frozenset({"PV051", "PV052", "PV053", "PV054", "PV058"})
"""What the tree decides: an edit of the subject brings it about, so that the change is VOID."""
_LAYOUT = re.compile(r"#[^\n]*|\s+")
_NO_MEANING = re.compile(r"#[^\n]*|[\s()\\]+")
"""What may be layout: brackets that group, and ends of lines that are none."""


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
        fault = _find_fault(patch, _text_of(patch, world), is_defect=kind == "defects")
        if fault is not None:
            what = f"{patch.id}{fault.what}" + (f"; {fault.cure}" if fault.cure else "")
            yield claim.problem(fault.code, what, kind, index, fault.key)


def find_unplantable(
    project: Project, falsifiers: Iterable[Falsifier]
) -> dict[str, dict[str, str]]:
    """Falsifier ID -> name of a change that can't be planted in the project -> why.

    These are the changes that `UNPLANTABLE` is about; falsifiers without any are left out.
    """
    world = survey(project, (), (), complete=True)
    found: dict[str, dict[str, str]] = {}
    for falsifier in falsifiers:
        subject = _subject_or_fault(falsifier, world)
        for plant in falsifier.plants:
            text = _text_of(plant.patch, world)
            fault = _find_fault(plant.patch, text, is_defect=plant in falsifier.defects)
            if fault is not None:
                why = fault.what.removeprefix(": ").strip()
            elif isinstance(subject, str):
                why = subject  # only since it was judged: else nothing would be
            else:
                why = _describe_off_subject(falsifier, plant.patch, subject, world)
            if why:
                found.setdefault(falsifier.id, {})[plant.id] = why
    return found


class _Fault(NamedTuple):
    """Why a change can't be planted; `what` goes on where the change was named."""

    code: str
    key: str
    what: str
    cure: str = ""


def _find_fault(patch: Patch, text: str | OSError, *, is_defect: bool) -> _Fault | None:
    if isinstance(text, OSError):
        what = f" changes {show(str(patch.file))}, which {reason(text)}"
        return _Fault("PV051", "file", what)
    count = count_anchor(text, patch.find)
    if count != 1:
        return _describe_anchor(text, patch, count)
    return _judge_change(patch, text, is_defect=is_defect)


def planted_changes_hit_the_subject(claim: Claim, world: World) -> Iterator[Problem]:
    """PV058: only a change to what the claim covers shows that its check looks there.

    PV035: what it covers can't be read, so that nothing can be said about it, nor be measured.
    """
    subject = _subject_or_fault(claim.falsifier, world)
    if isinstance(subject, str):
        yield claim.problem("PV035", subject, "covers")
        return
    for kind, index, patch in _patches(claim):
        if isinstance(_text_of(patch, world), OSError):
            continue  # has its own problem
        what = _describe_off_subject(claim.falsifier, patch, subject, world)
        if what:
            yield claim.problem("PV058", f"{patch.id} {what}", kind, index, "file")


def defects_expect_a_bound_metric(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV055: a kill is by the declared reason, which is a metric with a bound."""
    metrics = list(dict.fromkeys(bound.metric for bound in claim.falsifier.bounds))
    for index, defect in enumerate(claim.falsifier.defects):
        if defect.expect not in metrics:
            known = ", ".join(metrics)
            what = f"{defect.id} expects {show(defect.expect)} to break; bounds has {known}"
            what += meant(defect.expect, metrics)
            yield claim.problem("PV055", what, "defects", index, "expect")


def counted_claims_have_defects(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV056: a check that kills one defect may know nothing but that defect."""
    count = len(claim.falsifier.defects)
    if claim.falsifier.counted and count < _MIN_DEFECTS:
        what = f"has {count} planted defect{'s' * (count != 1)}; a counted claim has 2 or more"
        yield claim.problem("PV056", what, "defects")


def defects_differ(claim: Claim, world: World) -> Iterator[Problem]:
    """PV057: one change under two names is one defect, however it is laid out."""
    first: dict[tuple[object, ...], str] = {}
    defects: dict[tuple[Path, int, str], list[Patch]] = {}
    for kind, index, patch in _patches(claim):
        change = (patch.file, patch.find, patch.replace)
        same, shape = first.get(change), _shape_of(patch, world)
        if same is None and shape is not None:
            alike = (d for d in defects.get(shape, ()) if _is_one_change(d, patch, world))
            same = next((defect.id for defect in alike), None)
        if same is not None:
            what = f"{patch.id} makes the same change as {same}"
            yield claim.problem("PV057", what, kind, index)
        first.setdefault(change, patch.id)
        # Two controls may well differ in layout alone: it is what they are there to permit.
        if kind == "defects" and shape is not None:
            defects.setdefault(shape, []).append(patch)


def _shape_of(patch: Patch, world: World) -> tuple[Path, int, str] | None:
    """What changes have in common that only layout tells apart; None where that can't be told.

    File, the first line that differs, and all that do, without comments, white space, brackets.
    """
    text = _text_of(patch, world)
    if patch.file.suffix != ".py" or isinstance(text, OSError) or text.count(patch.find) != 1:
        return None
    before, after = text.splitlines(), text.replace(patch.find, patch.replace).splitlines()
    start = _count_equal(before, after)
    end = _count_equal(reversed(before[start:]), reversed(after[start:]))
    changed = "\n".join(after[start : len(after) - end])
    return _place_of_file(patch.file, world), start, _NO_MEANING.sub("", changed)


def _count_equal(left: Iterable[str], right: Iterable[str]) -> int:
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _is_one_change(one: Patch, other: Patch, world: World) -> bool:
    texts = _text_of(one, world), _text_of(other, world)
    changed = [
        text.replace(patch.find, patch.replace)
        for text, patch in zip(texts, (one, other), strict=True)
        if isinstance(text, str)
    ]
    try:
        return len({syntax_digest(parse(text)) for text in changed}) == 1
    except SYNTAX_ERRORS:
        return False  # has its own problem


def _patches(claim: Claim) -> Iterator[tuple[str, int, Patch]]:
    for index, defect in enumerate(claim.falsifier.defects):
        yield "defects", index, defect.patch
    for index, control in enumerate(claim.falsifier.controls):
        yield "controls", index, control.patch


def _describe_off_subject(
    falsifier: Falsifier, patch: Patch, subject: frozenset[Path] | None, world: World
) -> str:
    fault = _off_subject(falsifier, patch, subject, world)
    return f"changes {show(str(patch.file))}, which {fault}" if fault else ""


def _off_subject(
    falsifier: Falsifier, patch: Patch, subject: frozenset[Path] | None, world: World
) -> str:
    """Why a change there shows nothing about the claim; empty if it can."""
    path = _place_of_file(patch.file, world)
    if any(path.is_relative_to(_resolve(folder, world)) for folder in world.project.checks):
        return "is a file of the checks; plant the change in what they judge"
    if subject is None or path in subject:
        return ""
    if path.suffix == ".py":
        return f"is neither covered ({', '.join(falsifier.covers)}) nor imported there"
    if falsifier.counted:
        return "is no Python; a counted claim is shown to fail by the code that it covers"
    return ""


def _subject_or_fault(falsifier: Falsifier, world: World) -> frozenset[Path] | str | None:
    """The files that the covered modules are and import, or why they can't be read.

    None if that can't be told: a module is not there, which is a problem of its own.
    """
    try:
        return _subject_of(falsifier, world)
    except (OSError, *SYNTAX_ERRORS) as error:
        why = reason(error) if isinstance(error, OSError) else "nested too deeply"
        return f"the sources that it covers can't be read: {why}"


def _subject_of(falsifier: Falsifier, world: World) -> frozenset[Path] | None:
    covers = falsifier.covers
    if covers not in world.subjects:
        files = [world.tree.find_module(name) for name in covers]
        if None in files:
            return None  # has its own problem
        closure = world.tree.closure(file for file in files if file is not None)
        world.subjects[covers] = frozenset(_resolve(path, world) for path in closure)
    return world.subjects[covers]


def _resolve(path: Path, world: World) -> Path:
    """The path without links. To ask the file system is slow, and every plant asks twice."""
    if path not in world.resolved:
        world.resolved[path] = path.resolve()
    return world.resolved[path]


def _place_of_file(file: PurePosixPath, world: World) -> Path:
    if file not in world.places:
        world.places[file] = _resolve(world.project.root / file, world)
    return world.places[file]


def _text_of(patch: Patch, world: World) -> str | OSError:
    """The text of the file that a patch changes, or why it can't be had."""
    if patch.file not in world.texts:
        world.texts[patch.file] = _read_text(patch.file, world)
    return world.texts[patch.file]


def _read_text(file: PurePosixPath, world: World) -> str | OSError:
    root = world.project.root
    try:
        path = _place_of_file(file, world)
        if file.is_absolute() or not path.is_relative_to(_resolve(root, world)):
            return OSError(0, "lies outside the project")
        return read_regular(path, _MAX_SIZE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        return OSError(0, "is not UTF-8 text")
    except ValueError:
        return OSError(0, "is not a path: it holds a NUL character")
    except FileNotFoundError:
        return OSError(0, "does not exist")
    except OSError as error:
        return OSError(0, f"can't be read: {reason(error)}")


def _judge_change(patch: Patch, text: str, *, is_defect: bool) -> _Fault | None:
    changed = text.replace(patch.find, patch.replace)
    if changed == text:
        what = " changes nothing: find and replace are the same text"
        return _Fault("PV053", "replace", what)
    if patch.file.suffix != ".py":
        return None
    try:
        compile_source(changed, str(patch.file))
    except SYNTAX_ERRORS as error:
        if own := _own_error(text, patch):
            # No replacement is to blame, and no edit of the contract would help.
            what = f": {patch.file} does not compile even without the change: {own}"
            return _Fault("PV054", "file", what)
        what = f": {patch.file} no longer compiles: {_place_of(error)}"
        return _Fault("PV054", "replace", what)
    if is_defect and _is_layout_only(text, changed, patch):
        what = " changes only comments or layout, which no check can notice"
        return _Fault("PV053", "replace", what)
    return None


def _own_error(text: str, patch: Patch) -> str:
    """Why a file as it is does not compile; empty if it does."""
    try:
        compile_source(text, str(patch.file))
    except SYNTAX_ERRORS as error:
        return _place_of(error)
    return ""


def _place_of(error: BaseException) -> str:
    line, _, message = describe_syntax_error(error)
    return f"{message} (line {line})"


def _is_layout_only(text: str, changed: str, patch: Patch) -> bool:
    # Trees are slow to compare; only a change that looks like layout is worth it.
    if _LAYOUT.sub("", patch.find) != _LAYOUT.sub("", patch.replace):
        return False
    return syntax_digest(parse(text)) == syntax_digest(parse(changed))


def count_anchor(text: str, anchor: str) -> int:
    """How often the anchor stands in the text, overlaps included: either could be meant."""
    count, start = 0, text.find(anchor)
    while start >= 0:
        count, start = count + 1, text.find(anchor, start + 1)
    return count


def _describe_anchor(text: str, patch: Patch, count: int) -> _Fault:
    if count:
        what = f": the text to find stands {count} times in {patch.file}; it should stand once"
        return _Fault("PV052", "find", what)
    if len(patch.replace.strip()) >= _LEAST_TELLING and count_anchor(text, patch.replace) == 1:
        what = f": {patch.file}{HOLDS}{patch.id} would plant: {show(patch.replace)}"
        return _Fault("PV052", "find", what, "take it out of there")
    import difflib  # noqa: PLC0415 - 2 ms, for a mistake

    wanted = next((line.strip() for line in patch.find.splitlines() if line.strip()), "")
    lines = {line.strip(): number for number, line in enumerate(text.splitlines(), 1)}
    close = difflib.get_close_matches(wanted, lines, n=1)
    nearest = f"; nearest is line {lines[close[0]]}: {show(close[0])}" if close else ""
    cure = "copy it as the file has it now, or take the change out of the contract"
    what = f": the text to find does not stand in {patch.file}{nearest}"
    return _Fault("PV052", "find", what, cure)

"""The findings on foreign files: one small generator per finding, named like it.

All of them are warnings. A foreign file is its author's, and judged on its own terms; what
keeps it from being read at all is an error, and found before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pv_harness.documents.problem import Problem, Severity
from pv_harness.documents.scalars import resolve
from pv_harness.validating.foreign.cited_tests import find_nodes
from pv_harness.validating.foreign.predictions import holds_a_bound
from pv_harness.validating.foreign.record import Target, Unread
from pv_harness.validating.foreign.tables import COMMON_KEY
from pv_harness.validating.rules.world import Place
from pv_harness.wording import counted, meant, show


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pv_harness.documents.document import Document
    from pv_harness.validating.foreign.pytest_nodes import PytestNodes
    from pv_harness.validating.foreign.record import (
        ForeignContract,
        ForeignFalsifier,
        Invariant,
        Left,
        Link,
        StatusClaim,
        Way,
    )

_MOST_NAMED = 3
_LONG_FAMILY = 80


@dataclass(frozen=True, slots=True)
class Examined:
    """One foreign file with what was found about it, from which problems and counts are made.

    Attributes:
        dangling: names that are declared nowhere.
        unnamed: invariants that no falsifier names.
        unsupported: typed statuses for which no evidence is stored.
    """

    document: Document
    file: Path
    contract: ForeignContract
    dangling: tuple[Link, ...] = ()
    unnamed: tuple[Invariant, ...] = ()
    unsupported: tuple[StatusClaim, ...] = ()

    def problem(self, code: str, message: str, way: Way) -> Problem:
        """A finding about the value at a place of the file."""
        place = self.document.position(way)
        return self.document.problem(code, message, place, Severity.WARNING)

    def at_key(self, code: str, message: str, way: Way) -> Problem:
        """A finding about a key of the file."""
        place = self.document.key_position(way)
        return self.document.problem(code, message, place, Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The files around one, and what they declare.

    Attributes:
        ids: ID -> the foreign file that has it first, and where.
        native: IDs of native falsifiers.
        stems: stem of a file -> the file that has it first.
    """

    ids: Mapping[str, tuple[Document, Way]]
    native: Mapping[str, Place]
    stems: Mapping[str, Place]
    nodes: PytestNodes


def something_can_refute_it(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV080: a file without a falsifier refutes nothing, whatever else it says."""
    contract = file.contract
    if not contract.falsifiers:
        held = counted(len(contract.all_invariants), "invariant")
        owed = counted(len(contract.obligations), "obligation")
        what = f"no falsifier: nothing could refute this file ({held}, {owed})"
        yield file.problem("PV080", what, ())


def falsifiers_stand_where_they_are_looked_for(
    file: Examined, _around: Neighbours
) -> Iterator[Problem]:
    """PV081: the tools of these dialects drop keys that they don't know."""
    keys = Counter(falsifier.key for falsifier in file.contract.falsifiers)
    for key, count in keys.items():
        if key != COMMON_KEY:
            what = (
                f"{counted(count, 'falsifier')} under {show(key)}; tools of this dialect read "
                f"{show(COMMON_KEY)} alone and ignore the rest"
            )
            yield file.at_key("PV081", what, (key,))


def invariants_have_falsifiers(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV082: a sentence that is said to hold, and that nothing tries to refute.

    Where there is no falsifier at all, PV080 has said so, and how many invariants there are.
    """
    if not file.contract.falsifiers:
        return
    places: dict[Way, list[Invariant]] = {}
    for invariant in file.unnamed:
        listed = invariant.way[:-1] if isinstance(invariant.way[-1], int) else invariant.way
        places.setdefault(listed, []).append(invariant)
    for way, invariants in places.items():
        first = invariants[0]
        where = ".".join(map(str, way))
        named = show(first.id or _shortened(first.text))
        what = f"{where}: no falsifier names the invariant {named}"
        if len(invariants) > 1:
            what = f"{where}: no falsifier names {len(invariants)} invariants, {named} first"
        yield file.problem("PV082", what, first.way)


def names_resolve(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV083: a reference that leads nowhere."""
    nowhere = {
        Target.CONTRACT: "no contract of that name is among these files or beside this one",
        Target.OBLIGATION: "no obligation, equation or ID of this file is called that",
        Target.FALSIFIER: "no file declares that ID",
    }
    for link in file.dangling:
        what = f"{_called(link.family)} names {show(link.name)}; {nowhere[link.target]}"
        yield file.problem("PV083", what, link.way)


def ids_are_unique(file: Examined, around: Neighbours) -> Iterator[Problem]:
    """PV084: one ID never means two things, in one file or in two."""
    document = file.document
    for declared in file.contract.names:
        place = around.native.get(declared.id)
        if place is None:
            where, way = around.ids[declared.id]
            if where is document and way == declared.way:
                continue
            place = Place(where.path, *where.position(way))
        first = f"{place.path}:{place.line}"
        if place.path == document.path:
            first = f"line {place.line}"
        what = f"{show(declared.id)} is declared twice; first at {first}"
        yield file.problem("PV084", what, declared.way)


def stems_are_unique(file: Examined, around: Neighbours) -> Iterator[Problem]:
    """PV085: contracts refer to each other by the stems of their files."""
    stem = file.contract.stem
    first = around.stems[stem]
    if first.path != file.document.path:
        what = f"the stem {show(stem)} is that of {first.path} too; a reference could mean both"
        yield file.problem("PV085", what, ())


def versions_agree(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV086: a file has one version."""
    versions = file.contract.versions
    for version, way in versions[1:]:
        first, where = versions[0]
        if _padded(version) != _padded(first):
            what = (
                f"{'.'.join(map(str, way))} is {show(version)}; "
                f"{'.'.join(map(str, where))} says {show(first)}"
            )
            yield file.problem("PV086", what, way)


def versions_are_texts(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV094: unquoted, 1.10 is the number 1.1 to YAML, and so to tools of these dialects."""
    for version, way in file.contract.versions:
        spelled = file.document.spelled(way)
        if spelled is not None:
            number = resolve(spelled)
            what = (
                f"{'.'.join(map(str, way))} is {spelled} without quotes, which YAML reads as "
                f"{show(number)}; write it with quotes: {show(version)}"
            )
            yield file.problem("PV094", what, way)


def summaries_count_right(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV087: a typed count is compared with what there is to count."""
    summary = file.contract.summary
    if summary is None:
        return
    for key, number in summary.counts.items():
        reason = _count_fault(key, number, file.contract)
        if reason:
            what = f"verification_summary.{key} is {number}; {reason}"
            yield file.problem("PV087", what, (*summary.way, key))


def statuses_rest_on_evidence(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV088: a typed status is a claim like any other."""
    families: dict[str, list[StatusClaim]] = {}
    for claim in file.unsupported:
        families.setdefault(claim.family, []).append(claim)
    for family, claims in families.items():
        words = Counter(claim.word for claim in claims)
        listed = ", ".join(f"{show(w)} {n}" for w, n in words.most_common(_MOST_NAMED))
        more = (
            f" and {len(words) - _MOST_NAMED} other words" if len(words) > _MOST_NAMED else ""
        )
        what = f"{_called(family)} types {show(claims[0].word)}; no evidence is stored for it"
        if len(claims) > 1:
            what = (
                f"{_called(family)} types {len(claims)} statuses ({listed}{more}); no evidence "
                "is stored for them"
            )
        yield file.problem("PV088", what, claims[0].way)


def predictions_can_be_refuted(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV089: without a number or a comparison nobody can say when a prediction failed."""
    for falsifier in file.contract.falsifiers:
        said = [text for text in (falsifier.prediction, falsifier.refuted_if) if text]
        texts = said or [text for text in (falsifier.rule,) if text]
        if any(map(holds_a_bound, texts)):
            continue
        field = next(
            (f for f in ("prediction", "refuted_if", "rule") if getattr(falsifier, f)), ""
        )
        key = falsifier.sources.get(field)
        way = falsifier.way if key is None else (*falsifier.way, key)
        what = f"{_name(falsifier)}: it has no prediction"
        if texts:
            none = "" if said else "it has no prediction, and "
            what = (
                f"{_name(falsifier)}: {none}{show(key or 'the text')} holds no number and no "
                f"comparison: {show(_shortened(texts[0]))}"
            )
        yield file.problem("PV089", what, way)


def named_tests_exist(file: Examined, around: Neighbours) -> Iterator[Problem]:
    """PV090: a test that was renamed or never written tests nothing."""
    for falsifier in file.contract.falsifiers:
        for node in find_nodes(falsifier.test or ""):
            fault = around.nodes.fault(node, file.file)
            if fault:
                key = falsifier.sources.get("test", "test")
                what = f"{_name(falsifier)}: {show(key)} names {show(node)}; {fault}"
                yield file.problem("PV090", what, (*falsifier.way, key))


def every_key_is_understood(file: Examined, _around: Neighbours) -> Iterator[Problem]:
    """PV091, PV092: what is not understood is not judged, and is said to be so."""
    for left in file.contract.left:
        if left.why is Unread.KEY:
            yield file.at_key("PV091", _unknown(left), left.way)
        else:
            times = f" ({left.count} times)" if left.count > 1 else ""
            what = (
                f"{_called(left.family)} is {show(left.value)}{times}; it should be "
                f"{left.expected}, and is not judged"
            )
            yield file.problem("PV092", what, left.way)


RULES = (
    something_can_refute_it,
    falsifiers_stand_where_they_are_looked_for,
    invariants_have_falsifiers,
    names_resolve,
    ids_are_unique,
    stems_are_unique,
    versions_agree,
    versions_are_texts,
    summaries_count_right,
    statuses_rest_on_evidence,
    predictions_can_be_refuted,
    named_tests_exist,
    every_key_is_understood,
)


def _count_fault(key: str, number: int, contract: ForeignContract) -> str:
    """Why a typed count can't be right; empty if it can."""
    named = contract.summary.named if contract.summary else {}
    obligations, falsifiers = len(contract.obligations), len(contract.falsifiers)
    proofs = Counter(obligation.proof for obligation in contract.obligations)
    exactly = {
        "total_obligations": (obligations, "entries of proof_obligations"),
        "l4_lean_proved": (proofs["proved"], "obligations that the file names as proved"),
        "l4_sorry_count": (proofs["sorry"], "obligations with `lean.status: sorry`"),
        **{k: (n, "obligations that the summary lists so") for k, n in named.items()},
    }
    at_most = {
        "l3_kani_proved": (contract.harnesses, "entries of kani_harnesses"),
        "l2_property_tested": (max(falsifiers, obligations), "obligations, or falsifiers"),
        "tested": (max(falsifiers, obligations), "obligations, or falsifiers"),
        "proven": (obligations, "entries of proof_obligations"),
    }
    count, what = exactly.get(key) or at_most.get(key) or (number, "")
    wrong = number != count if key in exactly else number > count
    return f"{what}: {count}" if wrong else ""


def _unknown(left: Left) -> str:
    where = f"{_called(left.family)}." if left.family else ""
    if len(left.keys) > 1:
        listed = ", ".join(show(key) for key in left.keys[:_MOST_NAMED])
        place = f"in {_called(left.family)} " if left.family else ""
        return f"{place}{len(left.keys)} keys are not understood, and not judged: {listed}, ..."
    key = left.keys[0]
    times = f" ({left.count} times)" if left.count > 1 else ""
    hint = _guess(key, left.known) or ", and not judged"
    return f"{where}{_called(key)} is not understood{times}{hint}"


@lru_cache(maxsize=1024)
def _guess(key: str, known: frozenset[str]) -> str:
    """What was meant. Many files have one unknown section, and guessing is slow."""
    return meant(key, known)


def _name(falsifier: ForeignFalsifier) -> str:
    """What a message calls a falsifier: its ID, or its place."""
    if falsifier.id:
        return _called(falsifier.id)
    way = falsifier.way
    return f"{way[0]}[{way[1]}]" if len(way) > 1 else str(way[0])


def _called(family: str) -> str:
    plain = family.isprintable() and " " not in family and len(family) <= _LONG_FAMILY
    return family if plain else show(family)


def _shortened(text: str) -> str:
    return " ".join(text[:200].split())


def _padded(version: str) -> list[str]:
    """`1` and `1.0.0` are one version."""
    parts = version.strip().removeprefix("v").split(".")
    while len(parts) > 1 and parts[-1] == "0":
        parts.pop()
    return parts

"""Names: one ID, one meaning, one place."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.documents.problem import STANDARD_INPUT, Severity
from pv_harness.validating.rules.world import Place
from pv_harness.wording import MAX_GUESSES, meant, show


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.documents.problem import Problem
    from pv_harness.validating.rules.world import Claim, Draft, World


def id_is_the_file_stem(draft: Draft, _world: World) -> Iterator[Problem]:
    """PV020: a contract is found by its name."""
    document = draft.document
    stem = PurePosixPath(document.path).stem
    if document.path == STANDARD_INPUT:
        return
    if draft.contract_id not in (None, stem):
        what = f"id is {show(draft.contract_id)}; it should be the file's stem, {show(stem)}"
        yield document.problem("PV020", what, document.position(["id"]))


def falsifier_ids_are_unique(draft: Draft, world: World) -> Iterator[Problem]:
    """PV021: one ID never means two claims, in one file or in two."""
    document = draft.document
    for index, identity in draft.falsifier_ids():
        place = document.position(["falsifiers", index, "id"])
        first = world.falsifier_ids[identity]
        if first != Place(document.path, *place):
            what = (
                f"{show(identity)} is declared twice; first at {_called(first, document.path)}"
            )
            yield document.problem("PV021", what, place)


def contract_ids_are_unique(draft: Draft, world: World) -> Iterator[Problem]:
    """PV022: two files never state one contract."""
    document, identity = draft.document, draft.contract_id
    if identity is None:
        return
    place = document.position(["id"])
    first = world.contract_ids[identity]
    if first != Place(document.path, *place):
        where = _called(first, document.path)
        what = f"contract {show(identity)} is declared twice; first at {where}"
        yield document.problem("PV022", what, place)


def dependencies_exist(draft: Draft, world: World) -> Iterator[Problem]:
    """PV024: the graph of references closes."""
    document = draft.document
    metadata = document.value.get("metadata")
    names = metadata.get("depends_on") if isinstance(metadata, dict) else None
    others = world.contract_ids.keys() - {draft.contract_id}
    unknown = 0
    for index, name in enumerate(names if isinstance(names, list) else ()):
        place = document.position(["metadata", "depends_on", index])
        if name == draft.contract_id:
            itself = f"depends_on names {show(name)}, the contract itself; remove it"
            yield document.problem("PV024", itself, place)
        elif isinstance(name, str) and name not in world.contract_ids and world.complete:
            unknown += 1
            what = f"depends_on names {show(name)}; no contract of the project has that id"
            what += meant(name, others) if unknown <= MAX_GUESSES else ""
            yield document.problem("PV024", what, place)


def every_claim_has_a_check(claim: Claim, world: World) -> Iterator[Problem]:
    """PV032: without a check nothing can refute the claim; a check may be one with a fault."""
    identity = claim.falsifier.id
    if world.bound is not None and identity not in world.bound:
        yield claim.problem("PV032", unbound(identity), "id", severity=Severity.WARNING)


def unbound(identity: str) -> str:
    """What PV032 says of a claim."""
    return f'UNBOUND: no test is marked @pytest.mark.falsifies("{identity}")'


def _called(place: Place, path: str) -> str:
    return f"line {place.line}" if place.path == path else f"{place.path}:{place.line}"

"""Texts that somebody still has to write: a claim that says nothing can't be refuted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.documents.problem import Severity


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.documents.problem import Problem
    from pv_harness.validating.rules.world import Claim, Draft, World

TO_DO = "TODO"
"""The word that stands for what somebody still has to write."""
TEXTS = ("rule", "prediction", "if_fails")
"""Keys of a claim whose words no other rule judges."""


def texts_are_written(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV015: what `pv new` left to its author is no claim yet."""
    left = [name for name in TEXTS if is_left(getattr(claim.falsifier, name))]
    if left:
        what = f"{', '.join(left)} still to be written: {TO_DO}; say what must hold"
        yield claim.problem("PV015", what, left[0], severity=Severity.WARNING)


def title_is_written(draft: Draft, _world: World) -> Iterator[Problem]:
    """PV015: the same for the contract's title."""
    document = draft.document
    metadata = document.value.get("metadata")
    title = metadata.get("title") if isinstance(metadata, dict) else None
    if isinstance(title, str) and is_left(title):
        what = f"title still to be written: {TO_DO}; say what the claims are about"
        place = document.position(["metadata", "title"])
        yield document.problem("PV015", what, place, Severity.WARNING)


def is_left(text: str) -> bool:
    """True for a text that says no more than that it is to be written."""
    return text.lstrip().startswith(TO_DO)

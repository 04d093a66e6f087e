"""A foreign falsifier as a native claim: its three sentences, and what it does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.validating.foreign.predictions import holds_a_bound
from pv_harness.validating.rules.texts import TO_DO


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.validating.foreign.record import ForeignFalsifier


def claim_of(falsifier: ForeignFalsifier) -> tuple[dict[str, str], set[str]]:
    """The three sentences of a native claim, and the foreign keys that they are from.

    What is said to refute the claim is its prediction where it has none, and turned round its
    rule where it has none of these either.
    """
    rule, prediction = _said(falsifier, "rule"), _said(falsifier, "prediction")
    used = {"id", "rule", "prediction", "if_fails"}
    if refuted := _said(falsifier, "refuted_if"):
        if rule is None:
            rule = f"this is never seen: {refuted}"
            used.add("refuted_if")
        elif prediction is None:
            prediction = refuted
            used.add("refuted_if")
    claim = {
        "rule": rule or f"{TO_DO}: what must hold, in one sentence",
        "prediction": prediction or f"{TO_DO}: what is measured if it holds, with its numbers",
        "if_fails": _said(falsifier, "if_fails") or f"{TO_DO}: what a user suffers if not",
    }
    return claim, {key for name, key in falsifier.sources.items() if name in used}


def _said(falsifier: ForeignFalsifier, name: str) -> str | None:
    """A text of a falsifier; a number needs its key to mean anything."""
    text = getattr(falsifier, name)
    key = falsifier.sources.get(name, "")
    if text is None or isinstance(falsifier.entry.get(key, ""), str):
        return str(text) if text else None
    return f"{key}: {text}"


def placeholders(covers: Sequence[str]) -> list[str]:
    """The lines of what a claim needs and no foreign file says; without covers, with a TODO."""
    note = "" if covers else f"   # {TO_DO}: the modules that the claim is about"
    return [
        f"  covers: [{', '.join(covers or (TO_DO,))}]{note}",
        f"  bounds: {{counterexamples: {{eq: 0}}}}   # {TO_DO}: metrics and their bounds",
        "  levels:",
        "    PARTIAL: {}",
        f"  # {TO_DO}: two planted defects at least, one of them subtle; then remove",
        "  # `counted: false`, which keeps this claim out of every count.",
        "  counted: false",
        "  defects: []",
    ]


def undone(falsifier: ForeignFalsifier, claim: Mapping[str, str], covers: Sequence[str]) -> str:
    """What a person has to say about a claim, as a list in words."""
    missing = [key for key, text in claim.items() if text.startswith(f"{TO_DO}:")]
    if "prediction" not in missing and not holds_a_bound(claim["prediction"]):
        missing.append("a number in prediction")
    missing += [] if covers else ["covers"]
    missing += ["bounds", "a check", "two planted defects"]
    if falsifier.mutations:
        missing[-1] += " (the file describes one)"
    return ", ".join(missing)

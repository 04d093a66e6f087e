"""What a check says of its numbers, refused where evidence could not be read with it."""

from __future__ import annotations

from typing import Any

from pv_harness.errors import EvidenceError
from pv_harness.evidence.fields import Field
from pv_harness.judging.measurement import plain_value


def refuse_odd_facts(call: str, name: object, **units: object) -> None:
    """Establishes that a reader of evidence takes the name and the units.

    Args:
        call: what the check called, for the message.
        name: of a metric or a curve.
        units: argument -> text, or None.

    Raises:
        TypeError: one of them is no text, or the name holds what can't be stored.
    """
    try:
        Field(name, "the name").name()
        for argument, unit in units.items():
            Field(unit, argument).text_or_none()
    except EvidenceError as error:
        raise TypeError(f"{call}: {error}") from None


def whole_number(call: str, argument: str, value: Any) -> int | None:
    """A number of things as an int, or None; scalars of numpy and torch are taken too.

    Raises:
        TypeError: it is no whole number of at most 300 digits.
    """
    plain = None if value is None else plain_value(value)
    try:
        return Field(plain, argument).whole_or_none()
    except EvidenceError as error:
        raise TypeError(f"{call}: {error}") from None

"""Values of stored JSON, each read as the one type that it may have, or refused by place."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pv_harness.errors import EvidenceError
from pv_harness.judging.measurement import LARGEST_INTEGER
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum

_Choice = TypeVar("_Choice", bound="Enum")
_DIGEST_LENGTH = 64
_MAX_PATH_BYTES = 2048
_MAX_PART_BYTES = 255
_LAST_TIME_S = 253_402_300_799.0
"""The end of the year 9999, the last that a calendar date can be made of."""


@dataclass(frozen=True, slots=True)
class Field:
    """One JSON value and the way to it. Every method raises EvidenceError for another type."""

    value: object
    place: str = "the statement"

    def __getitem__(self, key: str) -> Field:
        """The value of one key of an object."""
        if not isinstance(self.value, dict):
            raise self._refused("an object")
        if key not in self.value:
            raise EvidenceError(f"{self.place} lacks {key!r}")
        return Field(self.value[key], f"{self.place}.{key}")

    def items(self) -> Iterator[Field]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self._refused("a list")
        for index, item in enumerate(self.value):
            yield Field(item, f"{self.place}[{index}]")

    def text(self) -> str:
        """Any text."""
        if not isinstance(self.value, str):
            raise self._refused("text")
        return self.value

    def text_or_none(self) -> str | None:
        """Any text, or null."""
        return None if self.value is None else self.text()

    def name(self) -> str:
        """Text that a file can be called: no NUL, and nothing that has no bytes."""
        name = self.text()
        try:
            is_name = b"\0" not in os.fsencode(name)
        except UnicodeEncodeError:
            is_name = False
        if not is_name:
            raise self._refused("a name")
        return name

    def path(self) -> str:
        """A path as pv writes it, which stays below where it begins: no `..` leads out of it.

        It may be absolute: what that place is to us, the one who opens it has to judge.
        """
        path = self.name()
        if not is_path(path):
            raise self._refused("a path without `..`, of a length that a file can have")
        return path

    def paths_below(self) -> tuple[str, ...]:
        """A list of paths relative to the project's root, none of which leads out of it."""
        found = tuple(item.path() for item in self.items())
        for item, path in zip(self.items(), found, strict=True):
            if path.startswith("/"):
                raise item._refused("a path relative to the project's root")  # noqa: SLF001
        return found

    def digest(self) -> str:
        """A SHA-256 in hex."""
        text = self.text()
        if not is_digest(text):
            raise self._refused("a SHA-256 in hex")
        return text

    def digests(self) -> tuple[str, ...]:
        """A list of SHA-256 in hex."""
        return tuple(item.digest() for item in self.items())

    def names(self) -> tuple[str, ...]:
        """A list of names."""
        return tuple(item.name() for item in self.items())

    def texts_by_name(self) -> dict[str, str]:
        """An object whose values are texts."""
        if not isinstance(self.value, dict):
            raise self._refused("an object")
        return {key: self[key].text() for key in self.value}

    def choice(self, kind: type[_Choice]) -> _Choice:
        """The member of an enumeration whose value is this text."""
        text = self.text()
        for member in kind:
            if member.value == text:
                return member
        raise self._refused(f"one of {', '.join(member.value for member in kind)}")

    def count(self) -> int:
        """A whole number from 0."""
        number = self.whole()
        if number < 0:
            raise self._refused("a number from 0")
        return number

    def whole(self) -> int:
        """A whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._refused("a whole number")
        if abs(self.value) > LARGEST_INTEGER:
            raise self._refused("a whole number of at most 300 digits")
        return self.value

    def counts(self) -> tuple[int, ...]:
        """A list of whole numbers from 0."""
        values = self.value
        # The common case at one go: a statement holds some hundred of these for each record.
        if isinstance(values, list) and all(type(v) is int and v >= 0 for v in values):
            return tuple(values)
        return tuple(item.count() for item in self.items())

    def whole_or_none(self) -> int | None:
        """A whole number, or null."""
        return None if self.value is None else self.whole()

    def seconds(self) -> float:
        """A duration, or a time since the epoch."""
        value = self.value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= _LAST_TIME_S:  # type: ignore[operator]
            raise self._refused("a number of seconds")
        return value  # type: ignore[return-value]

    def scalar(self) -> bool | int | float | str:
        """A measured value: true, false, a text, or a finite number that is within a float."""
        value = self.value
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refused("a finite number")
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise self._refused("a whole number of at most 300 digits")
        if not isinstance(value, bool | int | float | str):
            raise self._refused("a value")
        return value

    def _refused(self, expected: str) -> EvidenceError:
        return EvidenceError(f"{self.place} is {show(self.value)}, it should be {expected}")


def is_digest(text: str) -> bool:
    """True for a SHA-256 in hex, as the digest of a statement is written."""
    return len(text) == _DIGEST_LENGTH and not text.strip("0123456789abcdef")


def is_path(text: str) -> bool:
    """True for what a path of a file can be, and leads nowhere above where it begins."""
    if 0 < len(text) <= _MAX_PART_BYTES and text.isascii() and ".." not in text:
        return True  # nearly every one: a store holds some hundred thousand
    if not 0 < len(os.fsencode(text)) <= _MAX_PATH_BYTES:
        return False
    parts = text.split("/")
    return ".." not in parts and all(len(os.fsencode(p)) <= _MAX_PART_BYTES for p in parts)


def expect(found: Field, expected: object) -> None:
    """Refuse any other value than the one expected, and any other type.

    Raises:
        EvidenceError: it differs.
    """
    if type(found.value) is not type(expected) or found.value != expected:
        raise EvidenceError(
            f"{found.place} is {show(found.value)}, this pv reads {show(expected)}"
        )

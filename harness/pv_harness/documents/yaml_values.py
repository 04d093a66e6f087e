"""The data that plain YAML spells, without any place: a third of what the strict loader costs.

It reads by the same parser and resolves by the same rules. What that one has a problem with has
no value here; directives, anchors, tags and further documents are for the caller to keep away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from pv_harness.documents.scalars import NOT_TEXT, NUMBER_START, resolve


if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_DEPTH: Final = 64
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_values(text: str) -> Any:
    """The data of a text.

    Raises:
        ValueError: it is not YAML, a key is given twice or is none, a number is too long, half
            a surrogate pair is spelled, the nesting is too deep, or there is no data.
    """
    take = _LOADER(text).get_event
    try:
        take(), take()  # the stream begins, the document begins
        value = _value(take(), take, 0)
        take()
        if type(take()) is yaml.StreamEndEvent:
            return value
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    raise ValueError("a second document begins")


def _value(event: Any, take: Callable[[], Any], depth: int) -> Any:
    kind = type(event)
    if kind is yaml.ScalarEvent:
        return _scalar(event)
    if depth == _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if kind is yaml.MappingStartEvent:
        return _mapping(take, depth + 1)
    if kind is not yaml.SequenceStartEvent:
        raise ValueError("no value stands there")
    items = []
    while type(event := take()) is not yaml.SequenceEndEvent:
        items.append(_value(event, take, depth + 1))
    return items


def _mapping(take: Callable[[], Any], depth: int) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    while type(event := take()) is not yaml.MappingEndEvent:
        if type(event) is not yaml.ScalarEvent or (event.value == "<<" and not event.style):
            raise ValueError("a key that is not a word")
        key = _encodable(event.value)
        if key in entries:
            raise ValueError("a key is given twice")
        entries[key] = _value(take(), take, depth)
    return entries


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style or (text and text[0] not in NUMBER_START and text not in NOT_TEXT):
        return _encodable(text)
    return resolve(text)


def _encodable(text: str) -> str:
    if not text.isascii() and _HALF_A_PAIR.search(text):
        raise ValueError("half a surrogate pair")
    return text

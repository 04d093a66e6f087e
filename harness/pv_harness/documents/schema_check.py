"""The JSON Schemas of native documents, and their errors as problems with a place.

Every message names the falsifier or the way to the value, what the value is, and what it
should be.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.documents.problem import Problem, sort_key
from pv_harness.wording import show, way_to


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import Draft7Validator, ValidationError

    from pv_harness.documents.loading import Document

SCHEMA_FOLDER = Path(__file__).parents[1] / "schema"
API_VERSION = "pv/v1"

STATUS_KEYS = frozenset({"status", "verdict", "discharge_status", "verification_summary"})
"""Keys under which other dialects type a status by hand."""

_TYPE_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_MAX_GUESSES = 20
"""More unknown keys than this in one mapping are not typing errors, and guessing is slow."""
_COMPARATORS = "eq, ne, lt, le, gt or ge"


def read_schema(name: str = "contract-v1") -> dict[str, Any]:
    """One of the schemas, that of native contracts by default, as shipped for editors."""
    file = SCHEMA_FOLDER / f"{name}.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def schema_problems(
    document: Document, name: str
) -> tuple[tuple[Problem, ...], frozenset[tuple[str | int, ...]]]:
    """What the schema of that name finds wrong, and the entries that it makes unreadable.

    An entry is the way to an item of one of the document's lists or mappings, two keys long,
    `("waivers", 3)` say: what is wrong in it does not keep the others from being judged.
    """
    problems: dict[Problem, None] = {}
    broken: set[tuple[str | int, ...]] = set()
    for error in _validator(name).iter_errors(document.value):
        keys = list(error.absolute_path)
        problems.update(dict.fromkeys(_translate(document, error, keys)))
        broken.add(tuple(keys[:2]))
    return tuple(sorted(problems, key=sort_key)), frozenset(broken)


def check_schema(document: Document) -> tuple[tuple[Problem, ...], frozenset[int]]:
    """The schema problems of a native document, and the falsifiers that they make unreadable.

    The second value holds indexes into `falsifiers`; what is wrong elsewhere in the file does
    not keep a falsifier from being judged.
    """
    problems: dict[Problem, None] = {}
    broken: set[int] = set()
    for error in _validator("contract-v1").iter_errors(document.value):
        keys = list(error.absolute_path)
        problems.update(dict.fromkeys(_translate(document, error, keys)))
        if len(keys) > 1 and keys[0] == "falsifiers" and isinstance(keys[1], int):
            broken.add(keys[1])
    return tuple(sorted(problems, key=sort_key)), frozenset(broken)


@cache
def _validator(name: str) -> Draft7Validator:
    # 76 ms that `pv scoreboard` on an empty project need not pay.
    from jsonschema import Draft7Validator, validators  # noqa: PLC0415

    extend: Any = validators.extend
    validator: Draft7Validator = extend(Draft7Validator, {"uniqueItems": _unique_scalars})(
        read_schema(name)
    )
    return validator


def _unique_scalars(
    _validator: object, _wanted: object, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """`uniqueItems` for text and numbers, which are all that our lists hold.

    The library compares each pair of other items: minutes, for a list of 100,000.
    """
    from jsonschema import ValidationError  # noqa: PLC0415

    items = instance if isinstance(instance, list) else []
    # To JSON true is not 1, to Python it is.
    scalars = [item for item in items if type(item) in {str, int, float}]
    if len(set(scalars)) < len(scalars):
        yield ValidationError("an item occurs twice")


def _translate(
    document: Document, error: ValidationError, keys: list[str | int]
) -> Iterator[Problem]:
    where = way_to(document.value, keys)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(document, error, keys)
        case "required":
            yield from _missing_keys(document, error, keys)
        case "anyOf":
            what = f"{where} has no comparator; it should have one or more of {_COMPARATORS}"
            yield document.problem("PV012", what, document.key_position(keys))
        case _ if keys == ["apiVersion"]:
            what = f"apiVersion is {show(error.instance)}; this version reads {API_VERSION!r}"
            yield document.problem("PV013", what, document.position(keys))
        case _ if "propertyNames" in error.absolute_schema_path:
            name = str(error.instance)
            what = f"{where} has the name {show(name)}; it should be {_expected(error)}"
            yield document.problem("PV010", what, document.key_position([*keys, name]))
        case _:
            what = f"{where} is {show(error.instance)}; it should be {_expected(error)}"
            yield document.problem("PV010", what, document.position(keys))


def _unknown_keys(
    document: Document, error: ValidationError, keys: list[str | int]
) -> Iterator[Problem]:
    known = sorted(_schema_of(error)["properties"])
    for key, meant in _guesses(error).items():
        where = way_to(document.value, [*keys, key])
        place = document.key_position([*keys, key])
        if key.lower() in STATUS_KEYS:
            typed = f"{where} types a status by hand; statuses are derived, remove the key"
            yield document.problem("PV023", typed, place)
            continue
        remedy = f"did you mean {meant!r}?" if meant else f"known here: {', '.join(known)}"
        yield document.problem("PV011", f"{where} is an unknown key; {remedy}", place)


def _missing_keys(
    document: Document, error: ValidationError, keys: list[str | int]
) -> Iterator[Problem]:
    # A misspelt key is one mistake and one problem.
    present = {*_mapping_of(error), *_guesses(error).values()}
    for key in _schema_of(error)["required"]:
        if key not in present:
            what = f"{way_to(document.value, [*keys, key])} is missing"
            yield document.problem("PV012", what, document.position(keys))


def _guesses(error: ValidationError) -> dict[str, str | None]:
    """The unknown keys of a mapping, each with the key that it probably means."""
    mapping = _mapping_of(error)
    absent = [key for key in _schema_of(error)["properties"] if key not in mapping]
    unknown = sorted(set(mapping) - set(_schema_of(error)["properties"]))
    if len(unknown) > _MAX_GUESSES:
        return dict.fromkeys(unknown)
    close = ((key, difflib.get_close_matches(key, absent, n=1)) for key in unknown)
    return {key: found[0] if found else None for key, found in close}


def _expected(error: ValidationError) -> str:
    """What the value should be: in the schema's own words where it has some."""
    told = _schema_of(error).get("x-expected")
    return str(told) if told else _expected_by_keyword(error)


def _expected_by_keyword(error: ValidationError) -> str:  # noqa: PLR0911 - a table
    rule: Any = error.validator_value
    match error.validator:
        case "type":
            words = [rule] if isinstance(rule, str) else rule
            return " or ".join(_TYPE_WORDS[word] for word in words)
        case "enum":
            return " or ".join(map(repr, rule))
        case "pattern":
            examples = _schema_of(error).get("examples", [])
            such = f" such as {examples[0]!r}" if examples else ""
            return f"of the form {_readable(rule)}{such}"
        case "exclusiveMinimum":
            return f"more than {rule}"
        case "exclusiveMaximum":
            return f"less than {rule}"
        case "minimum":
            return f"at least {rule}"
        case "maximum":
            return f"at most {rule}"
        case "maxItems":
            return f"a list of at most {rule}"
        case "uniqueItems":
            return "a list without repetition"
        case _:  # minItems, minLength, minProperties: the schema asks for no other minimum
            return "not empty"


def _readable(pattern: str) -> str:
    """A pattern without the guard against a trailing newline, which `$` alone lets through."""
    return pattern.removesuffix(r"(?!\n)")


def _schema_of(error: ValidationError) -> Mapping[str, Any]:
    schema: Any = error.schema  # never a boolean: that has no keyword that could fail
    return dict(schema)


def _mapping_of(error: ValidationError) -> Mapping[str, Any]:
    instance: Any = error.instance
    return dict(instance)

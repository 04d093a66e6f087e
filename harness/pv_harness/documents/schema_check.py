"""The JSON Schemas of native documents, and their errors as problems with a place.

Every message names the falsifier or the way to the value, what the value is, and what it
should be.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.documents.accelerators import find_accelerator
from pv_harness.documents.problem import MAX_PROBLEMS, Problem, sort_key
from pv_harness.wording import MAX_GUESSES, nearest, show, way_to


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import Draft7Validator, ValidationError

    from pv_harness.documents.document import Document

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
_LIMITS = {
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "minimum": "at least",
    "maximum": "at most",
    "maxItems": "a list of at most",
}
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
    problems, ways = _translate_all(document, name)
    broken = {tuple(keys[:2]) for keys in ways}
    if len(problems) > MAX_PROBLEMS:
        broken |= _all_entries(document.value)
    return problems, frozenset(broken)


def check_schema(document: Document) -> tuple[tuple[Problem, ...], frozenset[int]]:
    """The schema problems of a native document, and the falsifiers that they make unreadable.

    The second value holds indexes into `falsifiers`; what is wrong elsewhere in the file does
    not keep a falsifier from being judged.
    """
    if is_surely_valid(document.value):
        return (), frozenset()
    problems, entries = schema_problems(document, "contract-v1")
    return problems, frozenset(
        keys[1]
        for keys in entries
        if len(keys) > 1 and keys[0] == "falsifiers" and isinstance(keys[1], int)
    )


def _translate_all(
    document: Document, name: str
) -> tuple[tuple[Problem, ...], list[list[str | int]]]:
    """The problems by place, and the ways to what they are about.

    With more than `MAX_PROBLEMS` of them neither is complete: a file of a megabyte can have
    millions.
    """
    problems: dict[Problem, None] = {}
    ways: list[list[str | int]] = []
    for error in _validator(name).iter_errors(document.value):
        keys = list(error.absolute_path)
        problems.update(dict.fromkeys(_translate(document, error, keys)))
        ways.append(keys)
        if len(problems) > MAX_PROBLEMS:
            break
    return tuple(sorted(problems, key=sort_key)), ways


def _all_entries(value: Mapping[str, Any]) -> set[tuple[str | int, ...]]:
    found: set[tuple[str | int, ...]] = set()
    for key, child in value.items():
        names: Any = child if isinstance(child, dict) else ()
        if isinstance(child, list):
            names = range(len(child))
        found |= {(key,), *((key, name) for name in names)}
    return found


def is_surely_valid(value: object, name: str = "contract-v1") -> bool:
    """True where a fast validator finds data valid; else its problems have to be looked for.

    It needs jsonschema-rs, in the release that was compared with jsonschema.
    """
    validator = _fast_validator(name)
    try:
        return validator is not None and validator.is_valid(value)
    except ValueError:  # a key that is no text, a number that JSON has no form for
        return False


@cache
def _fast_validator(name: str) -> Any:
    jsonschema_rs = find_accelerator("jsonschema_rs")
    if jsonschema_rs is None:
        return None
    return jsonschema_rs.Draft7Validator(read_schema(name))


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
    if len(unknown) > MAX_GUESSES:
        return dict.fromkeys(unknown)
    return {key: nearest(key, absent) for key in unknown}


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
        case "uniqueItems":
            return "a list without repetition"
        case str() as keyword if keyword in _LIMITS:
            return f"{_LIMITS[keyword]} {rule}"
        case "maxLength":
            return f"at most {rule} characters"
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

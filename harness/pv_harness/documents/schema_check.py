"""The JSON Schemas of native documents, and their errors as problems with a place.

Every message names the falsifier or the way to the value, what the value is, and what it
should be.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.documents.contract_check import is_surely_valid
from pv_harness.documents.problem import MAX_PROBLEMS, Problem, sort_key
from pv_harness.wording import MAX_GUESSES, nearest, show, way_to


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
_MOST_REPEATED = 60
_COMPARATORS = "eq, ne, lt, le, gt or ge"
_SYNONYMS = {
    **dict.fromkeys(("lte", "leq", "<=", "≤", "max", "maximum", "at_most"), "le"),
    **dict.fromkeys(("gte", "geq", ">=", "≥", "min", "minimum", "at_least"), "ge"),
    **dict.fromkeys(("==", "=", "equal", "equals"), "eq"),
    **dict.fromkeys(("!=", "neq", "≠"), "ne"),
    "<": "lt",
    ">": "gt",
}


def read_schema(name: str = "contract-v1") -> dict[str, Any]:
    """One of the schemas, that of native contracts by default, as shipped for editors."""
    file = SCHEMA_FOLDER / f"{name}.json"
    import json  # noqa: PLC0415 - 1 ms, and what is valid is so without the schema

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
    # One more than is ever told, so that whoever lists them sees that there are more.
    return tuple(sorted(problems, key=sort_key)[: MAX_PROBLEMS + 1]), ways


def _all_entries(value: Mapping[str, Any]) -> set[tuple[str | int, ...]]:
    found: set[tuple[str | int, ...]] = set()
    for key, child in value.items():
        names: Any = child if isinstance(child, dict) else ()
        if isinstance(child, list):
            names = range(len(child))
        found |= {(key,), *((key, name) for name in names)}
    return found


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
        case "anyOf" if any(_guesses(error).values()):
            pass  # a misspelt comparator is one mistake and one problem
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
            wants_text = error.validator == "type" and error.validator_value == "string"
            value = _shown(document, error.instance, keys, is_text_wanted=wants_text)
            what = f"{where} is {value}; it should be {_expected(error)}"
            yield document.problem("PV010", what, document.position(keys))


def _shown(
    document: Document, value: object, keys: list[str | int], *, is_text_wanted: bool
) -> str:
    """A value as the file has it, and what YAML reads instead: 1.10 is the number 1.1."""
    spelled = document.spelled(keys) if isinstance(value, int | float) else None
    if not spelled:
        return show(value)
    return f"{spelled}, which YAML reads as {show(value)}" if is_text_wanted else spelled


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
            remedy = f"; write `apiVersion: {API_VERSION}`" if key == "apiVersion" else ""
            what = f"{way_to(document.value, [*keys, key])} is missing{remedy}"
            yield document.problem("PV012", what, document.position(keys))


def _guesses(error: ValidationError) -> dict[str, str | None]:
    """The unknown keys of a mapping, each with the key that it probably means."""
    mapping = _mapping_of(error)
    absent = [key for key in _schema_of(error)["properties"] if key not in mapping]
    unknown = sorted(set(mapping) - set(_schema_of(error)["properties"]))
    if len(unknown) > MAX_GUESSES:
        return dict.fromkeys(unknown)
    return {key: _synonym(key, absent) or nearest(key, absent) for key in unknown}


def _synonym(key: str, absent: Collection[str]) -> str | None:
    """The comparator that other tools call so, where one may stand."""
    meant = _SYNONYMS.get(key)
    return meant if meant in absent else None


def _expected(error: ValidationError) -> str:
    """What the value should be: in the schema's own words where it has some."""
    told = _schema_of(error).get("x-expected")
    # What has the right form and is too long would be told to have that form.
    return str(told) if told and error.validator != "maxLength" else _expected_by_keyword(error)


def _expected_by_keyword(error: ValidationError) -> str:  # noqa: PLR0911 - a table
    rule: Any = error.validator_value
    match error.validator:
        case "type":
            words = [rule] if isinstance(rule, str) else rule
            told = " or ".join(_TYPE_WORDS[word] for word in words)
            return told + _as_written(error.instance, rule)
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
        case "minItems" | "minProperties":  # the schema asks for no other minimum
            return "one with an entry"
        case _:  # minLength
            return "a text that says something"


def _as_written(value: object, wanted: object) -> str:
    """How a value of another type is often meant, and what it has to look like then."""
    is_word = isinstance(value, str) and value.isprintable() and len(value) <= _MOST_REPEATED
    if wanted == "array" and is_word:
        return f", [{value}]"
    if wanted == "string" and isinstance(value, bool | int | float):
        return ", in quotes"
    return ""


def _readable(pattern: str) -> str:
    """A pattern without the guard against a trailing newline, which `$` alone lets through."""
    return pattern.removesuffix(r"(?!\n)")


def _schema_of(error: ValidationError) -> Mapping[str, Any]:
    schema: Any = error.schema  # never a boolean: that has no keyword that could fail
    return dict(schema)


def _mapping_of(error: ValidationError) -> Mapping[str, Any]:
    instance: Any = error.instance
    return dict(instance)

"""A JSON Schema as Python source: the same question, answered in a hundredth of the time.

The source is made once and kept in the repository, so that nobody has to read the schema, nor
import a package that does, to find that a file is valid: nearly all are. It says yes or no and
never why; the answer is yes only if the schema's is, and no where that takes longer to find
out, as of 1.0 for a whole number. A keyword that is not known here is refused.

`python -m pv_harness.documents.schema_compiler` writes `contract_check.py`; a test compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]

TARGET = Path(__file__).with_name("contract_check.py")
_SCHEMA = Path(__file__).parents[1] / "schema" / "contract-v1.json"
_HEADER = '''\
"""Whether data is a valid native contract, by contract-v1.json.

Written by `python -m pv_harness.documents.schema_compiler`; change the schema instead.
"""
# ruff: noqa: C901, E501, E713, E714, FURB171, PLR0911, PLR0912, PLR0915, Q000, SIM103, SIM201
# fmt: off
# mypy: disable-error-code="unreachable,redundant-expr"

from __future__ import annotations

import re


TYPE_CHECKING = False  # typing itself costs 4 ms
if TYPE_CHECKING:
    from typing import Any

'''
_FIRST_LINE = '"""True for valid data, and for no other; False where that is not sure."""'
_SAYS_NOTHING = {"title", "description", "examples", "default", "x-expected", "$schema", "$id"}
_REFERENCE = "#/definitions/"
_TYPES = {
    "string": ("str",),
    "boolean": ("bool",),
    "integer": ("int",),  # and 1.0, of which nobody is sure
    "number": ("int", "float"),
    "array": ("list",),
    "object": ("dict",),
}
_COMPARISONS = {
    "minimum": ">=",
    "maximum": "<=",
    "exclusiveMinimum": ">",
    "exclusiveMaximum": "<",
}


def compile_schema(schema: Schema) -> str:
    """The source of a module with `is_surely_valid`, True only for what the schema allows.

    Raises:
        ValueError: the schema has a keyword, or a use of one, that is not known here.
    """
    return _Compiler(schema).source()


class _Compiler:
    """One schema on its way; its functions are gathered in the order of their users."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._definitions: Schema = schema.get("definitions", {})
        self._patterns: dict[str, str] = {}
        self._functions: dict[str, str] = {}

    def source(self) -> str:
        root = {key: item for key, item in self._root.items() if key != "definitions"}
        self._define("is_surely_valid", root)
        patterns = "".join(
            f"{name} = re.compile({pattern!r}).search\n"
            for pattern, name in self._patterns.items()
        )
        return "\n\n".join([_HEADER + patterns, *self._functions.values()])

    def _define(self, name: str, schema: Schema) -> None:
        self._functions[name] = ""  # its place, and the sign that it is on its way
        body = "\n".join(_indented(self._object(name, schema)))
        what = "" if name.startswith("_") else f"    {_FIRST_LINE}\n"
        head = f"def {name}(value: Any) -> bool:\n{what}"
        self._functions[name] = f"{head}{body}\n    return True\n"

    def _object(self, name: str, schema: Schema) -> Iterator[str]:
        """The lines that return False unless `value` is a mapping as it should be."""
        rest = dict(schema)
        properties: Schema = rest.pop("properties", {})
        required = rest.pop("required", [])
        others = rest.pop("additionalProperties", None)
        _expect(rest.pop("type", None) == "object", schema)
        yield "if type(value) is not dict:"
        yield "    return False"
        if "minProperties" in rest:
            yield from _unless(f"len(value) >= {rest.pop('minProperties')}")
        if "anyOf" in rest:
            yield from _unless(" or ".join(map(_has_key, rest.pop("anyOf"))))
        names = rest.pop("propertyNames", None)
        _expect(not rest.keys() - _SAYS_NOTHING, schema)
        if isinstance(others, dict):
            _expect(not properties and not required, schema)
            yield "for key, item in value.items():"
            yield from _indented(self._value(f"{name}_key", "key", _as_text(names or {})))
            yield from _indented(self._value(f"{name}_value", "item", others))
            return
        _expect(others is False and names is None and {*required} <= {*properties}, schema)
        yield f"known = {sum(key in required for key in properties)}"
        for key, item in properties.items():
            where = f"{name}_{key}"
            if key in required:  # None is what no schema of ours allows
                yield f"item = value.get({key!r})"
                yield from self._value(where, "item", item)
                continue
            yield f"if {key!r} in value:"
            yield "    known += 1"
            yield f"    item = value[{key!r}]"
            yield from _indented(self._value(where, "item", item))
        yield from _unless("known == len(value)")

    def _value(self, name: str, what: str, schema: Schema) -> Iterator[str]:
        """The lines that return False unless the value called `what` is as it should be."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REFERENCE)
            schema = self._definitions[name]
            name = f"_{name}"
        if schema.get("type") == "object":
            function = f"_{name.strip('_')}"
            if function not in self._functions:
                self._define(function, schema)
            yield from _unless(f"{function}({what})")
        elif schema.get("type") == "array":
            yield from self._array(name, what, schema)
        else:
            yield from _unless(" and ".join(self._scalar(what, schema)))

    def _array(self, name: str, what: str, schema: Schema) -> Iterator[str]:
        rest = {key: item for key, item in schema.items() if key not in _SAYS_NOTHING}
        del rest["type"]
        items = rest.pop("items")
        terms = [f"type({what}) is list"]
        for keyword, sign in (("minItems", ">="), ("maxItems", "<=")):
            if keyword in rest:
                terms.append(f"len({what}) {sign} {rest.pop(keyword)}")
        yield from _unless(" and ".join(terms))
        yield f"for each in {what}:"
        yield from _indented(self._value(f"{name}_item", "each", items))
        if rest.pop("uniqueItems", False):
            # Of text, or of whole numbers: what else could be equal, or has no hash?
            _expect("enum" in items or items.get("type") in {"string", "integer"}, schema)
            yield from _unless(f"len(set({what})) == len({what})")
        _expect(not rest, schema)

    def _scalar(self, what: str, schema: Schema) -> Iterator[str]:
        """Terms that are all true of a value without parts if it is as it should be."""
        rest = {key: item for key, item in schema.items() if key not in _SAYS_NOTHING}
        if "const" in rest or "enum" in rest:
            choices = rest.pop("enum", None) or [rest.pop("const")]
            _expect(all(isinstance(item, str) for item in choices) and not rest, schema)
            yield f"{what} in {tuple(choices)!r}"
            return
        wanted = rest.pop("type")
        kinds = [
            k for t in ([wanted] if isinstance(wanted, str) else wanted) for k in _TYPES[t]
        ]
        alone = len(kinds) == 1
        yield (
            f"type({what}) is {kinds[0]}" if alone else f"type({what}) in ({', '.join(kinds)})"
        )
        if "float" in kinds:  # neither infinite nor NaN, which JSON has no form for
            yield f"(type({what}) is not float or {what} - {what} == 0.0)"
        _expect(alone or not rest.keys() - _COMPARISONS.keys(), schema)
        for keyword, sign in _COMPARISONS.items():
            if keyword in rest:
                yield f"{what} {sign} {rest.pop(keyword)}"
        if rest.pop("minLength", 0):
            _expect(schema["minLength"] == 1, schema)
            yield what
        if "maxLength" in rest:
            yield f"len({what}) <= {rest.pop('maxLength')}"
        if "pattern" in rest:
            unused = f"_pattern_{len(self._patterns)}"
            yield f"{self._patterns.setdefault(rest.pop('pattern'), unused)}({what})"
        _expect(not rest, schema)


def _unless(condition: str) -> Iterator[str]:
    yield f"if not ({condition}):"
    yield "    return False"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _has_key(schema: Schema) -> str:
    """The condition of `{"required": ["eq"]}`, the one schema that our `anyOf` holds."""
    _expect(schema.keys() == {"required"} and len(schema["required"]) == 1, schema)
    return f"{schema['required'][0]!r} in value"


def _as_text(schema: Schema) -> Schema:
    """The schema of a key, which says nothing of types: all keys are text to it."""
    return {**schema, "type": "string"}


def _expect(condition: object, schema: Schema) -> None:
    if not condition:
        raise ValueError(f"not known to the compiler of schemas: {json.dumps(schema)[:200]}")


def main() -> int:
    """Write the module that checks contracts."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    TARGET.write_text(compile_schema(schema), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

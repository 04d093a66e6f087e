"""Write docs/contract-format.md: every key of a contract, from the schema that pv ships.

`python docs/contract_format.py` writes it, with `--check` it says whether it is current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml


if TYPE_CHECKING:
    from collections.abc import Sequence

Section: TypeAlias = "tuple[str, str, tuple[str, ...]]"
"""Title, text, and where in the schema the keys stand."""

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "contract-format.md"
SCHEMA = ROOT / "harness" / "pv_harness" / "schema" / "contract-v1.json"
LONGEST_EXAMPLE = 90
WIDTH = 100

INTRODUCTION = """\
# The contract format

Made from the schema by `python docs/contract_format.py`. `pv schema contract` prints that
schema, with which an editor completes and checks while you type: `pv init` puts it beside the
contracts as `contract-v1.schema.json`, and their first lines name it.

A contract is one YAML file that says what must hold, how it could be refuted, and what evidence
earns which level. [The guide](../contracts/README.md) says how to write one that is worth
having, [the tutorial](tutorial.md) makes one, [the rules](rules.md) are all that `pv validate`
finds.

Keys are known or an error: a misspelt one is never silent. Every key that is not marked
*required* may be left out. The YAML is plain: no anchors, no tags, no key twice.
`pv validate` reads no more than 1 MiB.

```yaml
{example}```
"""

_BOUNDS = """\
A mapping of metrics to bounds. A metric is what a check reports with \
`measure("metric", value)`; its name is letters, digits, `_` and `.`. A bound has one \
comparator or more, all of which must hold. NaN and the infinities meet none."""
_LEVELS = """\
A mapping of `PARTIAL`, `INTEGRATION` and `DISCHARGED`, in this order, to conditions with \
these keys. A level asks for all that the ones before it ask, and for at least one thing more. \
The last one listed is the claim's **ceiling**: the most that it can ever show. A claim at its \
ceiling is complete, at `PARTIAL/PARTIAL` too."""
_DEFECTS = """\
A list of planted defects: changes that must turn the check red, each for the reason that it \
names. `pv prove` plants them in a copy ([proving](proving.md))."""
_CONTROLS = """\
A list of changes that the rule permits, and that must leave the check green. They show that \
the check is not red under any change."""
SECTIONS = (
    ("The file", "", ()),
    ("`metadata`", "", ("metadata",)),
    ("`equations`", "A mapping of names to entries with these keys.", ("equation",)),
    ("`falsifiers`", "A list of entries with these keys.", ("falsifier",)),
    ("`bounds`", _BOUNDS, ("bound",)),
    ("`levels`", _LEVELS, ("level",)),
    ("`seeds`", "See [several seeds](running.md#several-seeds).", ("seeds",)),
    ("`defects`", _DEFECTS, ("defect",)),
    ("`controls`", _CONTROLS, ("control",)),
)
EXAMPLE = """\
apiVersion: pv/v1
id: my-trainer-v1                  # the file is my-trainer-v1.yaml
version: 1.0.0
metadata:
  title: training starts from the checkpoint that was named
  references: ["arXiv:2407.10671, section 2"]
equations:
  init_load: {formula: "theta_0[n] = checkpoint[n] for every n"}
falsifiers:
- id: FALSIFY-MY-TRAINER-001       # permanent
  rule: the checkpoint supplies every parameter
  prediction: no parameter differs from its source tensor
  if_fails: the model trains from random weights that nobody asked for
  covers: [my_trainer.loading]
  bounds:
    mismatched_parameters: {eq: 0}
    val_loss: {le: 5.0, unit: nats, note: what a model that knows nothing has is 5.5}
  levels:
    PARTIAL: {}
    INTEGRATION: {reached: ["my_trainer.cli:main"]}
  defects:
  - {id: never-loaded, file: src/my_trainer/loading.py, find: "model.load(weights)",
     replace: "pass", expect: mismatched_parameters}
  - {id: off-by-one, file: src/my_trainer/loading.py, find: "names[:]",
     replace: "names[1:]", expect: mismatched_parameters}
  controls:
  - {id: other-order, file: src/my_trainer/loading.py, find: "sorted(names)",
     replace: "sorted(names, reverse=True)"}
"""


def main() -> int:
    """Write the document, or with --check compare it."""
    text = render(json.loads(SCHEMA.read_text(encoding="utf-8")))
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


def render(schema: dict[str, Any]) -> str:
    """The document for a schema."""
    return f"{INTRODUCTION.format(example=EXAMPLE)}\n{render_sections(schema, SECTIONS)}"


def render_sections(schema: dict[str, Any], sections: Sequence[Section]) -> str:
    """A table of keys for each part of a schema, below its heading and its text."""
    parts = []
    for title, text, way in sections:
        part = _find(schema, way)
        parts.append(f"## {title}\n")
        parts += [fill(text, WIDTH) + "\n"] if text else []
        parts.append("| key | holds | means | for example |\n|---|---|---|---|")
        for name, value in part["properties"].items():
            parts.append(_row(schema, name, value, required=name in part.get("required", ())))
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


def _find(schema: dict[str, Any], way: tuple[str, ...]) -> dict[str, Any]:
    part = schema
    for name in way:
        known = part.get("definitions", {})
        part = known[name] if name in known else part["properties"][name]
        part = part.get("items", part)
    return part


def _row(schema: dict[str, Any], name: str, value: dict[str, Any], *, required: bool) -> str:
    whole = {**_resolved(schema, value), **value}
    means = whole["description"]
    if "default" in whole:
        means += f" Default: `{json.dumps(whole['default']).strip(chr(34))}`."
    holds = _type(schema, whole)
    if required:
        holds += ", *required*"
    cells = (f"`{name}`", holds, means, _example(name, whole))
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _resolved(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found = schema["definitions"][value["$ref"].rpartition("/")[2]]
    return {key: text for key, text in found.items() if key != "$id"}


def _type(schema: dict[str, Any], value: dict[str, Any]) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{word}`" for word in value["enum"])
    kinds = value.get("type", "object")
    if kinds == "array":
        held = _type(schema, _resolved(schema, value["items"]))
        return "list of " + ("entries" if held == "mapping" else held)
    words = {
        "string": "text",
        "object": "mapping",
        "boolean": "`true` or `false`",
        "integer": "integer",
        "number": "number",
    }
    return " or ".join(words[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _example(name: str, value: dict[str, Any]) -> str:
    examples = value.get("examples")
    if not examples:
        return ""
    text = yaml.safe_dump(
        {name: examples[0]}, default_flow_style=True, width=10_000, sort_keys=False
    )
    shown = text.strip().removeprefix("{").removesuffix("}")
    return f"`{shown}`" if len(shown) <= LONGEST_EXAMPLE else "see above"


if __name__ == "__main__":
    sys.exit(main())

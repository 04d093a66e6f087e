"""The JSON Schemas that the package ships, for editors and for other programs."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from pv_harness.errors import UsageError


_FOLDER = Path(__file__).parents[1] / "schema"
_FILE_NAME = re.compile(r"(?P<name>.+)-v(?P<version>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Schema:
    """One shipped schema.

    Attributes:
        name: what it describes: `contract`.
        version: of the format that it describes.
        title: its own title.
        text: the file as it is shipped.
    """

    name: str
    version: int
    title: str
    text: str

    @property
    def full_name(self) -> str:
        """The name with the version: `contract-v1`."""
        return f"{self.name}-v{self.version}"


def list_schemas(folder: Path = _FOLDER) -> tuple[Schema, ...]:
    """Every schema of the folder, by name and version."""
    found = []
    for file in folder.glob("*.json"):
        match = _FILE_NAME.fullmatch(file.stem)
        if match is not None:
            text = file.read_text(encoding="utf-8")
            title = json.loads(text).get("title", "")
            found.append(Schema(match["name"], int(match["version"]), title, text))
    return tuple(sorted(found, key=lambda schema: (schema.name, schema.version)))


def find_schema(name: str, schemas: tuple[Schema, ...]) -> Schema:
    """The schema of that name; without a version the newest.

    Raises:
        UsageError: there is none of that name.
    """
    found = [schema for schema in schemas if name in {schema.name, schema.full_name}]
    if found:
        return found[-1]
    names = [schema.name for schema in schemas] + [schema.full_name for schema in schemas]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`pv schema` lists them"
    raise UsageError(f"{name!r} is no schema of this pv; {hint}")

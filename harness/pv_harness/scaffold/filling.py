"""The files that a set-up writes, as templates with placeholders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).parent / "templates"
_PLACEHOLDER = re.compile("@([A-Z]+)@")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text of a template, each placeholder `@NAME@` replaced by the value of that name.

    What a value holds is never looked through for placeholders.
    """
    text = (_FOLDER / template).read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)

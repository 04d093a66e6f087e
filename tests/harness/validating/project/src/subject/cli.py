from __future__ import annotations

from .core import add


def main() -> str:
    return str(add(2, 2))

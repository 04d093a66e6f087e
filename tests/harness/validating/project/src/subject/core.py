from __future__ import annotations


def add(left: int, right: int) -> int:
    # Both are whole numbers.
    return left + right

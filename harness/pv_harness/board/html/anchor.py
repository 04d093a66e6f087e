"""What a link to a falsifier, or to a contract, ends with."""

from __future__ import annotations

import re

from pv_harness.digest import digest_bytes


_PLAIN_ID = re.compile(r"[A-Z][A-Z0-9-]*", re.ASCII)


def anchor_of(falsifier_id: str) -> str:
    """The ID itself, or a digest of one that no link can hold.

    The page's own anchors begin with a small letter, so that no ID is taken for one of them.
    """
    if _PLAIN_ID.fullmatch(falsifier_id):
        return falsifier_id
    return f"ID-{digest_bytes(falsifier_id.encode('utf-8', 'surrogatepass'))[:12]}"

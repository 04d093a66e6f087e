"""What contracts say: the record, its reading, what binds to it, every rule that judges it."""

from __future__ import annotations

"""The record of what was run: in-toto statements, kept in an append-only store."""

from __future__ import annotations

"""Decisions over statuses: what a gate asks for, and who may be excused."""

from __future__ import annotations

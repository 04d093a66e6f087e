"""Showing that a check can fail: planted defects on a scratch copy of the project."""

from __future__ import annotations
